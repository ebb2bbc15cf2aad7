"""Attention within each sentence of a packed batch, by the kernel that suits the device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .packing import PackedBatch

varlen_attn: Any
try:  # torch 2.10 and later
    from torch.nn.attention.varlen import varlen_attn
except ImportError:
    varlen_attn = None

Parts = tuple[Tensor, Tensor, Tensor]
"""Query, key and value."""
Prefix = tuple[Tensor, Tensor]
"""Keys and values of virtual tokens before each sentence, shape (batch, or 1 for all alike, heads, tokens, width)."""
Kernel = Callable[[Tensor, Tensor, Tensor, Tensor | None, float], Tensor]
"""Of query, key, value, a mask and the share to drop."""
WIDEST_FLASH_HEAD = 256
MANY = 256
"""Tokens, in sentences of one length, from which on plain products are faster than a fused call in float32."""


def attend(parts: Parts, batch: PackedBatch, dropout: float, eager: bool, prefix: Prefix | None = None) -> Tensor:
    """Scaled dot-product attention of every token to the tokens of its sentence.

    Args:
        parts: query, key and value, each of shape (n, heads, head width).
        batch: where the sentences are.
        dropout: share of the weights to drop.
        eager: compute it by plain products over the padded grid.
        prefix: what else every token of a sentence attends to.

    Returns:
        shape (n, heads * head width).
    """
    query = parts[0]
    if eager or prefix is not None:
        attended = on_grid(parts, batch, dropout, plain=eager, prefix=prefix)
    elif query.device.type == "cpu" and not torch.compiler.is_compiling():
        attended = by_length(parts, batch, dropout)
    elif _has_varlen(query, dropout):
        longest = batch.shape[1]
        attended = varlen_attn(*parts, batch.offsets, batch.offsets, longest, longest)
    else:
        attended = on_grid(parts, batch, dropout, plain=False)
    return attended.flatten(1)


def by_length(parts: Parts, batch: PackedBatch, dropout: float) -> Tensor:
    """One call for each run of sentences of one length: they are views of the packed tokens, nothing is copied.

    On a processor a call costs little, and padding what it computes.
    """
    slow = _fused_is_slow(parts[0])
    if len(batch.groups) == 1:
        return _run(_plain if slow else _fused, parts, batch.groups[0], dropout)
    sizes = [count * length for count, length in batch.groups]
    # `split` and not slices: the gradient of a slice is a full tensor of zeros, one for each sentence.
    runs = zip(*(part.split(sizes) for part in parts), strict=True)
    if not slow:
        return torch.cat([_run(_fused, run, shape, dropout) for run, shape in zip(runs, batch.groups, strict=True)])
    # Plain products for much text; where calls are what costs, a fused one in float32. The cast is one for all runs.
    wide = zip(*(part.float().split(sizes) for part in parts), strict=True)
    attended = [
        _run(_plain, run, shape, dropout).float() if size >= MANY else _run(_fused_float32, exact, shape, dropout)
        for run, exact, shape, size in zip(runs, wide, batch.groups, sizes, strict=True)
    ]
    return torch.cat(attended).to(parts[0].dtype)


def _run(compute: Kernel, run: Sequence[Tensor], shape: tuple[int, int], dropout: float) -> Tensor:
    """Attention of one run of sentences, (sentences * length, heads, width) to the same."""
    query, key, value = (part.unflatten(0, shape).transpose(1, 2) for part in run)
    return compute(query, key, value, None, dropout).transpose(1, 2).flatten(0, 1)


def on_grid(parts: Parts, batch: PackedBatch, dropout: float, *, plain: bool, prefix: Prefix | None = None) -> Tensor:
    """One call with the padding put back: what it does is independent of the lengths, which suits compilers."""
    query, key, value = (batch.unpack(part).transpose(1, 2) for part in parts)
    mask = None if batch.key_mask is None else batch.key_mask[:, None, None, :]
    if prefix is not None:
        key, value = (
            torch.cat([part.to(own).expand(len(own), -1, -1, -1), own], dim=2)
            for part, own in zip(prefix, (key, value), strict=True)
        )
        mask = None if mask is None else functional.pad(mask, (prefix[0].shape[2], 0), value=True)
    return batch.pack((_plain if plain else _fused)(query, key, value, mask, dropout).transpose(1, 2))


def _has_varlen(query: Tensor, dropout: float) -> bool:
    """Flash attention over sentences in a row is for half precision on CUDA, and does not drop."""
    half = query.dtype in (torch.bfloat16, torch.float16)
    width = query.shape[-1]
    fits = half and width % 8 == 0 and width <= WIDEST_FLASH_HEAD
    return varlen_attn is not None and query.device.type == "cuda" and fits and dropout == 0.0


def _fused_is_slow(query: Tensor) -> bool:
    """In the bfloat16 backward pass on a processor: 125 ms against 13 ms for plain products.

    (32 x 12 x 128 x 32, two cores with AMX, torch 2.13.)
    """
    return torch.is_grad_enabled() and query.requires_grad and query.dtype == torch.bfloat16


def _fused_float32(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float) -> Tensor:
    with torch.autocast("cpu", enabled=False):
        return _fused(query, key, value, mask, dropout)


def _fused(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float) -> Tensor:
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)


def _plain(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float) -> Tensor:
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return functional.dropout(scores.softmax(-1), dropout) @ value
