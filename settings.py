"""The settings of every step: one frozen dataclass per verb, for the command line, recipes and Python alike.

Nothing heavy is imported here, so that ``swissxmod --help`` answers at once. Corpora are one path or a list.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from .errors import UserError
from .texts import Paths

_MINI = Path(__file__).parent / "mini"
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
LARGEST_BEAD = 16
"""Sentences that may be aligned together: every one more is another encoding of the whole text."""
LAST_PORT = 65_535
Normalisation = Literal["nfc", "nfkc"]
Rule = Literal["mean", "focus", "random"]
Packing = Literal["full", "sentences", "documents"]
Monitor = Literal["none", "tensorboard", "wandb"]
Peft = Literal["lora", "dora", "ia3", "prefix", "prompt"]
Bits = Literal[4, 8]
Layer = int | Literal["mean"]
LinkMethod = Literal["argmax", "itermax", "match", "softmax", "agreement"]
DocumentFormat = Literal["tsv", "tmx", "jsonl"]
VectorFormat = Literal["jsonl", "npy"]
ReportFormat = Literal["html", "markdown", "csv"]
LinkFormat = Literal["pharaoh", "jsonl", "html"]
SentenceScore = Literal["cosine", "margin", "bertscore"]
NerFormat = Literal["jsonl", "conll", "terminal"]
TagScheme = Literal["auto", "iob1", "iob2", "bioes", "lenient"]


def _at_least(settings: object, **minima: float) -> None:
    """Refuse numbers below their minimum; one that was not given (None) is none."""
    for name, minimum in minima.items():
        value = getattr(settings, name)
        if value is not None and value < minimum:
            raise UserError(f"{name}: expected at least {minimum}, found {value}")


def _seed(settings: object) -> None:
    if not 0 <= (seed := settings.seed) < 2**32:  # type: ignore[attr-defined]
        raise UserError(f"seed: expected 0 to {2**32 - 1}, found {seed}")


def _share(settings: object, *names: str) -> None:
    for name in names:
        value = getattr(settings, name)
        if value is not None and not 0 <= value <= 1:
            raise UserError(f"{name}: expected a number between 0 and 1, found {value}")


def _some(settings: object, *names: str) -> None:
    for name in names:
        if not getattr(settings, name):
            raise UserError(f"{name}: expected at least one, found none")


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
        _seed(self)
        _some(self, "corpora", "text_column")
        _share(self, "alpha", "min_share", "character_coverage")
        _at_least(self, size=100, characters=1000)


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
        _some(self, "corpora", "text_column")
        _at_least(self, characters=1, longest=1)
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
        _seed(self)
        _at_least(self, characters=1)
        if (self.rule == "focus") != bool(self.corpora):
            raise UserError(f"corpora: the rule focus needs text and no other does; found rule {self.rule}")


@dataclass(frozen=True)
class ModelInit:
    """Make a model with random weights for a tokenizer.

    Example: swissxmod model init --vocab vocab --languages '[de_CH, rm_CH]' --hidden_size 128 --out model
    """

    vocab: str
    """Tokenizer folder."""
    languages: list[str]
    """Names of the adapters, such as [de_CH, fr_CH, it_CH, rm_CH]."""
    hidden_size: int = 384
    """Width of the states."""
    layers: int = 12
    """Number of layers."""
    heads: int = 12
    """Attention heads."""
    intermediate_size: int = 1536
    """Width of the feed-forward."""
    max_tokens: int = 512
    """Longest sequence, in pieces."""
    adapter_reduction_factor: int = 2
    """How much narrower an adapter is than the states."""
    seed: int = 1
    """Seed of the weights."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        _seed(self)
        _some(self, "languages")
        _at_least(self, hidden_size=1, layers=1, heads=1, intermediate_size=1, max_tokens=4, adapter_reduction_factor=1)
        if self.hidden_size % self.heads:
            raise UserError(f"hidden_size ({self.hidden_size}) must be a multiple of heads ({self.heads})")


@dataclass(frozen=True)
class ModelInfo:
    """Say what a model is made of: languages, sizes, parameters of each part, vocabulary, and where it comes from.

    Example: swissxmod model info --model adapted
    """

    model: str
    """Model folder or hub name."""


