"""Batches without padding: the tokens of all sentences in a row.

A padded batch spends its time on padding and needs a mask per adapter. Packed, every product runs over real tokens.
Sentences stand by language, then by length, so that an adapter is one product over one slice of the tokens and
sentences of one length are one view for attention; :class:`PackedBatch` remembers where each came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, groupby

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import UserError


@dataclass(frozen=True)
class PackedBatch:
    """Where each of n packed tokens sits in its padded (batch, sequence) grid, and which adapter it takes."""

    shape: tuple[int, int]
    order: tuple[int, ...]
    """For each packed sentence its number in the batch as it was given."""
    lengths: tuple[int, ...]
    """Of the packed sentences."""
    slices: tuple[tuple[int, int], ...]
    """(adapter, number of tokens) for each adapter with tokens, in the order of the tokens, or of ``by_language``."""
    index: Tensor | None
    """Flat position in the grid, shape (n,); None when packing changes nothing, not even the order."""
    key_mask: Tensor | None
    """True for the real tokens, shape (batch, sequence); None without padding."""
    offsets: Tensor
    """Where the packed sentences start, and n, shape (batch + 1,), int32."""
    ends: Tensor
    """Where the slices end, shape (slices,), int32."""
    by_language: Tensor | None = None
    """Where each token goes to make each language contiguous, shape (n,); None where all are already."""
    virtual: int = 0
    """How many of the tokens of each sentence are no one's text: learned ones that stand before it."""

    @cached_property
    def groups(self) -> list[tuple[int, int]]:
        """(sentences, length) for each run of sentences of one length."""
        return [(len(list(run)), length) for length, run in groupby(self.lengths)]

    @property
    def firsts(self) -> Tensor:
        """Place of the first token of each sentence, in the order given, shape (batch,)."""
        places = torch.empty_like(self.offsets[1:])
        places[torch.tensor(self.order, device=places.device)] = self.offsets[:-1]
        return places

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

    def split(self, tokens: Tensor) -> list[Tensor]:
        """(n, ...) to one tensor of shape (length, ...) for each sentence, in the order given."""
        parts = dict(zip(self.order, tokens.split(self.lengths), strict=True))
        return [parts[number] for number in range(len(parts))]

    def with_virtual(self, count: int) -> tuple[PackedBatch, Tensor, Tensor]:
        """The batch with so many virtual tokens before each sentence, in the language of its first token.

        Returns:
            the batch; the new places of its tokens, shape (n,), and those of the virtual ones, (batch * count,).
        """
        device, (rows, width) = self.offsets.device, self.shape
        numbers = torch.arange(rows, device=device)
        lengths = torch.tensor(self.lengths, device=device)
        own = torch.arange(sum(self.lengths), device=device) + count * (numbers + 1).repeat_interleave(lengths)
        steps = torch.arange(count, device=device)
        offsets = self.offsets + count * torch.arange(rows + 1, dtype=torch.int32, device=device)
        theirs = (offsets[:-1, None] + steps).flatten()
        index = None
        if self.index is not None:
            index = self.index.new_empty(len(own) + len(theirs))
            index[own] = self.index // width * (width + count) + self.index % width + count
            order = torch.tensor(self.order, device=device)
            index[theirs] = (order[:, None] * (width + count) + steps).flatten()
        mask = None if self.key_mask is None else functional.pad(self.key_mask, (count, 0), value=True)
        known = torch.tensor([adapter for adapter, _ in self.slices], device=device)
        languages = known.repeat_interleave(torch.tensor([tokens for _, tokens in self.slices], device=device))
        if self.by_language is not None:
            languages = languages[self.by_language]
        all_languages = languages.new_empty(len(own) + len(theirs))
        all_languages[own] = languages
        all_languages[theirs] = languages[self.offsets[:-1].long()].repeat_interleave(count)
        longer = tuple(length + count for length in self.lengths)
        batch = replace(
            self,
            shape=(rows, width + count),
            lengths=longer,
            index=index,
            key_mask=mask,
            offsets=offsets,
            virtual=count,
        )
        return _by_language(batch, all_languages), own, theirs

    def to(self, device: torch.device | str) -> PackedBatch:
        """The same on another device."""
        index, mask, by_language = (
            None if part is None else part.to(device) for part in (self.index, self.key_mask, self.by_language)
        )
        offsets, ends = self.offsets.to(device), self.ends.to(device)
        return replace(self, index=index, key_mask=mask, offsets=offsets, ends=ends, by_language=by_language)


def pack_rows(rows: Sequence[Sequence[int]], lang_ids: Sequence[int]) -> tuple[Tensor, PackedBatch]:
    """Pack sentences that have never been padded.

    Args:
        rows: ids of the pieces of each sentence, special ones included.
        lang_ids: adapter of each sentence.

    Returns:
        ids in packed order, shape (n,), and the batch to give to a model as ``packed``.

    Raises:
        UserError: if there is no sentence, one is empty, or the two differ in number.
    """
    if len(rows) != len(lang_ids):
        raise UserError(f"expected a language for each of {len(rows)} sentences, found {len(lang_ids)}")
    lengths = [len(row) for row in rows]
    _check_lengths(lengths)
    order = _packed_order(lang_ids, lengths)
    ids = torch.tensor([piece for number in order for piece in rows[number]])
    longest = max(lengths)
    places = [number * longest + place for number in order for place in range(lengths[number])]
    mask = torch.arange(longest)[None, :] < torch.tensor(lengths)[:, None]
    return ids, _packed((len(rows), longest), order, lengths, lang_ids, torch.tensor(places), mask, ids.device)


