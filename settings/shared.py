"""What the settings of several steps have in common, and how values that cannot work are refused."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import UserError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_MINI = Path(__file__).parents[1] / "mini"
MINI_BASE, MINI_NER, MINI_ALIGNER = (str(_MINI / name) for name in ("base", "ner", "aligner"))
"""Folders of swissxmod-mini, the model that comes with the package: the encoder, and what was learned beside it."""
MINI = frozenset({MINI_BASE, MINI_NER, MINI_ALIGNER})
PATHS = frozenset(
    {
        "adapter",
        "baseline_train",
        "compare",
        "comparisons",
        "corpora",
        "counts",
        "curves",
        "data",
        "detector",
        "dev",
        "examples",
        "gold",
        "links",
        "model",
        "parallel",
        "results",
        "source",
        "target",
        "text",
        "tokenizer",
        "train",
        "vocab",
        "words",
    }
)
"""Names of the settings that hold paths of what a step reads."""
Precision = Literal["auto", "float32", "bfloat16"]
Bits = Literal[4, 8]
Layer = int | Literal["mean"]
LinkMethod = Literal["argmax", "itermax", "match", "softmax", "agreement"]
SentenceScore = Literal["cosine", "margin", "bertscore"]
TagScheme = Literal["auto", "iob1", "iob2", "bioes", "lenient"]


def check_minima(settings: object, **minima: float) -> None:
    """Refuse numbers below their minimum, or none at all (.nan, .inf); one that was not given (None) is none."""
    for name, minimum in minima.items():
        value = getattr(settings, name)
        if value is not None and not minimum <= value < math.inf:
            raise UserError(f"{name}: expected at least {minimum}, found {value}")


def check_seed(settings: object) -> None:
    """Refuse a seed that numpy cannot take."""
    if not 0 <= (seed := settings.seed) < 2**32:  # type: ignore[attr-defined]
        raise UserError(f"seed: expected 0 to {2**32 - 1}, found {seed}")


def check_shares(settings: object, *names: str) -> None:
    """Refuse numbers that are no share of one; one that was not given (None) is none."""
    for name in names:
        value = getattr(settings, name)
        if value is not None and not 0 <= value <= 1:
            raise UserError(f"{name}: expected a number between 0 and 1, found {value}")


def check_given(settings: object, *names: str) -> None:
    """Refuse what is empty."""
    for name in names:
        if not getattr(settings, name):
            raise UserError(f"{name}: expected at least one, found none")


def check_unused(settings: DataclassInstance, purpose: str, *names: str) -> None:
    """Refuse values that would be ignored: what differs from its default, where the purpose of it was not asked for."""
    defaults = {each.name: each.default for each in fields(settings)}
    for name in names:
        if getattr(settings, name) != defaults[name]:
            raise UserError(f"{name}: it is for {purpose}, which was not given")


class Checked:
    """Where the checks of settings end: each class refuses its own values and calls on."""

    def __post_init__(self) -> None:
        """Nothing is left to check."""


@dataclass(frozen=True, kw_only=True)
class Quantised(Checked):
    """How many bits the matrices of the trunk take in memory."""

    load_in_4bit: bool = False
    """Hold the matrices of the trunk in 4 bits (NF4, its constants quantised too); the rest stays as it is. Needs the
    extra "quantised"."""
    load_in_8bit: bool = False
    """Hold the matrices of the trunk in 8 bits; the rest stays as it is. Needs the extra "quantised"."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        super().__post_init__()
        if self.load_in_4bit and self.load_in_8bit:
            raise UserError("load_in_4bit and load_in_8bit: give one of the two")

    @property
    def bits(self) -> Bits | None:
        """Of the trunk's matrices; None where they stay in 32."""
        return 4 if self.load_in_4bit else 8 if self.load_in_8bit else None

    def held(self, name: str) -> str:
        """What results call a model, so that it is not taken for the one that is held whole."""
        return f"{name} in {self.bits} bits" if self.bits else name


@dataclass(frozen=True, kw_only=True)
class TextReading(Checked):
    """Which texts are read."""

    text: str = "-"
    """File with a text on each line, or .jsonl with an object on each, also compressed; "-" is standard input, read as
    JSONL if its first line is an object."""
    text_column: str = "text"
    """Name of the text in objects."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        super().__post_init__()
        check_given(self, "text", "text_column")


@dataclass(frozen=True, kw_only=True)
class SpokenTextReading(TextReading):
    """Which texts are read, and in which language."""

    language: str | None = None
    """Language of the texts; an object may say its own as "language". Detected where neither is given."""


@dataclass(frozen=True, kw_only=True)
class TagReading(Checked):
    """How the entity tags of data are read."""

    types: dict[str, str] = field(default_factory=dict)
    """For each entity type of the data the one it becomes, or O, such as --types.pers PER --types.time O; by default
    all stay as they are."""
    scheme: TagScheme = "auto"
    """How tags are written; by default the scheme that fits all of a file. "lenient" lets an entity begin with I-."""
    tag_names: list[str] = field(default_factory=list)
    """What tags that are numbers stand for, from 0 on; of the hub's WikiNEuRal '[O, B-PER, I-PER, B-ORG, I-ORG, B-LOC,
    I-LOC, B-MISC, I-MISC]'. Data sets that name their classes need none."""
    column: str = "NE-COARSE-LIT"
    """Whose tags to take of files in HIPE's format."""
    context: int | None = None
    """Words up to which neighbouring sentences of a document are read together; by default each is read alone."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        super().__post_init__()
        check_minima(self, context=1)


@dataclass(frozen=True, kw_only=True)
class Encoding(Checked):
    """In which precision a model computes that only reads."""

    precision: Precision = "auto"
    """"bfloat16" is up to twice as fast where the processor has instructions for it, and changes an answer in a
    thousand; "auto" takes it there for a compressed model, such as swissxmod-mini, and else float32."""


@dataclass(frozen=True, kw_only=True)
class Reading(Quantised, Encoding):
    """How a model is held that only reads."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        super().__post_init__()
        if self.bits and self.precision != "auto":
            raise UserError(f"precision: nothing to choose beside load_in_{self.bits}bit; leave one of them out")


@dataclass(frozen=True, kw_only=True)
class TwoLanguages(Checked):
    """The languages of a text and of its translation."""

    source_language: str = "de"
    """Language of the source side."""
    target_language: str = "rm"
    """Language of the target side."""

    @property
    def languages(self) -> tuple[str, str]:
        """Of both sides."""
        return self.source_language, self.target_language
