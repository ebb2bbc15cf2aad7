"""From pieces to blocks: each of one language, in smoothed proportion."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ...errors import UserError
from ...texts import Paths, batched, read_documents, smoothed_shares
from .shards import BATCH, cut_documents, open_shard


class Blocks(Sequence[Tensor]):
    """Blocks of all languages in the order of training, read from the shards one by one.

    A block begins with ``<s>`` and ends with ``</s>``; between is a run of pieces of one language, in which documents
    end with ``</s>``.
    """

    def __init__(
        self, runs: Sequence[NDArray[np.unsignedinteger]], places: NDArray[np.int64], begin: int, end: int, size: int
    ) -> None:
        self.runs = runs
        self.places = places
        """For each block the number of its run, and its first piece there, shape (blocks, 2)."""
        self.begin, self.end, self.size = begin, end, size

    def __len__(self) -> int:
        """Number of blocks."""
        return len(self.places)

    def __getitem__(self, index: int) -> Tensor:  # type: ignore[override]
        """Ids of a block, shape (size,)."""
        run, start = self.places[index]
        inside = self.runs[run][start : start + self.size - 2]
        return torch.tensor([self.begin, *inside.tolist(), self.end], dtype=torch.int32)


def draw_blocks(
    corpora: Mapping[str, Paths],
    tokenizer: PreTrainedTokenizerFast,
    *,
    n_blocks: int,
    block_size: int,
    alpha: float,
    seed: int,
) -> tuple[Blocks, list[str]]:
    """Blocks of all languages, shuffled.

    Args:
        corpora: sources of each language.
        tokenizer: cuts the text.
        n_blocks: how many blocks to draw; a language with less text is read again, cut at other places.
        block_size: pieces of a block, special ones included.
        alpha: exponent of language smoothing.
        seed: of the order.

    Returns:
        the blocks, and the language of each.

    Raises:
        UserError: for text that cannot be read, a damaged shard, or a language with less than one block of text.
    """
    shards = {language: open_shard(paths, tokenizer) for language, paths in corpora.items()}
    shares = smoothed_shares({language: shard.characters for language, shard in shards.items()}, alpha)
    places, languages = [], []
    for number, (language, count) in enumerate(_apportion(shares, n_blocks).items()):
        if (pieces := len(shards[language].pieces)) < block_size - 2:
            raise UserError(f"{language}: the text is shorter than one block of {block_size} pieces")
        generator = np.random.default_rng([seed, zlib.crc32(language.encode())])
        starts = _draw(pieces, count, block_size - 2, generator)
        places.append(np.stack([np.full(count, number), starts], axis=1))
        languages += [language] * count
    order = np.random.default_rng(seed).permutation(n_blocks)
    begin, end = int(tokenizer.bos_token_id), int(tokenizer.eos_token_id)
    runs = [shard.pieces for shard in shards.values()]
    return Blocks(runs, np.concatenate(places)[order], begin, end, block_size), [languages[i] for i in order]


def _draw(pieces: int, count: int, width: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Where ``count`` blocks of ``width`` begin in a run of ``pieces``: all there are come before any comes again."""
    taken = np.zeros(0, np.int64)
    while len(taken) < count:
        # Another pass over the text is cut elsewhere, so that no block comes twice; the first pass loses nothing.
        shift = int(generator.integers(min(width, pieces - width + 1))) if len(taken) else 0
        taken = np.concatenate([taken, generator.permutation(np.arange(shift, pieces - width + 1, width))])
    return taken[:count]


def first_blocks(
    paths: Paths, tokenizer: PreTrainedTokenizerFast, *, n_blocks: int, block_size: int, language: str
) -> Tensor:
    """The first blocks of one language's files in their own order, at most ``n_blocks``.

    Returns:
        ids, shape (blocks, block_size).
    """
    blocks = []
    for block in _blocks(read_documents(paths), tokenizer, block_size):
        blocks.append(block)
        if len(blocks) == n_blocks:
            break
    if not blocks:
        raise UserError(f"{language}: the text is shorter than one block of {block_size} pieces")
    return torch.tensor(blocks, dtype=torch.int32)


def _apportion(shares: Mapping[str, float], total: int) -> dict[str, int]:
    """Whole numbers in proportion to ``shares`` that sum to ``total`` (largest remainders)."""
    counts = {name: int(share * total) for name, share in shares.items()}
    by_remainder = sorted(shares, key=lambda name: counts[name] - shares[name] * total)
    for name in by_remainder[: total - sum(counts.values())]:
        counts[name] += 1
    return counts


def _blocks(documents: Iterator[str], tokenizer: PreTrainedTokenizerFast, size: int) -> Iterator[list[int]]:
    """Documents in a row, each ended by ``</s>``, cut into blocks that begin with ``<s>`` and end with ``</s>``."""
    begin, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    row: list[int] = []
    for batch in batched(documents, BATCH):
        for ids in cut_documents(batch, tokenizer):
            row += ids
            whole = len(row) - len(row) % (size - 2)
            for start in range(0, whole, size - 2):
                yield [begin, *row[start : start + size - 2], end]
            row = row[whole:]