@dataclass(frozen=True)
class ModelCompress:
    """Write a model in a quarter of the space, its matrices as 8-bit integers; it computes in float32 as ever.

    Of what was learned beside a model (--peft) the numbers are written in float16.

    Example: swissxmod model compress --model ner --out ner-int8
    """

    model: str
    """Model folder or hub name."""


@dataclass(frozen=True)
class ModelCard:
    """Write the card of a model folder with its scores, as the hub shows it.

    Example: swissxmod model card --model ner --results scores/results.jsonl --out ner/README.md
    """

    model: str
    """Model folder."""
    results: Paths
    """Files of result records; those of other models are left out."""
    name: str = ""
    """Name of the model, such as that of its repository; by default the folder's."""
    license: str = ""
    """Licence, as the hub names it, such as cc-by-nc-sa-4.0."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        _some(self, "results")


@dataclass(frozen=True)
class ModelMerge:
    """Make an ordinary model folder of one that was fine-tuned with --peft lora, dora or ia3 and of its base.

    Example: swissxmod model merge --model ner-lora --out ner
    """

    model: str
    """Folder that finetune wrote with --peft."""


@dataclass(frozen=True)
class ModelModularise:
    """Make an X-MOD model with your languages of a BERT, RoBERTa, XLM-R or X-MOD checkpoint, its function unchanged.

    Example: swissxmod model modularise --source FacebookAI/xlm-roberta-base --languages '[de_CH, rm_CH]' --out trunk
    """

    source: str
    """Checkpoint folder or hub name."""
    languages: list[str]
    """Names of the adapters, such as [de_CH, fr_CH, it_CH, rm_CH]."""
    start: dict[str, Paths] = field(default_factory=dict)
    """For X-MOD checkpoints: the adapter that a language starts from, or several to average, such as
    --start.rm_CH '[fr_XX, it_IT]'; by default the one of the same language."""
    tokenizer: str | None = None
    """Folder or hub name of the tokenizer, where it is not with the checkpoint."""
    layers: list[int] | None = None
    """Numbers of the layers to keep, counted from 0, for a smaller model; by default all. The model then computes what
    the checkpoint would without the others, and needs pretraining (--plan full) before it is good for anything."""
    adapter_reduction_factor: int = 2
    """How much narrower an adapter is than the states; X-MOD checkpoints keep their own."""
    seed: int = 1
    """Seed of the adapters' first projections; the second ones are zero."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        _seed(self)
        _some(self, "languages")
        _at_least(self, adapter_reduction_factor=1)
        if self.layers is not None and (not self.layers or self.layers != sorted(set(self.layers))):
            raise UserError(f"layers: expected different numbers in rising order, found {self.layers}")


