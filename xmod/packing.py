"""Batches without padding: the tokens of all sentences in a row, each language contiguous.

A padded batch spends its time on padding and needs a mask per adapter. Packed, the feed-forward runs over real tokens
only and every adapter is one matrix product over one slice. The order is by language, then by sentence, then by
position; :class:`PackedBatch` remembers where every token came from.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import UserError


@dataclass(frozen=True)
class PackedBatch:
    """Where each of n packed tokens sits in its padded (batch, sequence) grid, and which adapter it takes."""

    shape: tuple[int, int]
    index: Tensor | None
    """Flat position in the grid, shape (n,); None when packing changes nothing, not even the order."""
    key_mask: Tensor | None
    """True for the real tokens, shape (batch, sequence); None without padding."""
    slices: tuple[tuple[int, int, int], ...]
    """(adapter, start, stop) for each adapter with tokens."""

    def pack(self, grid: Tensor) -> Tensor:
        """(batch, sequence, ...) to (n, ...)."""
        flat = grid.reshape(-1, *grid.shape[2:])
        return flat if self.index is None else flat.index_select(0, self.index)

    def unpack(self, tokens: Tensor) -> Tensor:
        """(n, ...) to (batch, sequence, ...), zero where there was padding."""
        batch, length = self.shape
        if self.index is not None:
            flat = tokens.new_zeros(batch * length, *tokens.shape[1:])
            tokens = flat.index_copy(0, self.index, tokens)
        return tokens.view(batch, length, *tokens.shape[1:])


def plan_batch(shape: tuple[int, int], attention_mask: Tensor | None, lang_ids: Tensor, n_adapters: int) -> PackedBatch:
    """Decide the packed order of a padded batch.

    Args:
        shape: (batch, sequence).
        attention_mask: (batch, sequence), true for real tokens; None if all are.
        lang_ids: adapter of each sentence, shape (batch,), or of each token, shape (batch, sequence).
        n_adapters: number of adapters of the model.

    Raises:
        UserError: for shapes that do not fit, an adapter that does not exist, or a sentence without a token.
    """
    languages = _token_languages(lang_ids, shape).reshape(-1)
    key_mask = _key_mask(attention_mask, shape)
    if key_mask is None:
        positions = None
    else:
        positions = key_mask.reshape(-1).nonzero().squeeze(-1)
        languages = languages[positions]
    ordered, order = languages.sort(stable=True)
    present, counts = (part.tolist() for part in ordered.unique_consecutive(return_counts=True))
    if present[0] < 0 or present[-1] >= n_adapters:
        raise UserError(f"lang_ids must be between 0 and {n_adapters - 1}, found {present[0]} to {present[-1]}")
    slices, start = [], 0
    for adapter, count in zip(present, counts, strict=True):
        slices.append((adapter, start, start + count))
        start += count
    # A stable sort that changes no value changes no place: without padding the grid is then the packed order already.
    unchanged = positions is None and bool(torch.equal(ordered, languages))
    index = None if unchanged else order if positions is None else positions[order]
    return PackedBatch(shape, index, key_mask, tuple(slices))


def _token_languages(lang_ids: Tensor, shape: tuple[int, int]) -> Tensor:
    lang_ids = lang_ids.long()
    if lang_ids.shape == shape[:1]:
        lang_ids = lang_ids[:, None].expand(shape)
    if lang_ids.shape != shape:
        raise UserError(
            f"lang_ids must have the shape (batch,) = {shape[:1]} or (batch, sequence) = {shape}, "
            f"found {tuple(lang_ids.shape)}"
        )
    return lang_ids


def _key_mask(attention_mask: Tensor | None, shape: tuple[int, int]) -> Tensor | None:
    if 0 in shape:
        raise UserError(f"the batch is empty: input of shape {shape}")
    if attention_mask is None:
        return None
    if attention_mask.shape != shape:
        raise UserError(
            f"attention_mask must have the shape (batch, sequence) = {shape}, found {tuple(attention_mask.shape)}"
        )
    mask = attention_mask.bool()
    shortest = int(mask.sum(dim=1).min())
    if shortest == shape[1]:
        return None
    if shortest == 0:
        rows = (~mask.any(dim=1)).nonzero().flatten().tolist()
        raise UserError(f"attention_mask leaves no token in row {rows[0]}: every sentence needs at least one")
    return mask


def positions_from_ids(input_ids: Tensor, padding_id: int) -> Tensor:
    """RoBERTa's position numbers: counted over real tokens from ``padding_id + 1``; padding has ``padding_id``.

    Args:
        input_ids: shape (batch, sequence).
        padding_id: id of the padding piece.
    """
    real = input_ids.ne(padding_id)
    return torch.cumsum(real, dim=1) * real + padding_id