def plan_batch(shape: tuple[int, int], attention_mask: Tensor | None, lang_ids: Tensor) -> PackedBatch:
    """Decide the packed order of a padded batch.

    Args:
        shape: (batch, sequence).
        attention_mask: (batch, sequence), true for real tokens; None if all are.
        lang_ids: adapter of each sentence, shape (batch,), or of each token, shape (batch, sequence).

    Raises:
        UserError: for shapes that do not fit, or a sentence without a token.
    """
    if 0 in shape:
        raise UserError(f"the batch is empty: input of shape {shape}")
    mask = _checked(attention_mask, shape)
    if lang_ids.shape not in (shape, shape[:1]):
        raise UserError(
            f"lang_ids must have the shape (batch,) = {shape[:1]} or (batch, sequence) = {shape}, "
            f"found {tuple(lang_ids.shape)}"
        )
    per_token = lang_ids.dim() == 2
    lengths_there = torch.full(shape[:1], shape[1], device=lang_ids.device) if mask is None else mask.sum(dim=1)
    first_languages = lang_ids[:, 0] if per_token else lang_ids
    lengths, languages = torch.stack([lengths_there, first_languages.to(lengths_there)]).tolist()
    _check_lengths(lengths)
    order = _packed_order(languages, lengths)
    if min(lengths) == shape[1]:
        mask = None
    index = _grid_index(shape, mask, order, lang_ids.device)
    batch = _packed(shape, order, lengths, languages, index, mask, lang_ids.device)
    return _with_token_languages(batch, lang_ids) if per_token else batch


def _checked(attention_mask: Tensor | None, shape: tuple[int, int]) -> Tensor | None:
    if attention_mask is None:
        return None
    if attention_mask.shape != shape:
        raise UserError(
            f"attention_mask must have the shape (batch, sequence) = {shape}, found {tuple(attention_mask.shape)}"
        )
    return attention_mask.bool()


def _check_lengths(lengths: Sequence[int]) -> None:
    if not lengths:
        raise UserError("the batch is empty: no sentence")
    if 0 in lengths:
        raise UserError(f"no token in row {lengths.index(0)}: every sentence needs at least one that is not masked")


def _packed_order(languages: Sequence[int], lengths: Sequence[int]) -> list[int]:
    return sorted(range(len(lengths)), key=lambda number: (languages[number], lengths[number]))


def _grid_index(shape: tuple[int, int], mask: Tensor | None, order: list[int], device: torch.device) -> Tensor | None:
    if mask is None and order == sorted(order):
        return None
    rows = torch.tensor(order, device=device)
    if mask is None:
        return (rows[:, None] * shape[1] + torch.arange(shape[1], device=device)).flatten()
    row, column = mask[rows].nonzero(as_tuple=True)
    return rows[row] * shape[1] + column


def _packed(
    shape: tuple[int, int],
    order: list[int],
    lengths: Sequence[int],
    languages: Sequence[int],
    index: Tensor | None,
    mask: Tensor | None,
    device: torch.device,
) -> PackedBatch:
    packed_lengths = [lengths[number] for number in order]
    slices = [
        (language, sum(lengths[number] for number in run))
        for language, run in groupby(order, key=lambda number: languages[number])
    ]
    offsets = torch.tensor([0, *accumulate(packed_lengths)], dtype=torch.int32, device=device)
    return PackedBatch(
        shape, tuple(order), tuple(packed_lengths), tuple(slices), index, mask, offsets, _ends(slices, device)
    )


def _ends(slices: Sequence[tuple[int, int]], device: torch.device) -> Tensor:
    return torch.tensor(list(accumulate(count for _, count in slices)), dtype=torch.int32, device=device)


def _with_token_languages(batch: PackedBatch, lang_ids: Tensor) -> PackedBatch:
    return _by_language(batch, batch.pack(lang_ids))


def _by_language(batch: PackedBatch, languages: Tensor) -> PackedBatch:
    """The batch with an adapter for each packed token."""
    ordered, source = languages.sort(stable=True)
    present, counts = (part.tolist() for part in ordered.unique_consecutive(return_counts=True))
    target = torch.empty_like(source).index_copy(0, source, torch.arange(len(source), device=source.device))
    contiguous = torch.equal(ordered, languages)
    slices = tuple(zip(present, counts, strict=True))
    ends = _ends(slices, languages.device)
    return replace(batch, slices=slices, ends=ends, by_language=None if contiguous else target)


def positions_from_ids(input_ids: Tensor, padding_id: int) -> Tensor:
    """RoBERTa's position numbers: counted over real tokens from ``padding_id + 1``; padding has ``padding_id``.

    Args:
        input_ids: shape (batch, sequence).
        padding_id: id of the padding piece.
    """
    real = input_ids.ne(padding_id)
    return torch.cumsum(real, dim=1) * real + padding_id
