"""Tests for products by the quicker library: the same answers, and only where they are float32 on the processor."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from swissxmod.xmod import products

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch comes without oneDNN")
LAYOUTS = {
    "as made": lambda tensor: tensor,
    "transposed": lambda tensor: tensor.transpose(-1, -2).contiguous().transpose(-1, -2),
    "every second": lambda tensor: tensor.repeat_interleave(2, dim=-1)[..., ::2],
}


@pytest.fixture(autouse=True)
def _processor_where_mkl_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_mkl_is_slow", lambda: True)


@given(
    shape=st.lists(st.integers(0, 4), min_size=1, max_size=2),
    sizes=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    layouts=st.tuples(st.sampled_from(sorted(LAYOUTS)), st.sampled_from(sorted(LAYOUTS))),
    biased=st.booleans(),
)
def test_products_are_the_same_of_any_shape_and_layout(
    shape: list[int], sizes: tuple[int, int], layouts: tuple[str, str], *, biased: bool
) -> None:
    generator = torch.Generator().manual_seed(0)
    states = LAYOUTS[layouts[0]](torch.randn(*shape, sizes[0], generator=generator))
    weight = LAYOUTS[layouts[1]](torch.randn(sizes[1], sizes[0], generator=generator))
    bias = torch.randn(sizes[1], generator=generator) if biased else None
    expected = functional.linear(states, weight, bias)
    with products.reading(torch.nn.Module()):
        torch.testing.assert_close(functional.linear(states, weight, bias), expected)


def test_a_layer_that_reads_has_no_gradient_and_goes_the_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, states = torch.nn.Linear(4, 3), torch.ones(2, 4)
    taken = []
    fits = products._fits
    monkeypatch.setattr(products, "_fits", lambda *args: taken.append(fits(*args)) or taken[-1])
    with products.reading(layer):
        assert not layer(states).requires_grad
    assert layer(states).requires_grad
    assert taken == [True]


def test_other_precisions_are_left_to_torch() -> None:
    layer = torch.nn.Linear(4, 3)
    with products.reading(torch.nn.Module()):
        with torch.autocast("cpu", torch.bfloat16):
            assert layer(torch.ones(2, 4)).dtype == torch.bfloat16
        assert layer.double()(torch.ones(2, 4).double()).dtype == torch.float64


class Heads(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 6)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return self.linear(states).unflatten(-1, (2, 3))


@pytest.mark.parametrize("whole", [False, True])
def test_a_compiled_model_reads_as_it_was_compiled(whole: bool) -> None:
    model, states = torch.nn.Sequential(Heads(), torch.nn.ReLU()), torch.ones(2, 4)
    expected = model(states)
    if whole:
        model = torch.compile(model, backend="eager", fullgraph=True)
    else:
        model[0].compile(backend="eager", fullgraph=True)
    with products.reading(model):
        torch.testing.assert_close(model(states), expected)