@dataclass(frozen=True)
class Pretrain:
    """Pretrain by masked language modelling.

    Example: swissxmod pretrain --model start --corpora.rm rm.jsonl.gz --steps 300 --out adapted
    """

    model: str
    """Model folder."""
    corpora: dict[str, Paths]
    """Text of each language to train on."""
    dev: dict[str, Paths] = field(default_factory=dict)
    """Text of each language to measure on, before and after."""
    parallel: dict[str, Paths] = field(default_factory=dict)
    """Sentence pairs for translation language modelling, under the names of their two languages in the order of the
    columns, such as --parallel.de-rm pairs.tsv.gz: tab-separated, further columns are not read."""
    parallel_share: float = 0.2
    """Share of the blocks that are sentence pairs, where there are any."""
    plan: Literal["swissbert", "adapters", "full", "relora"] = "swissbert"
    """What learns: "swissbert" freezes the trunk (adapters, embeddings and head learn), "adapters" freezes all but the
    adapters of the languages in corpora, "full" trains everything, "relora" everything, but the matrices of the trunk
    through low-rank updates that are merged and begun again."""
    add_language: str | None = None
    """Name of one more language to give the model first, such as rm-sursilv; its adapter is also written to the folder
    adapter in the result."""
    start: Paths = field(default_factory=list)
    """The adapter that the added language starts from, or several to average; by default the one of the language."""
    steps: int | None = None
    """Optimiser steps; 1000 if neither tokens nor epochs are given."""
    tokens: int | None = None
    """Pieces to train on, instead of steps."""
    epochs: float | None = None
    """How often to read as many blocks as all the text makes, instead of steps; smoothing decides which languages are
    read more often than that, and which less."""
    batch_size: int = 32
    """Blocks per step, in all processes together."""
    micro_batch: int | None = None
    """Blocks that a process computes at once, where memory is short; its share of the batch by default."""
    gradient_checkpointing: bool = False
    """Compute each layer twice instead of keeping what is inside of it, where memory is short."""
    block_size: int = 128
    """Pieces per block, special ones included."""
    learning_rate: float = 5e-4
    """Peak learning rate; it rises over the warm-up and falls to zero linearly."""
    warmup: float = 0.1
    """Share of the steps to warm up."""
    weight_decay: float = 0.01
    """Decoupled weight decay."""
    dropout: float = 0.0
    """Dropout while training; off by default, as a short run sees no text twice. The saved model keeps its own."""
    mask_probability: float = 0.15
    """Share of the pieces to predict; of these 80% are masked, 10% replaced, 10% kept."""
    whole_words: bool = False
    """Choose words to predict, all their pieces or none; otherwise pieces. Dev losses are always of pieces."""
    alpha: float = 0.3
    """Exponent of language smoothing."""
    packing: Packing = "full"
    """"full" blocks are all of one length and cut the text where they end, "sentences" holds as many whole lines or
    documents as fit, "documents" a part of a single one."""
    near_duplicates: float | None = None
    """Leave out documents of which this share, such as 0.8, was in an earlier one (Jaccard index of five-word runs, as
    MinHash estimates it)."""
    drop_other_languages: bool = False
    """Leave out documents of the corpora that are surely in another language than their own, as the detector tells that
    comes with the package; how many is told. Not for a language that it does not know."""
    text_column: str = "text"
    """Name of the text in objects, tables and data sets."""
    relora_rank: int = 64
    """Rank of the updates of the plan relora."""
    relora_rounds: int = 4
    """How many updates the plan relora merges, one after the other; the learning rate warms up for each."""
    dev_blocks: int = 32
    """Blocks of each language to measure on."""
    eval_steps: int | None = None
    """Steps between measurements on dev; by default there are two, before and after."""
    patience: int | None = None
    """Stop after so many measurements without a lower mean of the languages, and keep the best weights."""
    precision: Precision = "auto"
    """"bfloat16" is mixed precision; "auto" takes it where the processor has instructions for it."""
    save_steps: int = 100
    """Steps between checkpoints, from which an interrupted run goes on; with patience, the measurements are those."""
    compile: bool = False
    """Compile the model (torch.compile)."""
    monitor: Monitor = "none"
    """Where else to log while training: tensorboard, which also leaves its files in the result, or wandb."""
    seed: int = 1
    """Seed of sampling, masking and dropout."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        _seed(self)
        _some(self, "corpora", "text_column")
        self._check_budget()
        if self.start and not self.add_language:
            raise UserError("start: it is for --add_language, which was not given")
        _share(self, "alpha", "warmup", "mask_probability", "dropout", "parallel_share", "near_duplicates")
        _at_least(
            self, steps=1, tokens=1, epochs=0, batch_size=1, micro_batch=1, block_size=8, relora_rank=1, relora_rounds=1
        )
        _at_least(self, dev_blocks=1, eval_steps=1, patience=1, save_steps=1, learning_rate=0, weight_decay=0)

    def _check_budget(self) -> None:
        given = [name for name in ("steps", "tokens", "epochs") if getattr(self, name) is not None]
        if len(given) > 1:
            raise UserError(f"{' and '.join(given)}: give one of steps, tokens and epochs")
        if self.parallel and self.parallel_share == 1:
            raise UserError("parallel_share: expected less than 1, some blocks are of the corpora")
        if self.eval_steps and not self.dev:
            raise UserError("eval_steps: there is nothing to measure on; give --dev")
        if self.patience and not self.eval_steps:
            raise UserError("patience: it counts measurements; give --eval_steps")


@dataclass(frozen=True)
class AdapterList:
    """Say which languages a model has, and where the adapter of each came from.

    Example: swissxmod adapter list --model adapted
    """

    model: str
    """Model folder or hub name."""


@dataclass(frozen=True)
class AdapterPush:
    """Put a folder of adapter export, or of finetune with --peft, on the hub.

    Example: swissxmod adapter push --adapter rm-adapter --repo OWNER/NAME
    """

    adapter: str
    """Folder of adapter export, or of finetune with --peft."""
    repo: str
    """Name on the hub, OWNER/NAME; it is made if there is none. You must be logged in (hf auth login)."""
    private: bool = False
    """Whether a new one is private."""


@dataclass(frozen=True)
class AdapterPull:
    """Take a folder of adapter push from the hub.

    Example: swissxmod adapter pull --repo OWNER/NAME --out rm-adapter
    """

    repo: str
    """Name on the hub, OWNER/NAME."""
    revision: str | None = None
    """Commit, branch or tag; by default the main branch."""


@dataclass(frozen=True)
class AdapterExport:
    """Write the adapter of one language as a folder of its own, a few megabytes to share.

    Example: swissxmod adapter export --model adapted --language rm --out rm-adapter
    """

    model: str
    """Model folder or hub name."""
    language: str
    """Which of its languages."""


@dataclass(frozen=True)
class AdapterImport:
    """Give a model one more language from an adapter folder; nothing else in it changes.

    Example: swissxmod adapter import --model ner --adapter rm-sursilv-adapter --out ner-with-sursilv
    """

    model: str
    """Model folder or hub name; the adapter must have been trained in it, or in what it was fine-tuned from."""
    adapter: str
    """Adapter folder."""
    language: str | None = None
    """Name that the language shall have; by default the adapter's own."""


