"""Settings of what learns a task, and of what learns to tell languages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from ..errors import UserError
from ..texts import Paths
from .shared import (
    Checked,
    LinkMethod,
    Precision,
    Quantised,
    TagReading,
    check_given,
    check_minima,
    check_seed,
    check_shares,
    check_unused,
)

Peft = Literal["lora", "dora", "ia3", "prefix", "prompt"]
Freeze = bool | Literal["adapters"]


@dataclass(frozen=True, kw_only=True)
class Beside(Checked):
    """How much learns: the weights of a model, or a few megabytes beside it."""

    peft: Peft | None = None
    """Train a few megabytes beside the frozen model, and write only them: low-rank updates of the trunk's matrices
    (lora, dora), factors of its states (ia3), or virtual tokens before every sentence, in each layer (prefix) or the
    first (prompt). Needs the extra "peft"."""
    rank: int = 8
    """Rank of the updates of lora and dora."""
    alpha: int = 16
    """The updates of lora and dora count alpha / rank times."""
    virtual_tokens: int = 20
    """How many tokens prefix and prompt put before a sentence; it may be so much shorter then."""
    learning_rate: float | None = None
    """Peak learning rate; by default 2e-5 (stance 1e-5, alignment 1e-4), with --peft what suits the method."""
    OWN_RATE: ClassVar[float]
    """Peak learning rate of the step where the weights of the model learn."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        super().__post_init__()
        check_minima(self, rank=1, alpha=1, virtual_tokens=1, learning_rate=0)
        if not self.peft:
            check_unused(self, "--peft", "rank", "alpha", "virtual_tokens")


@dataclass(frozen=True, kw_only=True)
class TaskTraining(Quantised, Beside):
    """How a model is fine-tuned for a task. Epochs, rate and batch are SwissBERT's, but for what a task says itself."""

    model: str
    """Model folder or hub name."""
    train: dict[str, str]
    """Data of each training language."""
    dev: dict[str, str] = field(default_factory=dict)
    """Data to choose the best epoch by; only training languages. Without any, the last epoch is kept."""
    sentences: int | None = None
    """How many to take of each training file (a seeded sample); all by default."""
    dev_sentences: int | None = None
    """How many to take of each dev file (a seeded sample); all by default."""
    freeze: Freeze = True
    """What does not learn: embeddings and language adapters, so that the task works with any language's adapter, also
    one that is trained later (true, X-MOD's way); the "adapters" alone (SwissBERT's); or nothing (false)."""
    epochs: int = 3
    """Passes over the data."""
    batch_size: int = 16
    """Examples per step."""
    micro_batch: int | None = None
    """Examples to compute at once, where memory is short; the whole batch by default."""
    gradient_checkpointing: bool | None = None
    """Compute each layer twice instead of keeping what is inside of it, where memory is short; by default with a trunk
    in 4 or 8 bits."""
    warmup: float = 0.1
    """Share of the steps to warm up."""
    weight_decay: float = 0.01
    """Decoupled weight decay."""
    dropout: float = 0.1
    """Dropout while training, also before the updates of lora and dora. The saved model keeps its own."""
    precision: Precision = "auto"
    """"bfloat16" is mixed precision; "auto" takes it where the processor has instructions for it."""
    seed: int = 1
    """Seed of sampling, order and dropout."""
    seeds: int = 1
    """Models to train, with the seeds from the one given on; more than one become the folders seed-1, seed-2, ..."""
    OWN_RATE: ClassVar[float] = 2e-5

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        super().__post_init__()
        check_seed(self)
        check_given(self, "train")
        check_shares(self, "warmup", "dropout")
        check_minima(self, sentences=1, dev_sentences=1, epochs=1, batch_size=1, micro_batch=1, seeds=1)
        check_minima(self, weight_decay=0)
        if self.freeze not in (True, False, "adapters"):
            raise UserError(f"freeze: expected true, false or adapters, found {self.freeze}")
        self._check_peft()

    def _check_peft(self) -> None:
        if self.peft and self.freeze is not True:
            raise UserError("freeze: with --peft the model's own weights never learn; leave out --freeze")
        if self.bits and self.peft not in ("lora", "dora", "ia3"):
            raise UserError(
                f"load_in_{self.bits}bit: weights in so few bits cannot learn; give --peft lora, dora or ia3, which "
                f"learn beside them, found {self.peft}"
            )


@dataclass(frozen=True, kw_only=True)
class FinetuneNer(TaskTraining, TagReading):
    """Fine-tune a model to tag names, with embeddings and language adapters frozen so that it transfers.

    Example: swissxmod finetune ner --model adapted --train.de de.conll --train.fr fr.conll --out ner
    """

    train: dict[str, str]
    """Data of each training language: CoNLL (token, tab, tag), JSONL ("tokens" and "ner_tags"), HIPE's format, or
    hub:OWNER/NAME:CONFIG:SPLIT."""


