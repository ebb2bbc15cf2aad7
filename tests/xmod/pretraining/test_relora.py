from __future__ import annotations

from pathlib import Path

import pytest
import torch

from swissxmod import XmodForMaskedLM, load_model
from swissxmod.xmod.adapters import PLANS, part_of, train_only
from swissxmod.xmod.pretraining import relora


@pytest.fixture
def model(model_folder: Path) -> XmodForMaskedLM:
    model = load_model(XmodForMaskedLM, model_folder).eval()
    train_only(model, PLANS["relora"])
    return model


def logits(model: XmodForMaskedLM) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.tensor([[0, 10, 11, 12, 2]]), lang_ids=torch.tensor([3])).logits


def disturb(model: XmodForMaskedLM) -> None:
    for module in model.modules():
        if isinstance(module, relora.LowRank):
            torch.nn.init.normal_(module.b, std=0.1)


def test_an_update_begins_at_zero_and_is_all_that_learns_of_a_matrix(model: XmodForMaskedLM) -> None:
    before = logits(model)
    keys = set(model.state_dict())
    relora.wrap(model, rank=2, seed=1)
    assert torch.equal(logits(model), before)
    matrices = [name for name, p in model.named_parameters() if p.dim() == 2 and part_of(name) == "trunk"]
    learning = {name for name, p in model.named_parameters() if p.requires_grad}
    assert all((name in learning) == (not name.endswith("original")) for name in matrices)
    assert any(name.endswith("query.parametrizations.weight.0.a") for name in matrices)
    relora.unwrap(model)
    assert set(model.state_dict()) == keys and torch.equal(logits(model), before)


def test_merging_keeps_the_function_and_begins_an_update_that_is_zero(model: XmodForMaskedLM) -> None:
    relora.wrap(model, rank=2, seed=1)
    disturb(model)
    before = logits(model)
    old = {name: p.clone() for name, p in model.named_parameters() if name.endswith("weight.0.a")}
    relora.merge(model, torch.Generator().manual_seed(5))
    assert torch.allclose(logits(model), before, atol=1e-5)
    for name, parameter in model.named_parameters():
        if name.endswith("weight.0.b"):
            assert not parameter.any(), name
        if name.endswith("weight.0.a"):
            assert not torch.equal(parameter, old[name]), name


def test_the_sum_of_updates_is_of_a_higher_rank(model: XmodForMaskedLM) -> None:
    key = "roberta.encoder.layer.0.attention.self.query.weight"
    before = model.state_dict()[key].clone()
    relora.wrap(model, rank=2, seed=1)
    for step in range(3):
        disturb(model)
        relora.merge(model, torch.Generator().manual_seed(step))
    relora.unwrap(model)
    assert torch.linalg.matrix_rank(model.state_dict()[key] - before, atol=1e-4) == 6


def test_the_optimiser_forgets_all_but_the_largest_values(model: XmodForMaskedLM) -> None:
    relora.wrap(model, rank=2, seed=1)
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])
    model(torch.tensor([[0, 10, 11, 12, 2]]), lang_ids=torch.tensor([3]), labels=torch.tensor([[-100, 7, 8, 9, -100]])
          ).loss.backward()  # fmt: skip
    optimiser.step()
    norm = model.roberta.encoder.layer[0].output.LayerNorm.weight
    kept = optimiser.state[norm]["exp_avg"].clone()
    update = model.roberta.encoder.layer[0].intermediate.dense.parametrizations.weight[0]
    before = optimiser.state[update.b]["exp_avg"].clone()
    relora.forget(model, optimiser)
    after = optimiser.state[update.b]["exp_avg"]
    assert 0 < after.count_nonzero() <= max(1, round(0.02 * before.numel()))
    assert after.abs().max() == before.abs().max()
    assert torch.equal(optimiser.state[norm]["exp_avg"], kept)
    assert optimiser.state[update.b]["step"] == 1


def test_the_learning_rate_rises_again_in_each_round() -> None:
    assert relora.round_starts(10, 4) == [0, 2, 5, 7]
    factors = [relora.restart_factor(step, steps=100, rounds=4, warmup=0.2) for step in range(100)]
    assert factors[:25] == [1.0] * 25
    assert factors[25:31] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])
    assert factors[50:52] == pytest.approx([0.2, 0.4])