@dataclass(frozen=True, kw_only=True)
class TagReading:
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


@dataclass(frozen=True, kw_only=True)
class Quantised:
    """How many bits the matrices of the trunk take in memory."""

    load_in_4bit: bool = False
    """Hold the matrices of the trunk in 4 bits (NF4, its constants quantised too); the rest stays as it is. Needs the
    extra "quantised"."""
    load_in_8bit: bool = False
    """Hold the matrices of the trunk in 8 bits; the rest stays as it is. Needs the extra "quantised"."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        if self.load_in_4bit and self.load_in_8bit:
            raise UserError("load_in_4bit and load_in_8bit: give one of the two")

    @property
    def bits(self) -> Bits | None:
        """Of the trunk's matrices; None where they stay in 32."""
        return 4 if self.load_in_4bit else 8 if self.load_in_8bit else None


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """In which precision vectors are computed."""

    precision: Precision = "auto"
    """"bfloat16" is about twice as fast where the processor has instructions for it, and changes an answer in a
    thousand; "auto" takes it there for a compressed model, such as swissxmod-mini, and else float32."""


@dataclass(frozen=True, kw_only=True)
class Beside:
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
        _at_least(self, rank=1, alpha=1, virtual_tokens=1, learning_rate=0)


@dataclass(frozen=True, kw_only=True)
class TaskTraining(Quantised, Beside):
    """How a model is fine-tuned for a task. The defaults are SwissBERT's, but for what a task says itself."""

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
    freeze: bool = True
    """Freeze embeddings and language adapters, so that the task works with any language's adapter."""
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
        Beside.__post_init__(self)
        _seed(self)
        _some(self, "train")
        _share(self, "warmup", "dropout")
        _at_least(self, sentences=1, dev_sentences=1, epochs=1, batch_size=1, micro_batch=1, seeds=1)
        _at_least(self, weight_decay=0)
        self._check_peft()

    def _check_peft(self) -> None:
        if self.peft and not self.freeze:
            raise UserError("freeze: with --peft the model's own weights never learn; leave out --freeze false")
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

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        super().__post_init__()
        _at_least(self, context=1)


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
        _at_least(self, longest=8)


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
    on the way; the layer and the method that link them best at the end go into the config of the result."""
    layer: int = 8
    """Layer whose words learn to match; without dev, the one that the config names."""
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
        _seed(self)
        _some(self, "parallel")
        _share(self, "warmup", "guidance")
        _at_least(self, steps=1, batch_size=2, neighbours=1, longest=1, weight_decay=0)
        _at_least(self, self_training=0, sentences=0)
        if self.temperature <= 0:
            raise UserError(f"temperature: expected more than 0, found {self.temperature}")
        if self.batch_size % self.neighbours:
            raise UserError(
                f"batch_size: expected a multiple of neighbours, {self.neighbours}, found {self.batch_size}"
            )


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
        _seed(self)
        _some(self, "corpora", "languages", "text_column")
        _share(self, "precision")
        _at_least(self, sentences=20, bits=8)


@dataclass(frozen=True)
class EvalDetector:
    """Measure a language detector on text of known languages, sentences of five words and more, and shorter ones.

    Example: swissxmod eval detector --data.de de.jsonl --data.rm rm.jsonl --out scores.json
    """

    data: dict[str, Paths]
    """Text of each language, which is split into sentences; forms as for detector train, "other" for all further."""
    detector: str | None = None
    """File that detector train wrote; by default the detector that comes with the package."""
    text_column: str = "text"
    """Name of the text in objects, tables and data sets."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        _some(self, "data", "text_column")


