"""The one training loop: ``transformers.Trainer`` with our settings, a progress line, and resuming."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from tqdm.auto import tqdm
from transformers import (
    PreTrainedModel,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_utils import get_last_checkpoint

from ..settings import FinetuneNer, Precision, Pretrain

Example = dict[str, Tensor]


@dataclass(frozen=True)
class TrainingPlan:
    """How long and how fast to train."""

    steps: int
    batch_size: int
    learning_rate: float
    warmup: float
    weight_decay: float
    precision: Precision
    seed: int
    title: str
    """What the progress line says."""
    save_steps: int | None = None
    """Steps between checkpoints; none are kept by default."""

    @classmethod
    def of(
        cls, settings: Pretrain | FinetuneNer, *, steps: int, title: str, save_steps: int | None = None
    ) -> TrainingPlan:
        """The plan that the settings of a training step ask for."""
        return cls(
            steps=steps,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            warmup=settings.warmup,
            weight_decay=settings.weight_decay,
            precision=settings.precision,
            seed=settings.seed,
            title=title,
            save_steps=save_steps,
        )


def uses_bfloat16(precision: Precision) -> bool:
    """Whether ``precision`` means bfloat16 here: "auto" does where the device computes with it natively."""
    if precision != "auto":
        return precision == "bfloat16"
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # torch before 2.10 does not tell; float32 is always right.
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))


def precision_name(precision: Precision) -> str:
    """What ``precision`` means here, for the record."""
    return "bfloat16" if uses_bfloat16(precision) else "float32"


def autocast(precision: Precision) -> torch.autocast:
    """A context that computes as :func:`uses_bfloat16` says."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.autocast(device, torch.bfloat16, enabled=uses_bfloat16(precision))


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
    dataset: Dataset[Example],
    collate: Callable[[Sequence[Example]], dict[str, Tensor]],
    plan: TrainingPlan,
    work: Path,
    callbacks: Sequence[TrainerCallback] = (),
) -> list[dict[str, float]]:
    """Train ``model`` in place.

    Args:
        model: its parameters with ``requires_grad`` learn.
        dataset: examples.
        collate: makes a batch of examples.
        plan: how long and how fast.
        work: folder for checkpoints; if there is one in it already, training goes on from it.
        callbacks: further ones.

    Returns:
        the learning curve: step, loss and learning rate.
    """
    arguments = TrainingArguments(
        output_dir=str(work),
        max_steps=plan.steps,
        per_device_train_batch_size=plan.batch_size,
        learning_rate=plan.learning_rate,
        warmup_steps=round(plan.steps * plan.warmup),
        weight_decay=plan.weight_decay,
        lr_scheduler_type="linear",
        bf16=uses_bfloat16(plan.precision),
        use_cpu=not torch.cuda.is_available(),
        save_strategy="steps" if plan.save_steps else "no",
        save_steps=plan.save_steps or plan.steps,
        save_total_limit=2,
        logging_steps=max(1, plan.steps // 100),
        disable_tqdm=True,
        report_to="none",
        seed=plan.seed,
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=dataset,
        data_collator=collate,
        callbacks=[ProgressLine(plan.title), *callbacks],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=_last_whole_checkpoint(work))
    return [
        {"step": entry["step"], "loss": entry["loss"], "learning_rate": entry["learning_rate"]}
        for entry in trainer.state.log_history
        if "loss" in entry
    ]


def _last_whole_checkpoint(work: Path) -> str | None:
    """The last checkpoint that was written to its end; the trainer's state is what it writes last."""
    for folder in work.glob("checkpoint-*"):
        if not (folder / "trainer_state.json").is_file():
            shutil.rmtree(folder)
    return get_last_checkpoint(str(work)) if work.is_dir() else None


class ProgressLine(TrainerCallback):
    """A progress bar on a terminal, with loss, throughput and time left; silent elsewhere."""

    def __init__(self, title: str) -> None:
        self.title = title

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Open the bar."""
        self.bar = tqdm(
            total=state.max_steps, initial=state.global_step, desc=self.title, unit="step", disable=None, leave=False
        )

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Advance."""
        self.bar.update(state.global_step - self.bar.n)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Show the loss."""
        if logs and "loss" in logs:
            self.bar.set_postfix(loss=f"{float(logs['loss']):.3f}")

    def on_train_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Close the bar."""
        self.bar.close()
