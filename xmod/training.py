"""The one training loop: ``transformers.Trainer`` with our settings, a progress line, and resuming."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.utils.data import Dataset
from tqdm.auto import tqdm
from transformers import (
    EarlyStoppingCallback,
    PreTrainedModel,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.integrations import TensorBoardCallback
from transformers.trainer_callback import PrinterCallback

from ..errors import UserError, first_line
from ..files import free_space, read_json, tells_full_disk
from ..processes import is_main, world_size
from ..settings import FinetuneAlignment, Monitor, Precision, Pretrain, TaskTraining
from . import spread
from .precision import uses_bfloat16

ExampleT = TypeVar("ExampleT")
TrainingSettings = Pretrain | TaskTraining | FinetuneAlignment
MONITOR_LOGS = "tensorboard"
"""Folder for TensorBoard in the work folder."""
MEAN = "bits"
"""What an evaluation calls the number that early stopping goes by."""
BETWEEN_LINES = 60.0
"""Seconds between the lines of progress where there is no terminal."""
LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingPlan:
    """How long and how fast to train."""

    steps: int
    batch_size: int
    """Examples of a step, in all processes together."""
    learning_rate: float
    warmup: float
    weight_decay: float
    precision: Precision
    seed: int
    title: str
    """What the progress line says."""
    micro_batch: int | None = None
    """Examples that a process computes at once; its share of a batch by default."""
    save_steps: int | None = None
    """Steps between checkpoints; none are kept by default."""
    eval_steps: int | None = None
    """Steps between evaluations; none are made by default."""
    patience: int | None = None
    """Evaluations without a better one after which to stop; then the best weights are kept."""
    gradient_checkpointing: bool = False
    """Compute each layer again in the backward pass instead of keeping what is inside of it."""
    paged: bool = False
    """Let the optimiser's state move to the processor's memory while the GPU's is short."""
    compile: bool = False
    monitor: Monitor = "none"
    tokens: float | None = None
    """Of a step, for the progress line."""

    @classmethod
    def of(cls, settings: TrainingSettings, *, steps: int, title: str, **further: Any) -> TrainingPlan:  # noqa: ANN401
        """The plan that the settings of a training step ask for; ``further`` fields are taken as they are."""
        names = ("batch_size", "learning_rate", "warmup", "weight_decay", "precision", "seed")
        return cls(**{"steps": steps, "title": title, **{name: getattr(settings, name) for name in names}} | further)


@dataclass(frozen=True)
class Trained:
    """What a training came to."""

    curve: list[dict[str, float]]
    """Learning curve: step, loss and learning rate, and what else was measured at that step."""
    steps: int
    """How many were made."""
    kept: int
    """The step whose weights the model has."""
    weights: dict[str, Tensor] | None = None
    """Gathered in the first process, where the model in memory is only a part (FSDP, DeepSpeed ZeRO-3)."""


@contextlib.contextmanager
def dropout(model: nn.Module, share: float) -> Iterator[None]:
    """All dropout of ``model`` at ``share`` inside the block, restored after."""
    layers = [module for module in model.modules() if isinstance(module, nn.Dropout)]
    before = [layer.p for layer in layers]
    for layer in layers:
        layer.p = share
    try:
        yield
    finally:
        for layer, old in zip(layers, before, strict=True):
            layer.p = old


