"""Names in plain text: a fine-tuned tagger, with the place of each name in the text as it was given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, overload

from transformers import PreTrainedTokenizerFast

from ..detection.choice import LanguageChoice
from ..errors import UserError
from ..settings import MINI_NER, Bits, Precision
from ..texts import batched, refuse_one_text, whole_signs
from ..xmod.modeling import XmodForTokenClassification
from ..xmod.precision import load_to_read
from .conll import entities
from .tagging import tag_sentences
from .words import Span, read_words, split_words

CHUNK = 1000
"""Texts of a stream that are tagged together."""


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


class Passage(NamedTuple):
    """A line of a text, or a paragraph of a wrapped one, and the language it is read in."""

    start: int
    end: int
    """Characters of the text before its first word, and up to the end of its last one."""
    language: str
    probability: float
    """Of that language, for the passage itself."""
    sure: bool
    """Whether the passage itself shows it; if not, the whole text or a guess does."""


Spoken = str | Sequence[Passage] | None
"""What is known of the language of a text."""


class Tagger:
    """Finds names in text of any length.

    Every line is read for itself, or every paragraph of wrapped text; one longer than the model's positions in windows
    that overlap by a quarter, where a word's tag is taken from the window in which it stands farther from the edge.
    """

    def __init__(self, model: XmodForTokenClassification, tokenizer: PreTrainedTokenizerFast) -> None:
        self.model = model
        self.tokenizer = tokenizer

    @classmethod
    def load(cls, source: str | Path = MINI_NER, *, bits: Bits | None = None, precision: Precision = "auto") -> Tagger:
        """The tagger in a model folder, or of a hub name; by default swissxmod-mini, which comes with the package.

        Args:
            source: folder or hub name.
            bits: how many the matrices of the trunk take in memory, 4 or 8; by default they stay as they are.
            precision: of a model that is not held in fewer bits; "auto" is float32, but for compressed models bfloat16
                where that is native.

        Raises:
            UserError: if it cannot be loaded.
        """
        return cls(*load_to_read(XmodForTokenClassification, source, precision, bits=bits))

    @overload
    def __call__(self, texts: str, language: str | None = ..., *, wrapped: bool = ...) -> list[Entity]: ...  # type: ignore[overload-overlap]

    @overload
    def __call__(
        self, texts: Sequence[str], language: str | Sequence[Spoken] | None = ..., *, wrapped: bool = ...
    ) -> list[list[Entity]]: ...

    def __call__(
        self,
        texts: str | Sequence[str],
        language: str | Sequence[Spoken] | None = None,
        *,
        wrapped: bool = False,
    ) -> list[Entity] | list[list[Entity]]:
        """The names of a text, or of each of several, in their order.

        Args:
            texts: whatever they contain.
            language: of all, or one for each; a BCP-47 tag or an adapter's key. None, also for one of several, detects
                that of each line, or paragraph of wrapped text; what :meth:`detect` told of a text may be given too.
            wrapped: lines are those of a page, they belong together up to an empty line; words that a hyphen parts at
                the end of a line are read whole.

        Raises:
            UserError: if the model has no adapter for a language, or texts and languages differ in number, or if the
                model's languages are none that can be detected.
        """
        if isinstance(texts, str):
            return self([texts], language, wrapped=wrapped)[0]
        lines = [(number, line) for number, text in enumerate(texts) for line in split_words(text, wrapped=wrapped)]
        languages = language if isinstance(language, str) else self._of_each(language, texts, lines, wrapped=wrapped)
        readable = [whole_signs(text) for text in texts]
        words = [read_words(readable[number], line) for number, line in lines]
        tagging = tag_sentences(self.model, self.tokenizer, words, languages)
        found: list[list[Entity]] = [[] for _ in texts]
        for (number, line), tags, scores in zip(lines, tagging.tags, tagging.scores, strict=True):
            found[number] += _entities(texts[number], line, tags, scores)
        return found

    def detect(self, texts: Sequence[str], *, wrapped: bool = False) -> list[list[Passage]]:
        """The language of each line of texts, or of each paragraph of wrapped ones; lines without a word are left out.

        Raises:
            UserError: if the model's languages are none that can be detected.
        """
        return detect_passages(self.model.languages, texts, wrapped=wrapped)

    def _of_each(
        self,
        languages: Sequence[Spoken] | None,
        texts: Sequence[str],
        lines: Sequence[tuple[int, object]],
        *,
        wrapped: bool,
    ) -> list[str]:
        """The language of each line."""
        spoken: list[Spoken] = [None] * len(texts) if languages is None else list(languages)
        if len(spoken) != len(texts):
            raise UserError(f"expected a language for each of {len(texts)} texts, found {len(spoken)}")
        if unknown := [number for number, language in enumerate(spoken) if language is None]:
            detected = self.detect([texts[number] for number in unknown], wrapped=wrapped)
            for number, passages in zip(unknown, detected, strict=True):
                spoken[number] = passages
        counts = Counter(number for number, _ in lines)
        told = [
            iter(_languages(language, counts[number], f"text {number + 1}")) for number, language in enumerate(spoken)
        ]
        return [next(told[number]) for number, _ in lines]

    def stream(
        self, texts: Iterable[str], language: str | None = None, *, wrapped: bool = False
    ) -> Iterator[tuple[str, list[Entity]]]:
        """Each text with its names, a thousand texts at a time, so that memory does not grow with their number."""
        refuse_one_text(texts)
        for chunk in batched(texts, CHUNK):
            yield from zip(chunk, self(chunk, language, wrapped=wrapped), strict=True)


def detect_passages(adapters: Sequence[str], texts: Sequence[str], *, wrapped: bool = False) -> list[list[Passage]]:
    """:meth:`Tagger.detect`, for a model with these adapters."""
    spans = [
        (number, line[0][0], line[-1][1])
        for number, text in enumerate(texts)
        for line in split_words(text, wrapped=wrapped)
    ]
    lines = [texts[number][start:end] for number, start, end in spans]
    chosen = LanguageChoice(adapters).choose(lines, texts, [number for number, _, _ in spans])
    found: list[list[Passage]] = [[] for _ in texts]
    for (number, start, end), choice in zip(spans, chosen, strict=True):
        found[number].append(Passage(start, end, *choice))
    return found


def _languages(spoken: Spoken, count: int, place: str) -> list[str]:
    """The language of each of so many lines."""
    if isinstance(spoken, str):
        return [spoken] * count
    languages = [passage.language for passage in spoken or ()]
    if len(languages) != count:
        raise UserError(f"{place}: expected a language for each of {count} passages, found {len(languages)}")
    return languages


def _entities(text: str, words: Sequence[Span], tags: Sequence[str], scores: Sequence[float]) -> Iterator[Entity]:
    for kind, first, stop in sorted(entities(tags), key=lambda entity: entity[1]):
        start, end = words[first][0], words[stop - 1][1]
        yield Entity(text[start:end], kind, start, end, round(sum(scores[first:stop]) / (stop - first), 4))
