"""Settings of what a model says of texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .shared import (
    MINI_ALIGNER,
    MINI_BASE,
    MINI_NER,
    Encoding,
    Layer,
    Reading,
    SpokenTextReading,
    TextReading,
    check_minima,
)

VectorFormat = Literal["jsonl", "npy"]
NerFormat = Literal["jsonl", "conll", "terminal"]


@dataclass(frozen=True)
class PredictLanguage(TextReading):
    """Tell the language of each line or object of a file, with its probability; an object that says its own keeps it.

    Example: swissxmod predict language --text articles.jsonl --out languages.jsonl
    """

    detector: str | None = None
    """File that detector train wrote; by default the detector that comes with the package."""


@dataclass(frozen=True, kw_only=True)
class PredictFill(SpokenTextReading):
    """Guess the masked pieces of texts: what stands in the place of each <mask>.

    Example: swissxmod predict fill --model adapted --text masked.txt --language rm --out guesses.jsonl
    """

    model: str = MINI_BASE
    """Folder of a model with its masked-language-modelling head, as pretrain leaves it, or a hub name; by default
    swissxmod-mini, which comes with the package."""
    top: int = 5
    """Guesses for each mask."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        super().__post_init__()
        check_minima(self, top=1)


@dataclass(frozen=True, kw_only=True)
class Embed(SpokenTextReading, Encoding):
    """Write a vector for each text of a file: the mean over its pieces.

    Example: swissxmod embed --model aligner --text sentences.txt --language rm --format npy --out vectors.npy
    """

    model: str = MINI_ALIGNER
    """Model folder or hub name; by default swissxmod-mini, which comes with the package."""
    layer: Layer = -1
    """Whose states: 0 are the embeddings, -1 the last layer, "mean" that of all."""
    special: bool = True
    """Whether <s> and </s> count in the mean, as in align sentences."""
    format: VectorFormat = "jsonl"
    """"jsonl" keeps what an object had and adds "vector", "npy" is an array of numpy, a row for each text."""


@dataclass(frozen=True, kw_only=True)
class PredictNer(SpokenTextReading, Reading):
    """Find the names in a file, line by line.

    Example: swissxmod predict ner --model ner --text articles.txt --language rm --out names.jsonl
    """

    model: str = MINI_NER
    """Folder of a fine-tuned tagger, or a hub name; by default swissxmod-mini, which comes with the package."""
    language: str | None = None
    """Language of the texts; an object may say its own as "language". By default that of each line is detected, or of
    each paragraph of wrapped text."""
    format: NerFormat = "jsonl"
    """"jsonl" keeps what an object had and adds "entities" (text, label, start, end, score; characters of the text),
    "conll" is a word and its tag on each line, "terminal" coloured text."""
    wrapped: bool = False
    """Whether lines are those of a printed page: they belong together up to an empty line, and a word that is broken at
    the end of a line is read whole. Of plain text a paragraph is then a text."""


@dataclass(frozen=True)
class PredictStance(Reading):
    """Tell the stance of each comment of a file, with the probabilities of all labels.

    Example: swissxmod predict stance --model stance --text comments.jsonl --language fr --out stances.jsonl
    """

    model: str
    """Folder of a fine-tuned model, or a hub name."""
    text: str
    """JSONL file, also compressed: objects with "question" and "comment"."""
    language: str | None = None
    """Language of the comments; an object may say its own as "language". By default it is detected by the comment."""