@dataclass(frozen=True, kw_only=True)
class TextReading:
    """Which texts are read."""

    text: str = "-"
    """File with a text on each line, or .jsonl with an object on each, also compressed; "-" is standard input."""
    text_column: str = "text"
    """Name of the text in objects."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        _some(self, "text", "text_column")


@dataclass(frozen=True, kw_only=True)
class SpokenTextReading(TextReading):
    """Which texts are read, and in which language."""

    language: str | None = None
    """Language of the texts; an object may say its own as "language". Detected where neither is given."""


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
        _at_least(self, top=1)


@dataclass(frozen=True, kw_only=True)
class Embed(SpokenTextReading, Encoding):
    """Write a vector for each text of a file: the mean over its pieces.

    Example: swissxmod embed --model aligner --text sentences.txt --language rm --format npy --out vectors.npy
    """

    model: str = MINI_ALIGNER
    """Model folder or hub name; by default swissxmod-mini, which comes with the package."""
    layer: int = -1
    """Whose states: 0 are the embeddings, -1 the last layer."""
    special: bool = True
    """Whether <s> and </s> count in the mean, as in align sentences."""
    format: VectorFormat = "jsonl"
    """"jsonl" keeps what an object had and adds "vector", "npy" is an array of numpy, a row for each text."""


@dataclass(frozen=True, kw_only=True)
class PredictNer(SpokenTextReading, Quantised):
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
    precision: Precision = "auto"
    """"bfloat16" is up to twice as fast where the processor has instructions for it, and changes a name here and there;
    "auto" takes it there for a compressed model, such as swissxmod-mini, and else float32. Not beside load_in_4bit or
    load_in_8bit, which say it themselves."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        super().__post_init__()
        Quantised.__post_init__(self)
        if self.bits and self.precision != "auto":
            raise UserError(f"precision: nothing to choose beside load_in_{self.bits}bit; leave one of them out")


@dataclass(frozen=True)
class PredictStance(Quantised):
    """Tell the stance of each comment of a file, with the probabilities of all labels.

    Example: swissxmod predict stance --model stance --text comments.jsonl --language fr --out stances.jsonl
    """

    model: str
    """Folder of a fine-tuned model, or a hub name."""
    text: str
    """JSONL file, also compressed: objects with "question" and "comment"."""
    language: str | None = None
    """Language of the comments; an object may say its own as "language". By default it is detected by the comment."""


@dataclass(frozen=True, kw_only=True)
class Measuring:
    """What a measurement is called, and what reads the text."""

    read_as: dict[str, str] = field(default_factory=dict)
    """For a language the adapter that reads it in the place of its own, such as --read_as.rm de: what would be without
    a Romansh adapter?"""
    system: str = "model"
    """Name of the model in the results."""
    split: str = "dev"
    """Name of the split in the results."""
    licence: str = ""
    """Licence of the data, for the results."""
    revision: str = ""
    """Which version of the data it is, for the results."""
    seed: int = 1
    """Seed of the bootstrap."""


