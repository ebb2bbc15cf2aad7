"""Texts to try the page with: an article of the bundled sample, which is the same in four languages, line by line."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import NamedTuple

LANGUAGES = {"de": "German", "fr": "French", "it": "Italian", "rm": "Romansh"}
_ARTICLE = "a24"
_PAIRS = (("de", "rm"), ("fr", "it"), ("rm", "fr"))
_LINES = 3
"""Of a translation: a picture of each is enough to see."""


class Example(NamedTuple):
    """A text and its name."""

    name: str
    text: str


class Translation(NamedTuple):
    """A text with its translation."""

    name: str
    source: str
    target: str


def text_examples() -> list[Example]:
    """The article in each language, and a line of each."""
    lines = {language: _lines(language) for language in LANGUAGES}
    mixed = [lines[language][number] for number, language in enumerate(LANGUAGES)]
    whole = [Example(name, "\n".join(lines[language])) for language, name in LANGUAGES.items()]
    return [*whole, Example("All four", "\n".join(mixed))]


def translation_examples() -> list[Translation]:
    """The beginning of the article with its translation."""
    return [
        Translation(
            f"{LANGUAGES[source]} – {LANGUAGES[target]}",
            *("\n".join(_lines(language)[:_LINES]) for language in (source, target)),
        )
        for source, target in _PAIRS
    ]


@cache
def _lines(language: str) -> list[str]:
    path = resources.files(__package__.rpartition(".")[0]) / "sample" / "corpora" / language / "dev.jsonl"
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return next(row["text"] for row in rows if row["id"] == _ARTICLE).split("\n")
