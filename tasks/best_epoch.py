"""Fine-tuning keeps the weights of the epoch that is best on development data."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from typing import Any

from torch import Tensor
from tqdm.auto import tqdm
from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments


class BestEpoch(TrainerCallback):
    """Measures the model after every epoch and keeps the weights of the one with the best mean over languages."""

    def __init__(self, metric: str, measure: Callable[[], dict[str, float]]) -> None:
        """Make one.

        Args:
            metric: its name, for the line that tells it.
            measure: the score of each language, higher is better; none without development data.
        """
        self.metric = metric
        self.measure = measure
        self.scores: list[dict[str, float]] = []
        self.kept: int | None = None
        self.weights: dict[str, Tensor] = {}

    def on_epoch_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: PreTrainedModel,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Score, and remember the weights if no epoch was better."""
        scores = self.measure()
        model.train()
        if not scores:
            return
        scores["mean"] = round(sum(scores.values()) / len(scores), 2)
        if self.kept is None or scores["mean"] > self.scores[self.kept - 1]["mean"]:
            self.kept = len(self.scores) + 1
            self.weights = copy.deepcopy({name: p.detach() for name, p in model.named_parameters() if p.requires_grad})
        self.scores.append(scores)
        told = ", ".join(f"{language} {score}" for language, score in scores.items())
        tqdm.write(f"epoch {len(self.scores)}: dev {self.metric} {told}", file=sys.stderr)

    def restore(self, model: PreTrainedModel) -> None:
        """Give ``model`` the weights of the best epoch."""
        model.load_state_dict(self.weights, strict=False)
