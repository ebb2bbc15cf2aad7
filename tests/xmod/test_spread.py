from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from swissxmod import UserError, XmodForMaskedLM, load_model
from swissxmod.xmod import spread
from swissxmod.xmod.pretraining import relora


def loss(model: XmodForMaskedLM) -> torch.Tensor:
    ids = torch.tensor([[0, 10, 11, 12, 2]])
    return model(ids, lang_ids=torch.tensor([3]), labels=torch.tensor([[-100, 7, 8, 9, -100]])).loss


def test_every_parameter_has_a_gradient_and_the_others_are_the_same(model_folder: Path) -> None:
    plain, model = (load_model(XmodForMaskedLM, model_folder).eval() for _ in range(2))
    spread.prepare(model)
    for one in (plain, model):
        loss(one).backward()
    assert torch.equal(loss(plain), loss(model))
    there = dict(plain.named_parameters())
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        name = name.replace("lm_head.decoder.bias", "lm_head.bias")
        expected = there[name].grad
        assert not parameter.grad.any() if expected is None else torch.equal(parameter.grad, expected), name
    assert any(parameter.grad is None for parameter in there.values())


def test_the_weights_come_back_under_all_their_names(model_folder: Path) -> None:
    class Gatherer:
        def get_state_dict(self, model: torch.nn.Module) -> dict[str, Any]:
            return model.state_dict()

    plain, model = (load_model(XmodForMaskedLM, model_folder) for _ in range(2))
    spread.prepare(model)
    weights = spread.gather(Gatherer(), model)  # type: ignore[arg-type]
    assert weights.keys() == plain.state_dict().keys()
    plain.load_state_dict(weights)


def test_low_rank_updates_cannot_be_spread(model_folder: Path) -> None:
    model = load_model(XmodForMaskedLM, model_folder)
    relora.wrap(model, rank=2, seed=1)
    with pytest.raises(UserError, match=r"relora .* not spread"):
        spread.prepare(model)