@dataclass(frozen=True, kw_only=True)
class FinetuneStance(TaskTraining):
    """Fine-tune a model to tell whether a comment is for or against what a question asks, or any other labels.

    Example: swissxmod finetune stance --model adapted --train.de de.jsonl --train.fr fr.jsonl --out stance
    """

    train: dict[str, str]
    """Data of each training language: JSONL with "question", "comment" and "label", or hub:OWNER/NAME:CONFIG:SPLIT. Of
    data that says its "language" only what is in this one is taken."""
    longest: int = 256
    """Pieces to read of a question and its comment; what is longer is cut at the end of the longer one, and counted."""
    OWN_RATE: ClassVar[float] = 1e-5

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        super().__post_init__()
        check_minima(self, longest=8)


@dataclass(frozen=True, kw_only=True)
class FinetuneAlignment(Beside):
    """Tune an encoder on sentence pairs so that words and sentences find their translation; no gold links are needed.

    Example: swissxmod finetune alignment --model adapted --parallel.de-rm pairs.tsv.gz --out aligner
    """

    model: str
    """Model folder or hub name."""
    parallel: dict[str, Paths]
    """Sentence pairs under the names of their two languages in the order of the columns, such as --parallel.de-rm
    pairs.tsv.gz: tab-separated, in the order of the texts they are from; further columns are not read."""
    dev: dict[str, list[str]] = field(default_factory=dict)
    """Words of the source, of the target, and gold links, --dev.de-rm "[dev.de, dev.rm, dev.align]": measured ten times
    on the way; the layer and the method that link them best at the end, words or pieces, go into the config of the
    result."""
    layer: int | None = None
    """Layer whose words learn to match; without dev, the one that the config names. By default two thirds up: 8 of 12,
    4 of 6."""
    method: LinkMethod = "agreement"
    """How words shall be linked, for the config, without dev."""
    steps: int = 1000
    """Training steps."""
    batch_size: int = 32
    """Sentence pairs per step; each is told apart from all others."""
    neighbours: int = 8
    """Pairs of a batch that stand one after the other in a text, which are harder to tell apart."""
    longest: int = 128
    """Pieces that a sentence may have; pairs with a longer one are left out."""
    warmup: float = 0.1
    """Share of the steps to warm up."""
    weight_decay: float = 0.01
    """Decoupled weight decay."""
    temperature: float = 0.05
    """What similarities are divided by."""
    self_training: float = 1.0
    """Weight of the loss of words that are probably linked."""
    guidance: float = 0.5
    """How much a statistical aligner, which counts the words of the same sentence pairs, says which words are linked;
    the vectors say the rest, from 0, the vectors alone, to 1."""
    sentences: float = 1.0
    """Weight of the loss of whole sentences, by the mean of the last layer."""
    precision: Precision = "auto"
    """"bfloat16" is mixed precision; "auto" takes it where the processor has instructions for it."""
    seed: int = 1
    """Seed of the order."""
    OWN_RATE: ClassVar[float] = 1e-4

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        super().__post_init__()
        check_seed(self)
        check_given(self, "parallel")
        check_shares(self, "warmup", "guidance")
        check_minima(self, steps=1, batch_size=2, neighbours=1, longest=1, weight_decay=0)
        check_minima(self, self_training=0, sentences=0)
        if self.temperature <= 0:
            raise UserError(f"temperature: expected more than 0, found {self.temperature}")
        if self.batch_size % self.neighbours:
            raise UserError(
                f"batch_size: expected a multiple of neighbours, {self.neighbours}, found {self.batch_size}"
            )


MOST_BITS = 24
"""16 million buckets."""


@dataclass(frozen=True)
class DetectorTrain:
    """Train a language detector on text of several languages, ours or others.

    Example: swissxmod detector train --corpora.it it.txt --corpora.lld lld.txt --languages '[it, lld]'
        --out ladin.safetensors
    """

    corpora: dict[str, Paths]
    """Text of each language; forms as in vocab train, also CoNLL files (.conll)."""
    words: dict[str, Paths] = field(default_factory=dict)
    """Word lists of languages, "word<TAB>frequency" on each line, of which random words are drawn."""
    languages: list[str] = field(default_factory=lambda: ["de", "fr", "it", "rm", "en"])
    """Those to tell apart; any other one of the corpora and words is "other"."""
    dev: dict[str, Paths] = field(default_factory=dict)
    """Text of each language to measure the detector on; forms as for corpora."""
    sentences: int = 20_000
    """Samples of each language: sentences, parts of them, or runs of random words."""
    bits: int = 17
    """The weights are those of 2**bits buckets of n-grams."""
    precision: float = 0.98
    """Share of right answers among those given on held-out text; less sure ones are "unsure"."""
    text_column: str = "text"
    """Name of the text in objects, tables and data sets."""
    seed: int = 1
    """Seed of the draw."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        check_seed(self)
        check_given(self, "corpora", "languages", "text_column")
        check_shares(self, "precision")
        check_minima(self, sentences=20, bits=8)
        if len(set(self.languages)) < len(self.languages):
            raise UserError(f"languages: expected different ones, found {', '.join(self.languages)}")
        if self.bits > MOST_BITS:
            raise UserError(f"bits: expected at most {MOST_BITS}, found {self.bits}")
