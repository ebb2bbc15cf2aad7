"""ReLoRA: a matrix learns through a row of low-rank updates, each merged into it before the next begins.

One update has few parameters, so that the optimiser needs little memory, yet their sum can be of any rank (Lialin et
al. 2023, "ReLoRA: High-Rank Training Through Low-Rank Updates", arXiv 2307.05695).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ..adapters import part_of

PRUNED = 0.99
"""Share of the optimiser's memory of an update that is forgotten with it, the smallest values first (section 3)."""


class LowRank(nn.Module):
    """``weight + b @ a``: what a matrix is while an update of it learns; ``b`` begins at zero."""

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.a = nn.Parameter(weight.new_empty(min(rank, rows, columns), columns))
        self.b = nn.Parameter(weight.new_zeros(rows, len(self.a)))

    def forward(self, weight: Tensor) -> Tensor:
        """The matrix with its update."""
        return weight + self.b @ self.a

    @torch.no_grad()
    def begin(self, generator: torch.Generator) -> None:
        """Start an update that is zero."""
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5), generator=generator)
        self.b.zero_()


def wrap(model: nn.Module, rank: int, seed: int) -> None:
    """Let the matrices of the trunk learn through updates of ``rank``, and freeze themselves."""
    for name, layer in list(model.named_modules()):
        if isinstance(layer, nn.Linear) and part_of(f"{name}.weight") == "trunk":
            layer.weight.requires_grad = False
            parametrize.register_parametrization(layer, "weight", LowRank(layer.weight, rank))
    for update in _updates(model):
        update.begin(_generator(seed, 0, model))


def unwrap(model: nn.Module) -> None:
    """Merge the last updates; the layers are as they were before :func:`wrap`."""
    for layer in list(model.modules()):
        if parametrize.is_parametrized(layer, "weight"):
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
            layer.weight.requires_grad = True


@torch.no_grad()
def merge(model: nn.Module, generator: torch.Generator) -> None:
    """Add each update to its matrix, whose function stays, and begin the next."""
    for updates in model.modules():
        if isinstance(updates, parametrize.ParametrizationList):
            update = cast(LowRank, updates[0])
            updates.original.add_(update.b @ update.a)
            update.begin(generator)


@torch.no_grad()
def forget(model: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    """Prune what the optimiser remembers of the updates by magnitude."""
    for update in _updates(model):
        for parameter in (update.a, update.b):
            for moment in optimiser.state.get(parameter, {}).values():
                if moment.shape == parameter.shape:
                    kept = max(1, int(moment.numel() * PRUNED))
                    limit = moment.abs().flatten().kthvalue(kept).values
                    moment.mul_(moment.abs() > limit)


class Restarts(TrainerCallback):
    """Ends an update and begins the next, so many times in a training."""

    def __init__(self, rounds: int, seed: int) -> None:
        self.rounds = rounds
        self.seed = seed

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Merge at the end of a round, but not of the last."""
        if state.global_step in round_starts(state.max_steps, self.rounds)[1:]:
            merge(model, _generator(self.seed, state.global_step, model))
            forget(model, getattr(optimizer, "optimizer", optimizer))


def round_starts(steps: int, rounds: int) -> list[int]:
    """After which step each round begins."""
    return sorted({steps * number // rounds for number in range(rounds)})


def restart_factor(step: int, steps: int, rounds: int, warmup: float) -> float:
    """What the learning rate is multiplied with: it rises from zero again at the begin of each round but the first.

    Without that, the first steps of an update, with a pruned optimiser, throw the model off (section 3).
    """
    starts = [start for start in round_starts(steps, rounds) if start <= step]
    length = max(1, round(warmup * steps / rounds))
    return 1.0 if starts[-1] == 0 else min(1.0, (step - starts[-1] + 1) / length)


def _updates(model: nn.Module) -> Iterator[LowRank]:
    return (module for module in model.modules() if isinstance(module, LowRank))


def _generator(seed: int, step: int, model: nn.Module) -> torch.Generator:
    """The same in every process, and in a run that goes on from a checkpoint."""
    device = next(model.parameters()).device
    return torch.Generator(device).manual_seed(seed * 1_000_003 + step)
