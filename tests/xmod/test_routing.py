"""Grouped products run on CUDA; that they compute the same is tested here in the precision processors have for them."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional
from transformers import XmodConfig

from swissxmod.xmod.packing import pack_rows
from swissxmod.xmod.routing import Adapter, by_slice, grouped


@pytest.mark.skipif(not hasattr(functional, "grouped_mm"), reason="grouped products came with torch 2.10")
@pytest.mark.parametrize("autocast", [False, True])
def test_grouped_products_equal_one_after_the_other(autocast: bool) -> None:
    torch.manual_seed(0)
    config = XmodConfig(hidden_size=32, adapter_reduction_factor=2)
    dtype = torch.float32 if autocast else torch.bfloat16
    adapters = [Adapter(config).to(dtype) for _ in range(3)]
    _, batch = pack_rows([[5] * 7, [5] * 3, [5] * 2, [5]], [0, 2, 1, 2])
    states = torch.randn(13, 32, dtype=dtype, requires_grad=True)
    weights, results = torch.randn(13, 32, dtype=dtype), []
    for compute in (by_slice, grouped):
        states.grad = None
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            adapted = compute(states, adapters, batch)
        (adapted * weights).sum().backward()
        results.append((adapted, states.grad, *(part.grad.clone() for a in adapters for part in a.parameters())))
        for adapter in adapters:
            adapter.zero_grad()
    for expected, found in zip(*results, strict=True):
        assert found.dtype == expected.dtype
        torch.testing.assert_close(found, expected, atol=0.03, rtol=0.03)