def train(
    model: PreTrainedModel,
    dataset: Dataset[ExampleT],
    collate: Callable[[Sequence[ExampleT]], dict[str, Tensor]],
    plan: TrainingPlan,
    work: Path,
    callbacks: Sequence[TrainerCallback] = (),
    trainer: Callable[..., Trainer] = Trainer,
) -> Trained:
    """Train ``model`` in place.

    Args:
        model: its parameters with ``requires_grad`` learn.
        dataset: examples.
        collate: makes a batch of examples.
        plan: how long and how fast.
        work: folder for checkpoints; if there is one in it already, training goes on from it.
        callbacks: further ones.
        trainer: the class, or what makes one of the same arguments.

    Raises:
        UserError: for a batch that the processes cannot share, or a monitor that is not installed.
        OSError: if a checkpoint cannot be written, or another process ended; says where the next run goes on.
    """
    loop = trainer(
        model=model,
        args=_arguments(plan, work),
        train_dataset=dataset,
        data_collator=collate,
        callbacks=[ProgressLine(plan.title, plan.tokens), *_watchers(plan, work), *callbacks],
    )
    loop.remove_callback(PrinterCallback)
    if is_spread := bool(loop.is_fsdp_enabled or loop.is_deepspeed_enabled):
        spread.prepare(model)
    try:
        loop.train(resume_from_checkpoint=_last_whole_checkpoint(work))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise _explained(error, plan, work) from error
    kept = (loop.state.best_global_step if plan.patience else None) or loop.state.global_step
    weights = spread.gather(loop.accelerator, loop.model_wrapped) if is_spread else None
    return Trained(_curve(loop.state.log_history), loop.state.global_step, kept, weights)


