"""The strings that a vocabulary is chosen from, and where they are in the words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .lattice import Edges, Floats, Ints, Lattice

LONGEST_PIECE = 16
MOST_SEEDS = 1_000_000


@dataclass(frozen=True)
class Text:
    """Words in a row, longest first; for each position what there is to know."""

    codes: Ints
    """Number of the character in ``alphabet``."""
    alphabet: list[str]
    column: Ints
    """Place in the word."""
    remaining: Ints
    """Characters to the end of the word, this one included."""
    word: Ints
    lengths: Ints
    """Characters of each word."""

    @classmethod
    def of(cls, words: Sequence[str]) -> Text:
        """Lay out words, which are sorted by length."""
        lengths = np.array([len(word) for word in words], np.int32)
        points = np.frombuffer("".join(words).encode("utf-32-le"), np.uint32)
        alphabet, codes = np.unique(points, return_inverse=True)
        starts = np.cumsum(lengths) - lengths
        column = (np.arange(len(codes)) - np.repeat(starts, lengths)).astype(np.int32)
        return cls(
            codes.astype(np.int32),
            [chr(point) for point in alphabet],
            column,
            np.repeat(lengths, lengths) - column,
            np.repeat(np.arange(len(words), dtype=np.int32), lengths),
            lengths,
        )


class Seeds(NamedTuple):
    """The pieces to start from, longest first; the last ones are the characters."""

    texts: list[str]
    weights: Floats
    lengths: Ints
    lattice: Lattice


def find_seeds(words: Sequence[str], weights: Floats, seen: Floats) -> Seeds:
    """Repeated strings within words, whole words that are repeated, and all characters.

    As in SentencePiece a string counts if it is not always followed by the same character: otherwise the longer string
    is as frequent, and stands for it.

    Args:
        words: sorted by length, longest first.
        weights: what each word counts.
        seen: how often each word was seen; a string must be seen twice.
    """
    text = Text.of(words)
    order = _sorted_positions(text)
    chosen = _choose_strings(text, order, weights[text.word], seen[text.word])
    joined = "".join(words)
    texts: list[str] = []
    edges: list[Edges] = []
    for strings in chosen:
        edges += _edges(text, strings.at_positions(order, len(texts)), strings.length)
        texts += [joined[first : first + strings.length] for first in order[strings.start].tolist()]
    edges += _edges(text, text.codes + np.int32(len(texts)), 1)
    return Seeds(
        [*texts, *text.alphabet],
        np.concatenate(
            [*(strings.weight for strings in chosen), np.bincount(text.codes, weights[text.word], len(text.alphabet))]
        ),
        np.array([len(piece) for piece in texts] + [1] * len(text.alphabet), np.int32),
        Lattice(text.lengths, sorted(edges, key=lambda part: part[:2])),
    )


def inner_lattice(lattice: Lattice, lengths: Ints) -> Lattice:
    """All ways to cut each piece into shorter pieces, from a lattice that the pieces occur in.

    Args:
        lattice: of words.
        lengths: characters of each piece, longest first; each occurs in a word.
    """
    starts = np.cumsum(lattice.lengths) - lattice.lengths
    positions_in_all = int(lattice.lengths.sum())
    first = np.zeros(len(lengths), np.int64)
    at: dict[int, Ints] = {}
    for end, length, words, pieces in lattice.edges:
        positions = starts[words] + (end - length)
        if length not in at:
            at[length] = np.full(positions_in_all, -1, np.int32)
        at[length][positions] = pieces
        first[pieces] = positions
    edges = []
    for length, pieces_at in at.items():
        for start in range(LONGEST_PIECE - length + 1):
            reach = int(np.searchsorted(-lengths, -(start + length), side="right"))
            found = pieces_at[first[:reach] + start]
            rows = np.flatnonzero((found >= 0) & (lengths[:reach] > length)).astype(np.int32)
            if len(rows):
                edges.append(Edges(start + length, length, rows, found[rows]))
    return Lattice(lengths, sorted(edges, key=lambda part: part[:2]))


class _Strings(NamedTuple):
    """Strings of one length, each a run of neighbours among the sorted positions."""

    length: int
    start: NDArray[np.intp]
    size: NDArray[np.intp]
    weight: Floats

    def at_positions(self, order: Ints, number: int) -> Ints:
        """For each position the number of the string that starts there, or -1; the first string is ``number``."""
        runs = np.repeat(self.start - (np.cumsum(self.size) - self.size), self.size) + np.arange(self.size.sum())
        at = np.full(len(order), -1, np.int32)
        at[order[runs]] = np.repeat(np.arange(number, number + len(self.size), dtype=np.int32), self.size)
        return at


def _sorted_positions(text: Text) -> Ints:
    """Positions in the order of what follows in the word, by doubling the width that is compared."""
    rank = text.codes.astype(np.int64) + 1
    order = np.arange(len(rank))
    width = 1
    while width < LONGEST_PIECE:
        inside = np.flatnonzero(text.remaining > width)
        later = np.zeros_like(rank)
        later[inside] = rank[inside + width]
        keys = rank * (rank.max() + 1) + later
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        rank[order] = np.cumsum(np.concatenate([[1], ordered[1:] != ordered[:-1]]))
        width *= 2
    return order.astype(np.int32)


def _shared_prefixes(text: Text, order: Ints) -> NDArray[np.int8]:
    """How many characters each sorted position shares with the one before it, within the word."""
    shared = np.zeros(len(order), np.int8)
    alike = np.arange(1, len(order))
    for offset in range(LONGEST_PIECE):
        one, other = order[alike - 1], order[alike]
        inside = (text.remaining[one] > offset) & (text.remaining[other] > offset)
        alike, one, other = alike[inside], one[inside], other[inside]
        alike = alike[text.codes[one + offset] == text.codes[other + offset]]
        shared[alike] += 1
    return shared


def _choose_strings(text: Text, order: Ints, weights: Floats, seen: Floats) -> list[_Strings]:
    """Longest first."""
    shared = _shared_prefixes(text, order)
    weights, seen, remaining = weights[order], seen[order], text.remaining[order]
    starts_word = text.column[order] == 0
    found = []
    for length in range(LONGEST_PIECE, 1, -1):
        start = np.flatnonzero(shared < length)
        size = np.diff(np.append(start, len(order)))
        branches = np.add.reduceat(shared == length, start, dtype=np.int32) > 0
        whole_word = np.logical_or.reduceat(starts_word & (remaining == length), start)
        repeated = np.add.reduceat(seen, start) >= 2
        chosen = (remaining[start] >= length) & (branches | whole_word) & repeated
        weight = np.add.reduceat(weights, start)[chosen]
        found.append(_Strings(length, start[chosen], size[chosen], weight))
    return _most_covering(found)


def _most_covering(found: list[_Strings]) -> list[_Strings]:
    """At most :data:`MOST_SEEDS` strings, those that cover most of the text."""
    covered = np.concatenate([strings.weight * strings.length for strings in found])
    if len(covered) <= MOST_SEEDS:
        return found
    kept = np.zeros(len(covered), bool)
    kept[np.argsort(-covered, kind="stable")[:MOST_SEEDS]] = True
    parts = np.split(kept, np.cumsum([len(strings.start) for strings in found])[:-1])
    return [_Strings(s.length, *(array[part] for array in s[1:])) for s, part in zip(found, parts, strict=True)]


def _edges(text: Text, at: Ints, length: int) -> Iterator[Edges]:
    """The occurrences of all pieces of one length, given the piece at each position (or -1)."""
    positions = np.flatnonzero(at >= 0)
    columns = text.column[positions].astype(np.int8)
    order = np.argsort(columns, kind="stable")
    limits = np.flatnonzero(np.diff(columns[order])) + 1
    for part in np.split(positions[order], limits):
        if len(part):
            yield Edges(int(text.column[part[0]]) + length, length, text.word[part], at[part])
