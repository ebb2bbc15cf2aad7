from __future__ import annotations

from typing import Any

import torch
from torch import nn

from swissxmod.tasks.best_epoch import BestEpoch


def epochs(model: nn.Linear, scores: list[dict[str, float]]) -> BestEpoch:
    """The first weight is the number of the epoch."""
    left = iter(scores)
    best = BestEpoch("F1", lambda: next(left))
    nothing: Any = None
    for number in range(1, len(scores) + 1):
        with torch.no_grad():
            model.weight.fill_(number)
            model.bias.fill_(number)
        best.on_epoch_end(nothing, nothing, nothing, model)  # type: ignore[arg-type]
    return best


def test_the_weights_of_the_best_epoch_come_back_and_of_equals_the_first() -> None:
    model = nn.Linear(1, 1)
    model.bias.requires_grad_(False)
    best = epochs(
        model, [{"de": 1.0, "fr": 9.0}, {"de": 8.0, "fr": 4.0}, {"de": 6.0, "fr": 6.0}, {"de": 9.0, "fr": 1.0}]
    )
    assert best.kept == 2 and [score["mean"] for score in best.scores] == [5, 6, 6, 5]
    best.restore(model)  # type: ignore[arg-type]
    assert model.weight.item() == 2 and model.bias.item() == 4  # what does not learn is not kept


def test_without_dev_data_the_last_epoch_stays() -> None:
    model = nn.Linear(1, 1)
    best = epochs(model, [{}, {}])
    best.restore(model)  # type: ignore[arg-type]
    assert best.kept is None and best.scores == [] and model.weight.item() == 2
