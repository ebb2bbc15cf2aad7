from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from swissxmod import UserError
from swissxmod.xmod.packing import PackedBatch, pack_rows, plan_batch

LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=7)


@given(lengths=LENGTHS, data=st.data())
def test_packing_loses_nothing_and_makes_languages_contiguous(lengths: list[int], data: st.DataObject) -> None:
    languages = data.draw(st.lists(st.integers(0, 3), min_size=len(lengths), max_size=len(lengths)))
    grid = torch.arange(1, len(lengths) * 9 + 1).view(-1, 9)
    mask = torch.arange(9)[None, :] < torch.tensor(lengths)[:, None]
    grid = grid.masked_fill(~mask, 0)
    batch = plan_batch((len(lengths), 9), mask, torch.tensor(languages))
    packed = batch.pack(grid)
    assert len(packed) == sum(lengths)
    torch.testing.assert_close(batch.unpack(packed), grid)
    for row, part in zip(grid, batch.split(packed), strict=True):
        assert part.tolist() == row[row > 0].tolist()
    assert packed[batch.firsts].tolist() == grid[:, 0].tolist()
    token_languages = [languages[(place - 1) // 9] for place in packed.tolist()]
    assert [language for language, count in batch.slices for _ in range(count)] == token_languages
    assert batch.ends[-1] == batch.offsets[-1] == len(packed)


@given(lengths=LENGTHS, data=st.data())
def test_rows_pack_as_their_padded_grid_does(lengths: list[int], data: st.DataObject) -> None:
    languages = data.draw(st.lists(st.integers(0, 3), min_size=len(lengths), max_size=len(lengths)))
    rows = [[10 * number + place for place in range(length)] for number, length in enumerate(lengths)]
    width = max(lengths)
    grid = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    mask = torch.arange(width)[None, :] < torch.tensor(lengths)[:, None]
    ids, found = pack_rows(rows, languages)
    expected = plan_batch((len(rows), width), mask, torch.tensor(languages))
    assert ids.tolist() == expected.pack(grid).tolist()
    assert (found.slices, found.lengths, found.order) == (expected.slices, expected.lengths, expected.order)
    torch.testing.assert_close(found.unpack(ids), grid)


def test_even_batches_in_order_are_not_moved() -> None:
    batch = plan_batch((3, 5), torch.ones(3, 5), torch.tensor([0, 0, 2]))
    grid = torch.randn(3, 5, 2)
    assert batch.index is None and batch.key_mask is None
    assert batch.pack(grid).data_ptr() == grid.data_ptr()


def test_languages_of_tokens_are_routed_in_place() -> None:
    languages = torch.tensor([[2, 0, 2], [1, 1, 0]])
    batch = plan_batch((2, 3), None, languages)
    assert isinstance(batch, PackedBatch) and batch.by_language is not None
    moved = torch.empty(6, dtype=torch.long).index_copy(0, batch.by_language, batch.pack(languages))
    assert moved.tolist() == [0, 0, 1, 1, 2, 2]
    assert batch.slices == ((0, 2), (1, 2), (2, 2))


@pytest.mark.parametrize(
    ("rows", "languages", "message"),
    [([[1], []], [0, 0], "no token in row 1"), ([[1]], [0, 1], "1 sentences, found 2"), ([], [], "no sentence")],
)
def test_bad_rows_are_named(rows: list[list[int]], languages: list[int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        pack_rows(rows, languages)
