"""What masked language modelling needs of the trainer beyond ``transformers``' own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from torch.utils.data import Dataset, SequentialSampler
from transformers import Trainer, TrainerControl

from ..inputs import IGNORED
from ..training import MEAN


class PretrainingTrainer(Trainer):
    """Blocks in their own order, a loss for each language, measurements in bits per character, restarts."""

    def __init__(
        self,
        *args: Any,  # noqa: ANN401
        languages: Sequence[str],
        measure: Callable[[nn.Module, Any], Mapping[str, float]],
        restart_factor: Callable[[int], float] | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Make one.

        Args:
            args: of the parent, as the following.
            languages: names of the adapters, in their order.
            measure: bits per character of each language, of the model and ``eval_dataset``.
            restart_factor: what the learning rate after a step is multiplied with.
            kwargs: of the parent.
        """
        super().__init__(*args, **kwargs)
        self.model_accepts_loss_kwargs = True  # compute_loss wants to know the labels of the whole step
        self.languages = languages
        self.measure = measure
        self.restart_factor = restart_factor
        self.sums = torch.zeros(2, len(languages), device=self.args.device)
        """Of each language since the last log: losses, and labels."""

    def _get_train_sampler(self, train_dataset: Dataset[Any] | None = None) -> SequentialSampler:
        """The blocks are shuffled already, and alike for any number of processes."""
        return SequentialSampler(self.train_dataset)

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """The mean over all labels of a step, in however many parts and processes it is computed."""
        losses = model(**inputs, logits_at="labels", reduction="none").loss
        labels, lang_ids = inputs["labels"], inputs["lang_ids"]
        if lang_ids.dim() == 1:
            lang_ids = lang_ids[:, None].expand_as(labels)
        labelled = lang_ids[labels != IGNORED]
        self.sums.index_add_(1, labelled, torch.stack([losses.detach().float(), torch.ones_like(losses).float()]))
        # The gradients of processes are averaged; what each adds to the mean must be summed.
        return losses.sum() / num_items_in_batch * self.accelerator.num_processes

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the loss of each language since the last time."""
        if "loss" in logs:
            losses, counts = self.accelerator.reduce(self.sums, "sum").tolist()
            logs |= {
                f"loss_{language}": loss / count
                for language, loss, count in zip(self.languages, losses, counts, strict=True)
                if count
            }
            self.sums.zero_()
        super().log(logs, start_time)

    def evaluate(self, *args: Any, metric_key_prefix: str = "eval", **kwargs: Any) -> dict[str, float]:  # noqa: ANN401
        """Bits per character of each language, and their mean."""
        bits = self.measure(self.model, self.eval_dataset)
        metrics = {f"{metric_key_prefix}_{MEAN}_{language}": value for language, value in bits.items()}
        metrics[f"{metric_key_prefix}_{MEAN}"] = sum(bits.values()) / len(bits)
        self.log(metrics)
        self.control: TrainerControl = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> LRScheduler:
        """The schedule of the settings, with the restarts."""
        schedule = super().create_scheduler(num_training_steps, optimizer)
        if self.restart_factor is not None and isinstance(schedule, LambdaLR):
            factor = self.restart_factor
            schedule.lr_lambdas = [_product(base, factor) for base in schedule.lr_lambdas]
        return schedule


def _product(first: Callable[[int], float], second: Callable[[int], float]) -> Callable[[int], float]:
    return lambda step: first(step) * second(step)
