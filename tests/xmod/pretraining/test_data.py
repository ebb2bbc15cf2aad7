from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from swissxmod import Pretrain, UserError
from swissxmod.xmod.pretraining.data import steps_of

TEXTS = [SimpleNamespace(size=300, mean=16.0, languages=(0,)), SimpleNamespace(size=100, mean=16.0, languages=(3,))]
PAIRS = [SimpleNamespace(size=1000, mean=6.0, languages=(0, 3))]


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        ({}, 1000),
        ({"steps": 7}, 7),
        ({"tokens": 10 * 8 * 16}, 10),
        ({"tokens": 10 * 8 * 16 + 1}, 11),
        ({"epochs": 2}, 100),
        ({"epochs": 0.001}, 1),
    ],
)
def test_a_budget_pays_for_steps(budget: dict[str, Any], expected: int) -> None:
    settings = Pretrain(model="m", corpora={"de": "x"}, batch_size=8, block_size=16, **budget)
    assert steps_of(settings, TEXTS, [0.5, 0.5]) == expected  # type: ignore[arg-type]


def test_an_epoch_is_one_of_text_and_the_pairs_come_on_top() -> None:
    settings = Pretrain(model="m", corpora={"de": "x"}, batch_size=8, epochs=2)
    assert steps_of(settings, [*TEXTS, *PAIRS], [0.4, 0.4, 0.2]) == 125  # type: ignore[arg-type]


def test_tokens_are_those_of_the_blocks_that_are_drawn() -> None:
    settings = Pretrain(model="m", corpora={"de": "x"}, batch_size=10, tokens=1400)
    assert steps_of(settings, [*TEXTS, *PAIRS], [0.4, 0.4, 0.2]) == 10  # type: ignore[arg-type]


def test_more_blocks_than_can_be_drawn_are_refused() -> None:
    for budget in ({"epochs": 1e99}, {"tokens": 10**21}, {"steps": 10**13}):
        settings = Pretrain(model="m", corpora={"de": "x"}, **budget)  # type: ignore[arg-type]
        with pytest.raises(UserError, match="blocks: expected at most 2,147,483,648 in all"):
            steps_of(settings, TEXTS, [0.5, 0.5])  # type: ignore[arg-type]