def _arguments(plan: TrainingPlan, work: Path) -> TrainingArguments:
    at_once, rounds = _micro_batches(plan)
    cuda = torch.cuda.is_available()
    return TrainingArguments(
        output_dir=str(work),
        max_steps=plan.steps,
        per_device_train_batch_size=at_once,
        gradient_accumulation_steps=rounds,
        learning_rate=plan.learning_rate,
        **_to_save_memory(plan),
        warmup_steps=round(plan.steps * plan.warmup),
        weight_decay=plan.weight_decay,
        lr_scheduler_type="linear",
        bf16=uses_bfloat16(plan.precision),
        use_cpu=not cuda,
        torch_compile=plan.compile,
        save_strategy="steps" if plan.save_steps else "no",
        # The best weights are those of a checkpoint: with patience, one is written at every evaluation.
        save_steps=(plan.eval_steps if plan.patience else plan.save_steps) or plan.steps,
        save_total_limit=2,
        eval_strategy="steps" if plan.eval_steps else "no",
        eval_steps=plan.eval_steps,
        load_best_model_at_end=plan.patience is not None,
        metric_for_best_model=MEAN if plan.patience is not None else None,
        greater_is_better=False,
        logging_steps=max(1, plan.steps // 100),
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to="wandb" if plan.monitor == "wandb" else "none",
        seed=plan.seed,
        remove_unused_columns=False,
        dataloader_pin_memory=cuda,
        dataloader_num_workers=2 if cuda else 0,  # a GPU is faster than one processor can mask
        ddp_backend="gloo" if world_size() > 1 and not cuda else None,
        # A process may have no text of a language that another one has: its adapter then has no gradient there.
        ddp_find_unused_parameters=True,
    )


def _to_save_memory(plan: TrainingPlan) -> dict[str, Any]:
    arguments: dict[str, Any] = {"optim": "paged_adamw_32bit"} if plan.paged else {}
    if plan.gradient_checkpointing:
        # The other kind needs an input with a gradient, which frozen embeddings do not give.
        arguments |= {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": False}}
    return arguments


def _micro_batches(plan: TrainingPlan) -> tuple[int, int]:
    """Examples that a process computes at once, and how often it does for a step."""
    processes = world_size()
    at_once = plan.micro_batch or max(1, plan.batch_size // processes)
    if plan.batch_size % (at_once * processes):
        raise UserError(
            f"batch_size: {plan.batch_size} examples cannot be shared by {processes} processes with {at_once} at "
            "once; expected a multiple of the two"
        )
    return at_once, plan.batch_size // (at_once * processes)


def _watchers(plan: TrainingPlan, work: Path) -> list[TrainerCallback]:
    """What follows the training besides the progress line."""
    watchers: list[TrainerCallback] = []
    if plan.patience is not None:
        watchers.append(EarlyStoppingCallback(early_stopping_patience=plan.patience))
    if plan.monitor != "none" and importlib.util.find_spec(plan.monitor) is None:
        raise UserError(f"monitor: {plan.monitor} is not installed: pip install {plan.monitor}")
    if plan.monitor == "tensorboard" and is_main():
        from torch.utils.tensorboard import SummaryWriter

        folder = work / MONITOR_LOGS
        LOG.info("watch it with: tensorboard --logdir %s", folder)
        watchers.append(TensorBoardCallback(SummaryWriter(str(folder))))
    return watchers


def _explained(error: Exception, plan: TrainingPlan, work: Path) -> Exception:
    """What went wrong with the disk or with another process, and what to do; any other error as it is."""
    last = _last_whole_checkpoint(work)
    advice = f"the same command goes on from {Path(last).name}" if last else "start again; there is no checkpoint yet"
    text = first_line(error)
    if isinstance(error, torch.OutOfMemoryError):
        return UserError(f"the GPU has no memory left: take a smaller --micro_batch or batch_size; {advice}")
    if world_size() > 1 and ("peer" in text or "NCCL" in text or "gloo" in text):
        return ConnectionError(
            f"another process of this run ended (see what it says; killed ones say nothing); {advice}"
        )
    if tells_full_disk(error):
        return OSError(f"{work}: no room for a checkpoint ({free_space(work)}); make some, then {advice}")
    return error


def _curve(history: list[dict[str, float]]) -> list[dict[str, float]]:
    rows: dict[float, dict[str, float]] = {}
    for entry in history:
        told = {key: value for key, value in entry.items() if key.startswith(("loss", "learning_rate", "eval_"))}
        rows.setdefault(entry["step"], {"step": entry["step"]}).update(told)
    return [row for row in rows.values() if "loss" in row]


def _last_whole_checkpoint(work: Path) -> str | None:
    """The last checkpoint that was written to its end; others are removed."""
    whole = {}
    for folder in work.glob("checkpoint-*"):
        if _is_whole(folder):
            whole[int(folder.name.rpartition("-")[2])] = folder
        elif is_main():
            shutil.rmtree(folder)
    return str(whole[max(whole)]) if whole else None


def _is_whole(checkpoint: Path) -> bool:
    """The trainer's state is what it writes last."""
    try:
        read_json(checkpoint / "trainer_state.json")
    except UserError:
        return False
    return True


class ProgressLine(TrainerCallback):
    """A progress bar on a terminal, with losses, throughput and time left; elsewhere a line about once a minute."""

    def __init__(self, title: str, tokens: float | None = None) -> None:
        self.title = title
        self.tokens = tokens

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Open the bar."""
        self.told = monotonic()
        self.bar = tqdm(
            total=state.max_steps,
            initial=state.global_step,
            desc=self.title,
            unit="step",
            disable=None if is_main() else True,
            leave=False,
            dynamic_ncols=True,
        )

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Advance; the losses are also logged where the model is measured, and where a run may go on from."""
        self.bar.update(state.global_step - self.bar.n)
        control.should_log |= control.should_evaluate or control.should_save

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Show the losses and how many tokens there were; a loss that is no number ends the training."""
        if not logs or "loss" not in logs:
            return
        if not isfinite(logs["loss"]):
            raise UserError(
                f"{self.title}: the loss is {logs['loss']} at step {state.global_step}, so the weights are lost; "
                "take a smaller learning_rate"
            )
        line = self.line(logs, state.global_step)
        self.bar.set_postfix_str(line)
        if self.bar.disable and is_main() and monotonic() > self.told + BETWEEN_LINES:
            self.told = monotonic()
            tqdm.write(f"{self.title}: step {state.global_step} of {state.max_steps}, {line}", file=sys.stderr)

    def line(self, logs: dict[str, float], step: int) -> str:
        """What stands behind the bar: losses (of each language in brackets), tokens, tokens a second."""
        parts = [f"loss {logs['loss']:.2f}"]
        if each := [f"{key[5:]} {value:.2f}" for key, value in logs.items() if key.startswith("loss_")]:
            parts.append(f"({', '.join(each)})")
        if self.tokens:
            parts.append(f"{tqdm.format_sizeof(step * self.tokens)} tokens")
            if rate := self.bar.format_dict["rate"]:
                parts.append(f"{rate * self.tokens:,.0f} tokens/s")
        return " ".join(parts)

    def on_train_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Close the bar."""
        self.bar.close()
