from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from swissxmod.xmod.int8 import from_int8, to_int8


@st.composite
def matrices(draw: st.DrawFn) -> Tensor:
    rows, columns = draw(st.integers(1, 5)), draw(st.integers(1, 9))
    torch.manual_seed(draw(st.integers(0, 1000)))
    size = 10.0 ** torch.randint(-8, 4, (rows, 1))
    return torch.randn(rows, columns) * size


@given(matrices())
def test_no_entry_moves_by_more_than_half_a_step_of_its_row(weight: Tensor) -> None:
    written = to_int8({"weight": weight})
    assert written["weight"].dtype == torch.int8
    moved = (from_int8(written)["weight"] - weight).abs()
    step = weight.abs().amax(dim=1, keepdim=True) / 127
    assert (moved <= step * 0.50001).all()


@given(matrices())
def test_writing_again_changes_nothing(weight: Tensor) -> None:
    once = from_int8(to_int8({"weight": weight}))["weight"]
    again = from_int8(to_int8({"weight": once}))["weight"]
    torch.testing.assert_close(again, once, rtol=1e-5, atol=0)


def test_vectors_and_rows_of_zeros_stay_as_they_are() -> None:
    weights = {"bias": torch.tensor([1e-7, 3.0, -70000.0]), "weight": torch.tensor([[0.0, 0.0], [1.0, -0.5]])}
    back = from_int8(to_int8(weights))
    assert back.keys() == weights.keys()
    assert torch.equal(back["bias"], weights["bias"])
    assert torch.equal(back["weight"][0], weights["weight"][0])
