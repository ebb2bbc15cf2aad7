"""Where blocks are cut: text of one language, or sentence pairs of two."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import UserError
from ...settings import Packing
from .shards import Shard

Block = tuple[Tensor, Tensor]
"""Ids of shape (n,), and the adapter's number: one for all of them, shape (), or one for each, shape (n,)."""


@dataclass(frozen=True)
class Frame:
    """What every block is made with."""

    begin: int
    end: int
    """Ids of ``<s>`` and ``</s>``."""
    size: int
    """Most pieces of a block, the special ones included."""


class Source(ABC):
    """Text that blocks are cut from. A place is a number that stands for one block."""

    def __init__(self, name: str, shard: Shard, languages: tuple[int, ...], frame: Frame) -> None:
        self.name = name
        self.shard = shard
        self.languages = languages
        """Numbers of the adapters."""
        self.frame = frame

    @property
    @abstractmethod
    def size(self) -> int:
        """Blocks of one pass over the text."""

    @property
    def mean(self) -> float:
        """Pieces of a block on average."""
        return self.pieces(self.draw(self.size, np.random.default_rng(0))) / self.size

    @abstractmethod
    def draw(self, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
        """Places of ``count`` blocks: all there are come before any comes again."""

    @abstractmethod
    def block(self, place: int) -> Block:
        """The block at a place."""

    @abstractmethod
    def pieces(self, places: NDArray[np.int64]) -> int:
        """How many pieces the blocks at these places have together."""


class FullBlocks(Source):
    """Blocks of one length from a run of pieces, in which documents end with ``</s>``."""

    def __init__(self, name: str, shard: Shard, languages: tuple[int, ...], frame: Frame) -> None:
        super().__init__(name, shard, languages, frame)
        self.run, self.width = shard.pieces, frame.size - 2
        if len(self.run) < self.width:
            raise UserError(f"{name}: the text is shorter than one block of {frame.size} pieces")

    @property
    def size(self) -> int:
        """Blocks of one pass."""
        return len(self.run) // self.width

    def draw(self, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
        """Where ``count`` blocks begin in the run."""
        taken = np.zeros(0, np.int64)
        last = len(self.run) - self.width + 1
        while len(taken) < count:
            # Another pass over the text is cut elsewhere, so that no block comes twice; the first pass loses nothing.
            shift = int(generator.integers(min(self.width, last))) if len(taken) else 0
            taken = np.concatenate([taken, generator.permutation(np.arange(shift, last, self.width))])
        return taken[:count]

    def block(self, place: int) -> Block:
        """``<s>``, a part of the run, ``</s>``."""
        ids = [self.frame.begin, *self.run[place : place + self.width].tolist(), self.frame.end]
        return torch.tensor(ids), torch.tensor(self.languages[0])

    def pieces(self, places: NDArray[np.int64]) -> int:
        """All blocks are of one length."""
        return len(places) * self.frame.size


class WholeBlocks(Source):
    """Blocks that end where documents do: of as many whole ones as fit, or of a single one; a longer one is cut."""

    def __init__(self, name: str, shard: Shard, languages: tuple[int, ...], frame: Frame, packing: Packing) -> None:
        super().__init__(name, shard, languages, frame)
        self.run = shard.pieces
        cut = _cut_each if packing == "documents" else _cut_joined
        # What ends with a document ends with its </s>; what is cut before gets one: both have room for <s> and </s>.
        self.starts, self.stops = cut(np.asarray(shard.ends), frame.size - 2)

    @property
    def size(self) -> int:
        """Blocks of one pass."""
        return len(self.starts)

    def draw(self, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
        """Numbers of ``count`` blocks."""
        return draw_all(self.size, count, generator)

    def block(self, place: int) -> Block:
        """``<s>``, the documents, each with its ``</s>``."""
        ids = [self.frame.begin, *self.run[self.starts[place] : self.stops[place]].tolist()]
        if ids[-1] != self.frame.end:
            ids.append(self.frame.end)
        return torch.tensor(ids), torch.tensor(self.languages[0])

    def pieces(self, places: NDArray[np.int64]) -> int:
        """Blocks differ in length."""
        stops = self.stops[places]
        unended = self.run[stops - 1] != self.frame.end
        return int((stops - self.starts[places] + 1 + unended).sum())


class PairBlocks(Source):
    """One sentence and its translation, in either order, each piece with the adapter of its language.

    Translation language modelling (Conneau and Lample 2019, "Cross-lingual Language Model Pretraining", section 3.3);
    the form ``<s> A </s></s> B </s>`` is that of XLM-R's tokenizer, with positions that run on.
    """

    def __init__(self, name: str, shard: Shard, languages: tuple[int, ...], frame: Frame) -> None:
        super().__init__(name, shard, languages, frame)
        if not len(self.fitting):
            raise UserError(f"{name}: no sentence pair fits a block of {frame.size} pieces")

    @cached_property
    def fitting(self) -> NDArray[np.int64]:
        """Numbers of the pairs that fit a block; longer ones are left out."""
        ends = np.asarray(self.shard.ends)[1::2]
        lengths = np.diff(ends, prepend=0) + 2
        return np.flatnonzero(lengths <= self.frame.size)

    @property
    def size(self) -> int:
        """Blocks of one pass."""
        return len(self.fitting)

    def draw(self, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
        """Twice the number of a pair, and one more where the second sentence comes first."""
        pairs = self.fitting[draw_all(self.size, count, generator)]
        return 2 * pairs + generator.integers(2, size=count)

    def block(self, place: int) -> Block:
        """``<s> A </s></s> B </s>``."""
        pair, turned = divmod(int(place), 2)
        sides = [self._side(2 * pair + side) for side in (turned, 1 - turned)]
        ids = [self.frame.begin, *sides[0], self.frame.end, *sides[1]]
        first, second = self.languages[turned], self.languages[1 - turned]
        lang_ids = [first] * (1 + len(sides[0])) + [second] * (1 + len(sides[1]))
        return torch.tensor(ids), torch.tensor(lang_ids)

    def _side(self, number: int) -> list[int]:
        start = int(self.shard.ends[number - 1]) if number else 0
        return self.shard.pieces[start : int(self.shard.ends[number])].tolist()

    def pieces(self, places: NDArray[np.int64]) -> int:
        """Blocks differ in length."""
        lengths = np.diff(np.asarray(self.shard.ends)[1::2], prepend=0)
        return int((lengths[places // 2] + 2).sum())


def draw_all(size: int, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """``count`` of the first ``size`` numbers: all of them come before any comes again."""
    passes = [generator.permutation(size) for _ in range(-(-count // size))]
    return np.concatenate([np.zeros(0, np.int64), *passes])[:count]


def _cut_each(ends: NDArray[np.int64], width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts and stops of parts of at most ``width``, each of one document."""
    begins = np.concatenate([[0], ends[:-1]])
    parts = -(-(ends - begins) // width)
    number = np.arange(parts.sum()) - np.repeat(np.cumsum(parts) - parts, parts)
    starts = np.repeat(begins, parts) + number * width
    return starts, np.minimum(starts + width, np.repeat(ends, parts))


def _cut_joined(ends: NDArray[np.int64], width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts and stops of parts of at most ``width`` that end with a document, unless one document is longer."""
    bounds = [0]
    while bounds[-1] < ends[-1]:
        limit = bounds[-1] + width
        last = int(np.searchsorted(ends, limit, side="right")) - 1
        whole = last >= 0 and ends[last] > bounds[-1]
        bounds.append(int(ends[last]) if whole else limit)
    return np.array(bounds[:-1]), np.array(bounds[1:])
