"""Settings of what makes and compares vocabularies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ..errors import UserError
from ..texts import Paths
from .shared import check_given, check_minima, check_seed, check_shares

Normalisation = Literal["nfc", "nfkc"]
Rule = Literal["mean", "focus", "random"]


@dataclass(frozen=True)
class VocabTrain:
    """Train a subword vocabulary (SentencePiece-style unigram) on text of several languages.

    Example: swissxmod vocab train --corpora.rm rm.jsonl.gz --corpora.de de.txt --size 16000 --out vocab
    """

    corpora: dict[str, Paths]
    """Text of each language: .txt (one document a line) or .jsonl (an object in each line), also compressed (.gz),
    .parquet, or hub:OWNER/NAME:CONFIG:SPLIT."""
    size: int = 50_000
    """Number of pieces, special ones included."""
    alpha: float = 0.3
    """Exponent of language smoothing: 1 counts text in proportion to what there is, 0 all languages alike."""
    min_share: float = 0.0
    """Least share of a language, whatever the smoothing."""
    characters: int = 100_000_000
    """Most characters of each language to count; where there are more, documents are drawn."""
    normalisation: Normalisation = "nfc"
    """Unicode form of all text: nfc keeps every visible character of the four languages, nfkc as XLM-R's."""
    character_coverage: float = 0.99995
    """Share of the characters of the text that get a piece of their own; letters of the four languages always do."""
    byte_fallback: bool = True
    """Spell other characters in bytes (256 pieces), so that nothing is unknown and decoding gives every text back."""
    user_defined_symbols: list[str] = field(default_factory=list)
    """Pieces of your own that are never cut, such as [<url>, "#"]."""
    text_column: str = "text"
    """Name of the text in objects, tables and data sets."""
    seed: int = 1
    """Seed of the draw."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        check_seed(self)
        check_given(self, "corpora", "text_column")
        check_shares(self, "alpha", "min_share", "character_coverage")
        check_minima(self, size=100, characters=1000)


@dataclass(frozen=True)
class VocabImport:
    """Make a tokenizer folder of a SentencePiece model, such as SwissBERT's or XLM-R's.

    Example: swissxmod vocab import --model sentencepiece.bpe.model --out vocab
    """

    model: str
    """SentencePiece file (.model) of the unigram kind."""


@dataclass(frozen=True)
class VocabReport:
    """Measure how a vocabulary cuts text of several languages, side by side with others.

    Example: swissxmod vocab report --vocab vocab --corpora.rm rm.txt --compare.xlmr FacebookAI/xlm-roberta-base
        --out vocab-report
    """

    vocab: str
    """Tokenizer folder, hub name, or SentencePiece file (.model)."""
    corpora: dict[str, Paths]
    """Text of each language, best not what the vocabulary was trained on; forms as in vocab train."""
    compare: dict[str, str] = field(default_factory=dict)
    """Other tokenizers, each under a name for the report."""
    characters: int = 10_000_000
    """Most characters of each language to read, from the beginning."""
    longest: int = 20
    """How many of the longest and of the rarest pieces to list."""
    text_column: str = "text"
    """Name of the text in objects, tables and data sets."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        check_given(self, "corpora", "text_column")
        check_minima(self, characters=1, longest=1)
        if "vocabulary" in self.compare:
            raise UserError("compare: the name 'vocabulary' is that of --vocab; give the other one another name")


@dataclass(frozen=True)
class VocabTransplant:
    """Give a model a new vocabulary: shared pieces keep their rows, the others get rows by a rule.

    Example: swissxmod vocab transplant --model trunk --vocab vocab --out start
    """

    model: str
    """Model folder."""
    vocab: str
    """Folder of the new tokenizer."""
    rule: Rule = "mean"
    """Rows of pieces that are not shared: the mean of the old pieces that spell them, of shared pieces that are used
    alike in the text (FOCUS), or drawn from the distribution of the old rows."""
    corpora: dict[str, Paths] = field(default_factory=dict)
    """Text of each language for the rule focus."""
    characters: int = 10_000_000
    """Most characters of each language to read for the rule focus."""
    seed: int = 1
    """Seed of random rows."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        check_seed(self)
        check_minima(self, characters=1)
        if (self.rule == "focus") != bool(self.corpora):
            raise UserError(f"corpora: the rule focus needs text and no other does; found rule {self.rule}")
