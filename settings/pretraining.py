"""Settings of pretraining."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ..errors import UserError
from ..texts import Paths
from .shared import Precision, check_given, check_minima, check_seed, check_shares, check_unused

Packing = Literal["full", "sentences", "documents"]
Monitor = Literal["none", "tensorboard", "wandb"]


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
        check_seed(self)
        check_given(self, "corpora", "text_column")
        self._check_budget()
        if self.start and not self.add_language:
            raise UserError("start: it is for --add_language, which was not given")
        if self.plan != "relora":
            check_unused(self, "--plan relora", "relora_rank", "relora_rounds")
        check_shares(self, "alpha", "warmup", "mask_probability", "dropout", "parallel_share", "near_duplicates")
        check_minima(
            self, steps=1, tokens=1, epochs=0, batch_size=1, micro_batch=1, block_size=8, relora_rank=1, relora_rounds=1
        )
        check_minima(self, dev_blocks=1, eval_steps=1, patience=1, save_steps=1, learning_rate=0, weight_decay=0)

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
