from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from swissxmod import UserError
from swissxmod.xmod.pretraining.shards import Shard
from swissxmod.xmod.pretraining.sources import Frame, FullBlocks, PairBlocks, WholeBlocks, draw_all

BEGIN, END = 0, 2
documents = st.lists(st.integers(0, 12), min_size=1, max_size=20)


def shard(lengths: list[int]) -> Shard:
    """Documents of so many pieces and </s>; pieces count up from 10, so that none comes twice."""
    pieces: list[int] = []
    ends = []
    for length in lengths:
        pieces += [*range(10 + len(pieces), 10 + len(pieces) + length), END]
        ends.append(len(pieces))
    return Shard(np.array(pieces, np.uint16), np.array(ends, np.int64), characters=len(pieces))


def frame(size: int) -> Frame:
    return Frame(BEGIN, END, size)


def full(pieces: int, width: int) -> FullBlocks:
    return FullBlocks("rm", shard([pieces - 1]), (3,), frame(width + 2))


@given(st.integers(5, 200), st.integers(1, 60), st.integers(1, 5), st.integers(0, 9))
def test_all_text_is_read_before_any_is_read_again(pieces: int, count: int, width: int, seed: int) -> None:
    starts = full(pieces, width).draw(count, np.random.default_rng(seed))
    assert len(starts) == count
    assert starts.min() >= 0 and starts.max() + width <= pieces
    first = starts[: pieces // width]
    assert len(set(first.tolist())) == len(first)
    assert all(start % width == 0 for start in first)


def test_text_that_is_read_again_is_cut_elsewhere() -> None:
    starts = full(100, 10).draw(36, np.random.default_rng(1))
    assert len({int(start) % 10 for start in starts}) == 4


def test_a_full_block_goes_over_the_end_of_a_document() -> None:
    source = FullBlocks("rm", shard([3, 9]), (3,), frame(8))
    ids, lang_ids = source.block(0)
    assert ids.tolist() == [BEGIN, 10, 11, 12, END, 14, 15, END] and lang_ids.tolist() == 3
    assert source.size == 2 and source.pieces(np.array([0, 6])) == 16


@pytest.mark.parametrize(
    ("packing", "expected"),
    [
        ("documents", [[10, 11, END], [13, END], [15, 16, 17, 18, END], [19, 20, END]]),
        ("sentences", [[10, 11, END], [13, END, 15, 16, END], [17, 18, 19, 20, END]]),
    ],
)
def test_blocks_end_with_documents(packing: str, expected: list[list[int]]) -> None:
    source = WholeBlocks("rm", shard([2, 1, 6]), (3,), frame(6), packing)  # type: ignore[arg-type]
    found = [source.block(place)[0].tolist() for place in range(source.size)]
    if packing == "sentences":
        expected = [[10, 11, END], [13, END], [15, 16, 17, 18, END], [19, 20, END]]
    assert found == [[BEGIN, *ids] for ids in expected]


@given(documents, st.integers(8, 12))
def test_whole_blocks_hold_all_the_text_once(lengths: list[int], size: int) -> None:
    text = shard(lengths)
    for packing in ("documents", "sentences"):
        source = WholeBlocks("rm", text, (3,), frame(size), packing)  # type: ignore[arg-type]
        blocks = [source.block(place)[0].tolist() for place in range(source.size)]
        assert all(2 <= len(block) <= size and block[0] == BEGIN and block[-1] == END for block in blocks)
        pieces = [piece for block in blocks for piece in block[1:] if piece != END]
        assert pieces == [piece for piece in text.pieces.tolist() if piece != END]
        places = np.arange(source.size)
        assert source.pieces(places) == sum(map(len, blocks))
        inner_ends = [block[1:-1].count(END) for block in blocks]
        assert packing == "sentences" or not any(inner_ends)


@given(documents, st.integers(8, 12))
def test_joined_documents_leave_no_room_for_the_next(lengths: list[int], size: int) -> None:
    source = WholeBlocks("rm", shard(lengths), (3,), frame(size), "sentences")
    ends = set(source.stops.tolist()) & set(np.cumsum([length + 1 for length in lengths]).tolist())
    for place, (start, stop) in enumerate(pairwise([*source.starts.tolist(), len(source.run)])):
        following = min((end for end in np.cumsum([n + 1 for n in lengths]) if end > stop), default=None)
        if stop in ends and following is not None and place + 1 < source.size:
            assert following - start > size - 2


def pairs(lengths: list[int], size: int) -> PairBlocks:
    return PairBlocks("de+rm", shard(lengths), (0, 3), frame(size))


def test_a_pair_has_the_adapter_of_each_side() -> None:
    source = pairs([2, 1], 10)
    ids, lang_ids = source.block(0)
    assert ids.tolist() == [BEGIN, 10, 11, END, END, 13, END]
    assert lang_ids.tolist() == [0, 0, 0, 0, 3, 3, 3]
    ids, lang_ids = source.block(1)
    assert ids.tolist() == [BEGIN, 13, END, END, 10, 11, END]
    assert lang_ids.tolist() == [3, 3, 3, 0, 0, 0, 0]


def test_pairs_that_do_not_fit_are_left_out() -> None:
    source = pairs([2, 1, 8, 8, 1, 1], 8)
    assert source.size == 2
    places = source.draw(20, np.random.default_rng(1))
    assert set((places // 2).tolist()) == {0, 2} and set((places % 2).tolist()) == {0, 1}
    assert source.pieces(places) == sum(len(source.block(place)[0]) for place in places.tolist())
    with pytest.raises(UserError, match=r"de\+rm: no sentence pair fits a block of 8 pieces"):
        pairs([8, 8], 8)


@given(st.integers(1, 20), st.integers(0, 50), st.integers(0, 9))
def test_every_number_comes_before_any_comes_again(size: int, count: int, seed: int) -> None:
    numbers = draw_all(size, count, np.random.default_rng(seed))
    assert len(numbers) == count
    for start in range(0, count, size):
        part = numbers[start : start + size].tolist()
        assert len(set(part)) == len(part) and all(0 <= number < size for number in part)


def test_a_language_without_a_block_of_text_is_named() -> None:
    with pytest.raises(UserError, match="rm: the text is shorter than one block of 16 pieces"):
        FullBlocks("rm", shard([3]), (3,), frame(16))
    assert WholeBlocks("rm", shard([3]), (3,), frame(16), "documents").block(0)[0].dtype == torch.int64