@dataclass(frozen=True)
class EvalStance(Measuring, Quantised):
    """Measure stance detection in several languages, each with its own adapter: macro F1 beside two baselines.

    Example: swissxmod eval stance --model stance --data.de de.jsonl --data.it it.jsonl --out stance-scores
    """

    model: str
    """Folder of a fine-tuned model, or of several that finetune stance trained with different seeds."""
    data: dict[str, str]
    """Comments of each language to test; forms as in finetune stance."""
    baseline_train: dict[str, str] = field(default_factory=dict)
    """Training data of each language for two baselines, the most frequent label, and TF-IDF with logistic regression
    (for which the extra "baselines" is needed); none by default. With it, x-stance's settings are told apart also where
    the data has topics instead of them, as on the hub."""
    baselines: bool = True
    """Whether to measure the baselines; else their training data only tells the settings apart."""
    dataset: str = "stance"
    """Name of the data in the results."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        super().__post_init__()
        _seed(self)
        _some(self, "data")


@dataclass(frozen=True)
class EvalNer(TagReading, Measuring, Quantised):
    """Measure a tagger in several languages, each with its own adapter.

    Example: swissxmod eval ner --model ner --data.de de.conll --data.rm rm.conll --out ner-scores
    """

    model: str
    """Folder of a fine-tuned tagger, or of several that finetune ner trained with different seeds."""
    data: dict[str, str]
    """Data of each language to test; forms as in finetune ner."""
    other_adapters: dict[str, list[str]] = field(default_factory=dict)
    """For a language the adapters to try in the place of its own, such as --other_adapters.rm '[de, it]'; each is
    compared with its own on the same documents."""
    only: list[str] = field(default_factory=list)
    """Types to score, such as '[PER, LOC]'; names of others count neither as found nor as missed. All by default."""
    skip_lower_case: list[str] = field(default_factory=list)
    """Types of which names in lower case count neither as found nor as missed; guidelines differ on "svizzer"."""
    dataset: str = "ner"
    """Name of the data in the results."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        super().__post_init__()
        _seed(self)
        _some(self, "data")
        _at_least(self, context=1)


@dataclass(frozen=True, kw_only=True)
class TwoLanguages:
    """The languages of a text and of its translation."""

    source_language: str = "de"
    """Language of the source side."""
    target_language: str = "rm"
    """Language of the target side."""

    @property
    def languages(self) -> tuple[str, str]:
        """Of both sides."""
        return self.source_language, self.target_language


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
    guidance: float = 0.0
    """How much a statistical aligner, which counts the words of all sentence pairs, says beside the vectors (softmax,
    agreement), from 0 to 1, such as 0.5; it is worth much where there are many pairs."""
    counts: Paths = field(default_factory=list)
    """Further sentence pairs to count, tab-separated, such as those that the model was tuned on."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        _share(self, "guidance")
        if self.counts and not self.guidance:
            raise UserError("counts: expected a guidance above 0, such as 0.5, to count these sentence pairs for")
        if self.threshold is not None and not 0 <= self.threshold < 1:
            raise UserError(f"threshold: expected 0 or more and less than 1, found {self.threshold}")


@dataclass(frozen=True)
class EvalAlignment(WordLinking, Measuring):
    """Measure word alignment against gold links: AER of one layer or the mean of all, and of each layer.

    Example: swissxmod eval alignment --model adapted --source dev.de --target dev.rm --gold dev.align
        --source_language de --target_language rm --out scores
    """

    model: str
    """Model folder."""
    source: str
    """Tokens of the source sentences, parted by blanks, one sentence a line."""
    target: str
    """Tokens of the target sentences."""
    gold: str
    """Gold links, Pharaoh format, 0-based: "0-0 1-2" (sure), "1p3" (possible)."""
    dataset: str = "alignment"
    """Name of the data in the results."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        super().__post_init__()
        _seed(self)


@dataclass(frozen=True)
class EvalSentences(TwoLanguages, Measuring):
    """Measure sentence retrieval: how often the most similar vector on the other side is that of the translation.

    Example: swissxmod eval sentences --model adapted --source dev.de --target dev.rm
        --source_language de --target_language rm --out scores
    """

    model: str
    """Model folder."""
    source: str
    """Source sentences, one a line."""
    target: str
    """Target sentences, each the translation of the same line."""
    score: SentenceScore = "cosine"
    """How sentences are compared: "cosine" of their mean vectors, "margin" (LASER), "bertscore" piece by piece."""
    dataset: str = "sentences"
    """Name of the data in the results."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        _seed(self)


@dataclass(frozen=True)
class EvalFill(Measuring):
    """Measure how well a model predicts masked words: bits per character, which models of any vocabulary share.

    Example: swissxmod eval fill --model adapted --data.de dev-de.jsonl --data.rm dev-rm.jsonl --out fill-scores
    """

    model: str
    """Folder of a model with its masked-language-modelling head, or a hub name."""
    data: dict[str, str]
    """Texts of each language; forms as in pretrain."""
    text_column: str = "text"
    """Name of the text in objects, tables and data sets."""
    documents: int | None = 300
    """How many to take of each language (a seeded sample)."""
    share: float = 0.15
    """Of the words of each text that are masked."""
    dataset: str = "text"
    """Name of the data in the results."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        _seed(self)
        _some(self, "data")
        _at_least(self, documents=1)
        if not 0 < self.share <= 1:
            raise UserError(f"share: expected more than 0 and at most 1, found {self.share}")


