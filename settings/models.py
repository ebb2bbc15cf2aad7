"""Settings of what makes, describes and changes models and their language adapters."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import UserError
from ..texts import Paths
from .shared import check_given, check_minima, check_seed


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
        check_seed(self)
        check_given(self, "languages")
        check_minima(
            self, hidden_size=1, layers=1, heads=1, intermediate_size=1, max_tokens=4, adapter_reduction_factor=1
        )
        if self.hidden_size % self.heads:
            raise UserError(f"hidden_size ({self.hidden_size}) must be a multiple of heads ({self.heads})")
        if self.adapter_reduction_factor > self.hidden_size:
            raise UserError(
                f"adapter_reduction_factor: expected at most hidden_size, {self.hidden_size}, found "
                f"{self.adapter_reduction_factor}"
            )


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
        check_given(self, "results")


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
        check_seed(self)
        check_given(self, "languages")
        check_minima(self, adapter_reduction_factor=1)
        if self.layers is not None and (not self.layers or self.layers != sorted(set(self.layers))):
            raise UserError(f"layers: expected different numbers in rising order, found {self.layers}")


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
