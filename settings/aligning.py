"""Settings of what aligns words, sentences and documents."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ..errors import UserError
from ..texts import Paths
from .shared import MINI_ALIGNER, Encoding, Layer, LinkMethod, SentenceScore, TwoLanguages, check_minima, check_shares

LARGEST_BEAD = 16
"""Sentences that may be aligned together: every one more is another encoding of the whole text."""
DocumentFormat = Literal["tsv", "tmx", "jsonl"]
LinkFormat = Literal["pharaoh", "jsonl", "html"]


@dataclass(frozen=True, kw_only=True)
class WordLinking(TwoLanguages):
    """How words are linked; by default as a tuned model says, else by the mean of all layers and "match"."""

    layer: Layer | None = None
    """Layer to compare (0 is the embeddings), or "mean" of all."""
    method: LinkMethod | None = None
    """"argmax", "itermax" or "match" (SimAlign), "softmax" (awesome-align) or "agreement" of both directions."""
    threshold: float | None = None
    """How probable a link must be (softmax and agreement), or how similar its words (the others: without it, words that
    have no translation are linked as well as can be)."""
    pieces: bool | None = None
    """Whether single pieces are compared and words linked by them, as SimAlign and awesome-align do by default, or the
    mean vectors of words; by default as a tuned model says, else words."""
    guidance: float = 0.0
    """How much a statistical aligner, which counts the words of all sentence pairs, says beside the vectors (softmax,
    agreement), from 0 to 1, such as 0.5; it is worth much where there are many pairs."""
    counts: Paths = field(default_factory=list)
    """Further sentence pairs to count, tab-separated, such as those that the model was tuned on."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        super().__post_init__()
        check_shares(self, "guidance")
        if self.counts and not self.guidance:
            raise UserError("counts: expected a guidance above 0, such as 0.5, to count these sentence pairs for")
        if self.threshold is not None and not 0 <= self.threshold < 1:
            raise UserError(f"threshold: expected 0 or more and less than 1, found {self.threshold}")


@dataclass(frozen=True, kw_only=True)
class AlignWords(WordLinking, Encoding):
    """Align the words of parallel sentences, line by line.

    Example: swissxmod align words --model adapted --source a.de --target a.rm
        --source_language de --target_language rm --out links.align
    """

    model: str = MINI_ALIGNER
    """Model folder or hub name; by default swissxmod-mini, which comes with the package."""
    source: str
    """Source sentences, one a line, their words parted by blanks."""
    target: str
    """Their translations, line by line."""
    raw: bool = False
    """Whether the lines are plain text: words are then found in it, and "jsonl" says which."""
    format: LinkFormat = "pharaoh"
    """"pharaoh" is a line such as "0-0 1-2" for each pair, "jsonl" has the words too, "html" is a page of pictures."""


@dataclass(frozen=True, kw_only=True)
class AlignSentences(TwoLanguages, Encoding):
    """Find the translations of sentences among those of another text; lines of source, target and score, tab-separated.

    Example: swissxmod align sentences --model aligner --source a.de --target a.rm
        --source_language de --target_language rm --out pairs.tsv
    """

    model: str = MINI_ALIGNER
    """Model folder or hub name; by default swissxmod-mini, which comes with the package."""
    source: str
    """Sentences, one a line."""
    target: str
    """Sentences of the other language, one a line, in any order."""
    score: SentenceScore = "margin"
    """How sentences are compared: "cosine" of their mean vectors, "margin" (LASER), "bertscore" piece by piece
    on the mean of all layers."""
    mutual: bool = True
    """Only pairs of which each is the other's best; else the best target of every different source."""
    threshold: float = 0.0
    """Score that a pair must reach."""


@dataclass(frozen=True, kw_only=True)
class AlignDocuments(TwoLanguages, Encoding):
    """Align a text with its translation, sentence by sentence and in order; also one to two, two to one, and none.

    Example: swissxmod align documents --model aligner --source a.de --target a.rm
        --source_language de --target_language rm --out pairs.tsv
    """

    model: str = MINI_ALIGNER
    """Model folder or hub name; by default swissxmod-mini, which comes with the package."""
    source: str
    """Sentences, one a line, in the order of the text; empty lines are left out."""
    target: str
    """The translation, one sentence a line."""
    largest: int = 4
    """Sentences of both sides that may belong together: 4 is 1-1, 1-2, 2-1, 2-2, 1-3 and 3-1."""
    skip: float = 0.5
    """What leaving out a sentence costs; a pair of unrelated ones costs about 1. More keeps worse pairs."""
    format: DocumentFormat = "tsv"
    """"tsv" is source, target and cosine, "tmx" a translation memory; "jsonl" objects that also say the numbers of the
    sentences, from 0, and have those without a translation."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        super().__post_init__()
        check_minima(self, largest=2, skip=0)
        if self.largest > LARGEST_BEAD:
            raise UserError(f"largest: expected at most {LARGEST_BEAD}, found {self.largest}")