@dataclass(frozen=True)
class EvalCompare:
    """Compare the systems that were measured on the same items, pair by pair: difference, 95% interval, p-values.

    Example: swissxmod eval compare --results '[a-scores, b-scores]' --out comparison
    """

    results: Paths
    """Folders that eval wrote, or their results.jsonl; counts.jsonl is beside it."""
    resamples: int = 10_000
    """How often the items are drawn again; the smallest p-value that can be is about one by this."""
    seed: int = 1
    """Seed of the resampling."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        _seed(self)
        _some(self, "results")
        _at_least(self, resamples=100)


@dataclass(frozen=True)
class EvalSuite:
    """Measure several models on all data of a suite, compare them, and write one report; finished cells are kept.

    Example: swissxmod eval suite --suite local --set data=DATA --model a=adapted --model b=trunk --seeds 3
        --adapter rm=de --out DIR
    """

    suite: str
    """Name of a bundled suite (local, mini, swissbert), or the path of one."""
    model: list[str]
    """Folders or hub names, "label=path" to call one something else; plain BERT, RoBERTa and XLM-R checkpoints become
    modular first, their function unchanged."""
    adapter: list[str] = field(default_factory=list)
    """"rm=de" also measures each model with the German adapter reading Romansh."""
    seeds: int = 1
    """Taggers and stance detectors to train of each kind, with the suite's seed and those after it."""
    only: list[str] = field(default_factory=list)
    """Experiments of the suite to run; all by default."""
    set: list[str] = field(default_factory=list)
    """"name=value" replaces a value of the suite, such as data=DIR or names.finetune.epochs=1."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        _some(self, "model")
        _at_least(self, seeds=1)


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
    """How sentences are compared: "cosine" of their mean vectors, "margin" (LASER), "bertscore" piece by piece."""
    mutual: bool = True
    """Only pairs of which each is the other's best; else the best target of every source."""
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
        _at_least(self, largest=2, skip=0)
        if self.largest > LARGEST_BEAD:
            raise UserError(f"largest: expected at most {LARGEST_BEAD}, found {self.largest}")


@dataclass(frozen=True)
class App:
    """Show names in a text and word links of two on a page of this computer, until Ctrl-C.

    Example: swissxmod app --model ner --aligner aligner
    """

    model: str = MINI_NER
    """Folder of a fine-tuned tagger, or a hub name; by default swissxmod-mini, which comes with the package."""
    aligner: str | None = None
    """Folder or hub name of the encoder that links words; by default swissxmod-mini's, with another tagger its own."""
    port: int = 0
    """Port of 127.0.0.1, which no other computer reaches; 0 is any that is free."""
    limit: int = 20_000
    """Most characters to read at once, of two texts together."""
    open_browser: bool = False
    """Whether to open the page in the browser."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        _at_least(self, port=0, limit=1)
        if self.port > LAST_PORT:
            raise UserError(f"port: expected at most {LAST_PORT}, found {self.port}")


@dataclass(frozen=True)
class Report:
    """Write the report of results, as a page, Markdown or CSV.

    Example: swissxmod report --results out/results.jsonl --out report.html
    """

    results: Paths
    """Files of result records (JSON Lines)."""
    title: str = "swissxmod report"
    """Heading of the page."""
    notes: list[str] = field(default_factory=list)
    """Sentences to print under the heading, such as the limits of the data."""
    curves: dict[str, str] = field(default_factory=dict)
    """Learning curves to draw: a name and a model folder or training.json each."""
    examples: list[str] = field(default_factory=list)
    """Files of sentences that a tagger got wrong (examples.jsonl of eval ner), to show some of them."""
    links: dict[str, str] = field(default_factory=dict)
    """Word links to draw: a name and a file of align words --format jsonl each."""
    comparisons: list[str] = field(default_factory=list)
    """Files of systems that were compared (comparison.jsonl of eval compare), to show all of them."""
    command: str = ""
    """The command that makes these results again."""
    format: ReportFormat = "html"
    """"html" is a page that needs nothing else, "markdown" its scores and words, "csv" a line for each record."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        _some(self, "results")
