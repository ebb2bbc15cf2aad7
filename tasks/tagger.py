"""Names in plain text: a fine-tuned tagger, with the place of each name in the text as it was given."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from transformers import PreTrainedTokenizerFast

from ..errors import UserError
from ..texts import batched
from ..xmod.checkpoints import load_with_tokenizer
from ..xmod.modeling import XmodForTokenClassification
from .conll import entities
from .ner import tag_sentences

CHUNK = 1000
"""Texts of a stream that are tagged together."""
# A number with its separators; an elided article with its apostrophe ("l'Engiadina"); a word, with hyphens; a sign.
# Marks that are combined with a letter belong to it.
_LETTER = r"[^\W\d_][\u0300-\u036f]*"
_WORD = re.compile(
    rf"\d+(?:[.,:'’]\d+)*|(?:{_LETTER})+['’](?=[^\W_])|(?:\w[\u0300-\u036f]*)+(?:-(?:\w[\u0300-\u036f]*)+)*|\S"
)
_LINE = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")


@dataclass(frozen=True)
class Entity:
    """A name in a text."""

    text: str
    """As it stands there: ``text[start:end]``."""
    label: str
    start: int
    end: int
    """Characters (Unicode code points) before the name, and up to its end."""
    score: float
    """Mean probability of the tags of its words, from 0 to 1."""


class Tagger:
    """Finds names in text of any length.

    Every line is read for itself; one longer than the model's positions in windows that overlap by a quarter, where a
    word's tag is taken from the window in which it stands farther from the edge.
    """

    def __init__(self, model: XmodForTokenClassification, tokenizer: PreTrainedTokenizerFast) -> None:
        self.model = model
        self.tokenizer = tokenizer

    @classmethod
    def load(cls, source: str | Path) -> Tagger:
        """The tagger in a model folder, or of a hub name.

        Raises:
            UserError: if it cannot be loaded.
        """
        return cls(*load_with_tokenizer(XmodForTokenClassification, source))

    @overload
    def __call__(self, texts: str, language: str) -> list[Entity]: ...  # type: ignore[overload-overlap]

    @overload
    def __call__(self, texts: Sequence[str], language: str | Sequence[str]) -> list[list[Entity]]: ...

    def __call__(self, texts: str | Sequence[str], language: str | Sequence[str]) -> list[Entity] | list[list[Entity]]:
        """The names of a text, or of each of several, in their order.

        Args:
            texts: whatever they contain.
            language: of all, or one for each; a BCP-47 tag or an adapter's key.

        Raises:
            UserError: if the model has no adapter for a language, or texts and languages differ in number.
        """
        if isinstance(texts, str):
            return self([texts], language)[0]
        lines = [(number, line) for number, text in enumerate(texts) for line in split_words(text)]
        languages = language if isinstance(language, str) else _of_each(language, lines, len(texts))
        words = [[texts[number][start:end] for start, end in line] for number, line in lines]
        tagging = tag_sentences(self.model, self.tokenizer, words, languages)
        found: list[list[Entity]] = [[] for _ in texts]
        for (number, line), tags, scores in zip(lines, tagging.tags, tagging.scores, strict=True):
            found[number] += _entities(texts[number], line, tags, scores)
        return found

    def stream(self, texts: Iterable[str], language: str) -> Iterator[tuple[str, list[Entity]]]:
        """Each text with its names, a thousand texts at a time, so that memory does not grow with their number."""
        for chunk in batched(texts, CHUNK):
            yield from zip(chunk, self(chunk, language), strict=True)


def split_words(text: str) -> Iterator[list[tuple[int, int]]]:
    """Where the words of each line begin and end in ``text``; lines without a word are left out."""
    for line in _LINE.finditer(text):
        if words := [match.span() for match in _WORD.finditer(text, line.start(), line.end())]:
            yield words


def _of_each(languages: Sequence[str], lines: Sequence[tuple[int, object]], count: int) -> list[str]:
    if len(languages) != count:
        raise UserError(f"expected a language for each of {count} texts, found {len(languages)}")
    return [languages[number] for number, _ in lines]


def _entities(
    text: str, words: Sequence[tuple[int, int]], tags: Sequence[str], scores: Sequence[float]
) -> Iterator[Entity]:
    for kind, first, stop in sorted(entities(tags), key=lambda entity: entity[1]):
        start, end = words[first][0], words[stop - 1][1]
        yield Entity(text[start:end], kind, start, end, round(sum(scores[first:stop]) / (stop - first), 4))
