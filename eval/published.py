"""Scores that others published on data that ours may be of, to stand beside ours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .records import Record


@dataclass(frozen=True)
class Published:
    """A score of others."""

    task: str
    data: str
    """What the name of our data set has in it, in small letters and digits only."""
    language: str
    """As records name it."""
    system: str
    score: str
    """As they print it, in our unit."""
    metric: str
    source: str
    differs: str
    """How their measurement and ours are not the same."""


_NOTEBOOKS = "Vamvas et al. 2023 (SwissBERT), evaluation notebook"
_PART = "a dev or test part of ours has fewer pairs"
_STANCE = (
    "the full test set, after one epoch on the 45,640 comments of the training part (the paper, as our default, takes "
    "three); samples and splits of ours may differ"
)

PUBLISHED = [
    Published(
        "word-alignment", "dermit", "de_CH-rm_CH", "SwissBERT", "0.136", "aer", _NOTEBOOKS,
        f"all 600 sentence pairs less 3 repeated ones, by the method match on the mean of all layers; {_PART}",
    ),
    Published(
        "word-alignment", "dermit", "de_CH-rm_CH", "mBERT with SimAlign or awesome-align", "0.22", "aer",
        "Dolev 2023 (DERMIT)", f"the 600 sentence pairs, not tuned, other layers and methods; {_PART}",
    ),
    Published(
        "sentence-retrieval", "dermit", "de_CH>rm_CH", "SwissBERT", "95.6", "accuracy", _NOTEBOOKS,
        "among 597 sentences, by BERTScore on the mean of all layers; fewer sentences are easier to tell apart",
    ),
    *(
        Published("stance", f"xstance{setting}", language, "SwissBERT", score, "macro_f1", _NOTEBOOKS, _STANCE + more)
        for setting, language, score, more in (
            ("newcomments", "de_CH", "76.3", ""),
            ("newcomments", "fr_CH", "77.1", ""),
            ("newquestions", "de_CH", "72.9", ""),
            ("newquestions", "fr_CH", "76.2", ""),
            ("newtopics", "de_CH", "72.5", ""),
            ("newtopics", "fr_CH", "74.3", ""),
            ("newcomments", "it_CH", "71.6", "; zero-shot, trained on German and French"),
        )
    ),
]  # fmt: skip


@dataclass(frozen=True)
class Beside:
    """Published scores and ours on data of the same name."""

    published: list[Published]
    records: list[Record]


def beside(records: Sequence[Record]) -> list[Beside]:
    """The published scores whose task, data, metric and languages some of the records have, with these records."""
    texts: dict[tuple[str, ...], Beside] = {}
    for each in PUBLISHED:
        own = [record for record in records if _fits(record, each)]
        if own:
            texts.setdefault((each.task, each.data, each.language), Beside([], own)).published.append(each)
    return list(texts.values())


def _fits(record: Record, published: Published) -> bool:
    return (
        (record.task, record.metric) == (published.task, published.metric)
        and published.data in re.sub(r"[^a-z0-9]", "", record.dataset.lower())
        and not record.by_other_adapter
        and _same_languages(record.language, published.language)
    )


def _same_languages(first: str, second: str) -> bool:
    """Whether both are one, where a region may be left out: "de-rm" is "de_CH-rm_CH", but "rm_sursilv" not "rm_CH"."""
    return first in (second, second.replace("_CH", ""))
