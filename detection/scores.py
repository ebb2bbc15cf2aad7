"""How good a language detector is: on sentences of five words and more and on shorter ones, never in one number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError, nearest
from ..files import write_json
from ..settings import EvalDetector
from .detector import UNSURE, LanguageDetector
from .samples import SHORT, WORD, read_sentences

_BINS = 10


def evaluate_detector(settings: EvalDetector, out: str | Path) -> dict[str, Any]:
    """Measure a detector and write what :func:`measure` tells as JSON.

    Args:
        settings: the detector and the text.
        out: JSON file to write.

    Raises:
        UserError: for files that cannot be read, or a language that the detector does not tell.
    """
    detector = LanguageDetector.load(settings.detector)
    data = {name: read_sentences(paths, settings.text_column) for name, paths in settings.data.items()}
    told = measure(detector, data)
    write_json(out, told)
    return told


def measure(detector: LanguageDetector, data: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What a detector makes of sentences, those of five words and more apart from the shorter ones.

    Returns:
        for each of the two "languages", rows with the number of texts and in percent the right answers ("unsure" is
        wrong), the "unsure" ones, the right ones among the answers, and those whose most probable language is right;
        "confusion", how often each answer was given; and "calibration_error", the mean difference of probability and
        share of right ones (in ten bins of equal numbers).

    Raises:
        UserError: for a language that the detector does not tell.
    """
    for name in data:
        if name not in detector.languages:
            known = ", ".join(detector.languages)
            raise UserError(f"language {name!r}: the detector tells {known}{nearest(name, detector.languages)}")
    texts = [text for sentences in data.values() for text in sentences]
    answers = np.repeat([detector.languages.index(name) for name in data], [len(part) for part in data.values()])
    found = detector.probabilities(texts)
    words = np.array([len(WORD.findall(text)) for text in texts])
    parts = {"five_words_or_more": words > SHORT, "shorter": words <= SHORT}
    return {name: _part(detector, found[rows], answers[rows]) for name, rows in parts.items() if rows.any()}


def _part(detector: LanguageDetector, found: NDArray[np.float64], answers: NDArray[np.int64]) -> dict[str, Any]:
    best, chance = found.argmax(axis=1), found.max(axis=1)
    sure = detector.are_sure(chance)
    names = [*detector.languages, UNSURE]
    said = np.where(sure, best, len(detector.languages))
    right = best == answers
    rows, confusion = [], []
    for number in dict.fromkeys(answers.tolist()):
        own = answers == number
        rows.append({"language": names[number]} | _shares(right[own], sure[own]))
        counts = np.bincount(said[own], minlength=len(names)).tolist()
        confusion.append({"language": names[number]} | dict(zip(names, counts, strict=True)))
    return {
        "languages": rows,
        "confusion": confusion,
        "calibration_error": round(100 * _calibration_error(chance, right), 2),
    }


def _shares(right: NDArray[np.bool_], sure: NDArray[np.bool_]) -> dict[str, Any]:
    return {
        "texts": len(right),
        "right": _percent(right & sure),
        "unsure": _percent(~sure),
        "right_of_answers": _percent(right[sure]),
        "most_probable_right": _percent(right),
    }


def _percent(hits: NDArray[np.bool_]) -> float | None:
    return round(100 * float(hits.mean()), 2) if len(hits) else None


def _calibration_error(chance: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    order = np.argsort(chance, kind="stable")
    bins = [part for part in np.array_split(order, _BINS) if len(part)]
    gaps = [len(part) * abs(float(chance[part].mean() - right[part].mean())) for part in bins]
    return sum(gaps) / len(chance)
