"""What the page asks for: names in a text, and word links of two, as JSON can hold them.

Places in a text are never sent to be counted there: Python counts characters, a browser the 16-bit units of UTF-16. The
page gets the text in segments.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from ..errors import UserError
from ..eval.wording import language_name
from ..settings import MINI, WordLinking
from ..tasks.tagger import Entity, Passage, Tagger, detect_passages
from ..tasks.tagging import model_types
from ..tasks.word_alignment import all_links, chosen, load_encoder, word_vectors
from ..tasks.words import split_words
from ..texts import whole_signs
from ..xmod.modeling import XmodModel

# JSON can hold halves of signs, which can neither be read by a tokenizer nor be sent back.
Text = Annotated[str, BeforeValidator(lambda value: whole_signs(value) if isinstance(value, str) else value)]


class Question(BaseModel):
    """What a page asks."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @property
    def size(self) -> int:
        """Characters to read."""
        raise NotImplementedError


class EntitiesQuestion(Question):
    """Which names are there?"""

    text: Text
    language: str | None = None
    """A tag or an adapter's key; None detects that of each paragraph."""
    wrapped: bool = False
    """Whether a paragraph is what empty lines part, instead of a line."""

    @property
    def size(self) -> int:
        """Characters to read."""
        return len(self.text)


class LinksQuestion(Question):
    """Which words belong together?"""

    source: Text
    """A sentence or paragraph on each line."""
    target: Text
    """Their translations, line by line."""
    source_language: str | None = None
    """As in :class:`EntitiesQuestion`."""
    target_language: str | None = None
    """As in :class:`EntitiesQuestion`."""

    @property
    def size(self) -> int:
        """Characters to read."""
        return len(self.source) + len(self.target)


class Answers:
    """A tagger and an aligner, loaded once."""

    def __init__(self, model: str, aligner: str | None = None) -> None:
        """Load them.

        Args:
            model: folder or hub name of a tagger.
            aligner: of an encoder; without one, the tagger's own is used and not loaded twice.

        Raises:
            UserError: for a model that cannot be loaded.
        """
        self.uses_own_model = bool(MINI & {model, aligner})
        self.tagger = Tagger.load(model)
        self.encoder: XmodModel = self.tagger.model.base_model
        self.tokenizer = self.tagger.tokenizer
        if aligner is not None:
            self.encoder, self.tokenizer = load_encoder(aligner)
        self.linking = chosen(WordLinking(), self.encoder)
        self.labels = model_types(self.tagger.model)

    def entities(self, question: EntitiesQuestion) -> dict[str, Any]:
        """The names of a text.

        Returns:
            "passages", each with its language and the "segments" that it is made of, names with "label" and "score";
            "entities", the names as ``predict ner`` writes them.

        Raises:
            UserError: for a language without an adapter.
        """
        text, wrapped = question.text, question.wrapped
        spans = [(words[0][0], words[-1][1]) for words in split_words(text, wrapped=wrapped)]
        passages = None if question.language else self.tagger.detect([text], wrapped=wrapped)[0]
        (found,) = self.tagger([text], [question.language or passages], wrapped=wrapped)
        told = _spoken(question.language, passages, len(spans))
        return {
            "passages": [
                language | {"segments": list(_segments(text, span, found))}
                for language, span in zip(told, spans, strict=True)
            ],
            "entities": [asdict(entity) for entity in found],
        }

    def links(self, question: LinksQuestion) -> dict[str, Any]:
        """The word links of two texts, line by line; lines without a word are left out.

        Returns:
            "pairs", each with the words of "source" and "target", "links" between them (counted from 0) and the
            "languages" of both.

        Raises:
            UserError: for texts of different numbers of lines, or a language without an adapter.
        """
        texts = question.source, question.target
        lines = [list(split_words(text)) for text in texts]
        if len(lines[0]) != len(lines[1]):
            raise UserError(
                f"the first text has {len(lines[0])} lines with words, the second {len(lines[1])}: expected a "
                "translation on each line"
            )
        given = question.source_language, question.target_language
        told = [self._spoken(*side) for side in zip(given, texts, lines, strict=True)]
        words = [
            [[text[start:end] for start, end in line] for line in side] for text, side in zip(texts, lines, strict=True)
        ]
        source, target = (
            word_vectors(
                self.encoder,
                self.tokenizer,
                side,
                [language["language"] for language in languages],
                self.linking.layer,
                pieces=self.linking.pieces,
            )
            for side, languages in zip(words, told, strict=True)
        )
        pairs = zip(*words, all_links((source, target), self.linking), *told, strict=True)
        return {
            "pairs": [
                {"source": first, "target": second, "links": sorted(links), "languages": languages}
                for first, second, links, *languages in pairs
            ]
        }

    def _spoken(self, given: str | None, text: str, lines: Sequence[object]) -> list[dict[str, Any]]:
        passages = None if given else detect_passages(self.encoder.languages, [text])[0]
        return _spoken(given, passages, len(lines))


def _spoken(given: str | None, passages: Sequence[Passage] | None, count: int) -> list[dict[str, Any]]:
    """Of each passage its language, how probable that is, and whether it shows; the latter are None for a given one."""
    if passages is None:
        return [{"language": given, "name": language_name(str(given)), "probability": None, "sure": None}] * count
    return [
        {
            "language": passage.language,
            "name": language_name(passage.language),
            "probability": passage.probability,
            "sure": passage.sure,
        }
        for passage in passages
    ]


def _segments(text: str, span: tuple[int, int], found: Sequence[Entity]) -> Iterator[dict[str, Any]]:
    """A passage in parts that give it back when they are joined; names are parts of their own."""
    place, stop = span
    first, last = (bisect_left(found, edge, key=lambda entity: entity.start) for edge in span)
    for entity in found[first:last]:
        if place < entity.start:
            yield {"text": text[place : entity.start]}
        yield {"text": entity.text, "label": entity.label, "score": entity.score}
        place = entity.end
    if place < stop:
        yield {"text": text[place:stop]}
