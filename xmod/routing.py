"""The adapters of the languages, and each token through its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import XmodConfig
from transformers.activations import ACT2FN

from .packing import PackedBatch

GROUPED_MULTIPLE = 8
"""Grouped products want rows of 16 bytes: widths of 8 numbers in half precision."""


class Adapter(nn.Module):
    """The bottleneck of one language."""

    def __init__(self, config: XmodConfig) -> None:
        super().__init__()
        width = int(config.hidden_size // config.adapter_reduction_factor)
        self.dense1 = nn.Linear(config.hidden_size, width)
        self.dense2 = nn.Linear(width, config.hidden_size)
        self.activation = ACT2FN[config.hidden_act]

    def forward(self, states: Tensor) -> Tensor:
        """(n, hidden) to (n, hidden)."""
        return self.dense2(self.activation(self.dense1(states)))


def route(states: Tensor, adapters: Sequence[Adapter], batch: PackedBatch) -> Tensor:
    """Adapt every token.

    Args:
        states: shape (n, hidden).
        adapters: all of the layer.
        batch: which tokens take which.

    Returns:
        shape (n, hidden), in the order of ``states``.
    """
    if batch.by_language is not None:
        states = torch.empty_like(states).index_copy(0, batch.by_language, states)
    chosen = [adapters[which] for which, _ in batch.slices]
    if len(chosen) > 1 and _takes_grouped(states, chosen):
        adapted = grouped(states, chosen, batch)
    else:
        adapted = by_slice(states, chosen, batch)
    return adapted if batch.by_language is None else adapted.index_select(0, batch.by_language)


def by_slice(states: Tensor, adapters: Sequence[Adapter], batch: PackedBatch) -> Tensor:
    """Each adapter over its slice of the tokens; the activation once over all, since small calls are slow ones."""
    wide = _linear_by_slice(states, [adapter.dense1 for adapter in adapters], batch)
    return _linear_by_slice(adapters[0].activation(wide), [adapter.dense2 for adapter in adapters], batch)


def _linear_by_slice(states: Tensor, layers: Sequence[nn.Module], batch: PackedBatch) -> Tensor:
    # `split` and not slices: the gradient of a slice is a full tensor of zeros.
    parts = states.split([count for _, count in batch.slices])
    outputs = [layer(part) for layer, part in zip(layers, parts, strict=True)]
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs)


def grouped(states: Tensor, adapters: Sequence[Adapter], batch: PackedBatch) -> Tensor:
    """All adapters at once by grouped products, for devices where many small calls cost more than the arithmetic."""
    wide = _grouped_linear(states, [adapter.dense1 for adapter in adapters], batch)
    return _grouped_linear(adapters[0].activation(wide), [adapter.dense2 for adapter in adapters], batch)


def _grouped_linear(states: Tensor, layers: Sequence[nn.Linear], batch: PackedBatch) -> Tensor:
    dtype = _product_dtype(states)
    weights = torch.stack([layer.weight for layer in layers]).to(dtype).transpose(1, 2)
    biases = torch.stack([layer.bias for layer in layers]).to(dtype)
    product = functional.grouped_mm(states.to(dtype), weights, offs=batch.ends)
    counts = batch.ends.diff(prepend=batch.ends.new_zeros(1))
    return product + biases.repeat_interleave(counts, dim=0, output_size=len(states))


def _product_dtype(states: Tensor) -> torch.dtype:
    device = states.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else states.dtype


def _takes_grouped(states: Tensor, adapters: Sequence[Adapter]) -> bool:
    """Whether there is a kernel for this device and precision, and the layers are plain ones that it can stand in for.

    A layer that a library has wrapped, quantised or spread over machines must be called as the module it is.
    """
    return (
        states.device.type == "cuda"
        and _product_dtype(states) == torch.bfloat16
        and hasattr(functional, "grouped_mm")  # torch 2.10 and later
        and all(
            type(layer) is nn.Linear
            and layer.weight.dim() == 2
            and not any(n % GROUPED_MULTIPLE for n in layer.weight.shape)
            for adapter in adapters
            for layer in (adapter.dense1, adapter.dense2)
        )
    )
