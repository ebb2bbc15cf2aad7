"""From pieces to blocks: in smoothed proportion of the languages, in the order of training."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from ...errors import UserError
from ...texts import batched, smoothed_shares
from .shards import BATCH, cut_documents
from .sources import Block, Frame, Source


class Blocks(Sequence[Block]):
    """Blocks of all sources in the order of training, cut one by one when they are asked for."""

    def __init__(self, sources: Sequence[Source], places: NDArray[np.int64]) -> None:
        self.sources = sources
        self.places = places
        """For each block the number of its source, and its place there, shape (blocks, 2)."""

    def __len__(self) -> int:
        """Number of blocks."""
        return len(self.places)

    def __getitem__(self, index: int) -> Block:  # type: ignore[override]
        """A block, as its source makes it."""
        source, place = self.places[index]
        return self.sources[source].block(int(place))

    def pieces(self, count: int) -> dict[str, int]:
        """Pieces of each source in the first ``count`` blocks."""
        begun = self.places[:count]
        return {
            source.name: source.pieces(begun[begun[:, 0] == number, 1]) for number, source in enumerate(self.sources)
        }


def shares_of(texts: Sequence[Source], pairs: Sequence[Source], alpha: float, pair_share: float) -> list[float]:
    """Share of the blocks that each source gives, texts first: smoothed by their characters, pairs among themselves."""
    shares: list[float] = []
    for sources, total in ((texts, 1 - pair_share if pairs else 1.0), (pairs, pair_share)):
        smoothed = smoothed_shares({source.name: source.shard.characters for source in sources}, alpha)
        shares += [total * share for share in smoothed.values()]
    return shares


def draw_blocks(sources: Sequence[Source], shares: Sequence[float], n_blocks: int, seed: int) -> Blocks:
    """Blocks of all sources, shuffled.

    Args:
        sources: what to cut them from; one with less text is read again.
        shares: of the blocks that each source gives, summing to 1.
        n_blocks: how many to draw.
        seed: of the order.
    """
    places = []
    for number, (source, count) in enumerate(zip(sources, _apportion(shares, n_blocks), strict=True)):
        generator = np.random.default_rng([seed, zlib.crc32(source.name.encode())])
        places.append(np.stack([np.full(count, number), source.draw(count, generator)], axis=1))
    order = np.random.default_rng(seed).permutation(n_blocks)
    return Blocks(sources, np.concatenate(places)[order])


def first_blocks(
    documents: Iterator[str],
    tokenizer: PreTrainedTokenizerFast,
    *,
    n_blocks: int,
    frame: Frame,
    name: str,
    language: int,
) -> list[Block]:
    """The first full blocks of some text in its own order, at most ``n_blocks``.

    Args:
        documents: the text.
        tokenizer: cuts it.
        n_blocks: how many to take.
        frame: of a block.
        name: of the language, for the error.
        language: number of its adapter.

    Raises:
        UserError: if there is not one.
    """
    blocks: list[Block] = []
    for ids in _blocks(documents, tokenizer, frame):
        blocks.append((torch.tensor(ids), torch.tensor(language)))
        if len(blocks) == n_blocks:
            break
    if not blocks:
        raise UserError(f"{name}: the text is shorter than one block of {frame.size} pieces")
    return blocks


def _apportion(shares: Sequence[float], total: int) -> list[int]:
    """Whole numbers in proportion to ``shares`` that sum to ``total`` (largest remainders)."""
    counts = [int(share * total) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda number: counts[number] - shares[number] * total)
    for number in by_remainder[: total - sum(counts)]:
        counts[number] += 1
    return counts


def _blocks(documents: Iterator[str], tokenizer: PreTrainedTokenizerFast, frame: Frame) -> Iterator[list[int]]:
    """Documents in a row, each ended by ``</s>``, cut into blocks that begin with ``<s>`` and end with ``</s>``."""
    width = frame.size - 2
    row: list[int] = []
    for batch in batched(documents, BATCH):
        for ids in cut_documents(batch, tokenizer):
            row += ids
            whole = len(row) - len(row) % width
            for start in range(0, whole, width):
                yield [frame.begin, *row[start : start + width], frame.end]
            row = row[whole:]
