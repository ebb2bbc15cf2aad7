"""All ways to cut many words into pieces, at once.

At most one piece of a given length ends in a given column of a word. So the edges of all words that share end and
length are two arrays, a step of the usual recurrences is one operation on arrays, and its sums have one order, whatever
the number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LONGEST_WORD = 32
"""Words must not be longer: the probability of a whole word is a plain float."""
NATS = 2.0
"""About what a character costs. Probabilities are scaled by exp(NATS) per character, so that those of whole words stay
within float64. Every way to cut a word covers the same characters, so the factor cancels."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]


class Edges(NamedTuple):
    """All pieces of one length that end in one column of a word."""

    end: int
    length: int
    words: Ints
    pieces: Ints


@dataclass(frozen=True)
class Lattice:
    """All ways to cut some words."""

    lengths: Ints
    """Characters of each word, longest word first: the words that reach a column are the first ones."""
    edges: list[Edges]
    """By column, so that what an edge continues is complete when its turn comes."""

    def expected_counts(self, log_probabilities: Floats, piece_lengths: Ints, weights: Floats) -> Floats:
        """How often each piece occurs, in expectation over all ways to cut each word (forward-backward).

        Args:
            log_probabilities: of each piece.
            piece_lengths: characters of each piece.
            weights: how often each word occurs; every word can be cut.
        """
        probabilities = np.exp(log_probabilities + NATS * piece_lengths)
        forward = self._columns(0.0)
        forward[0][:] = 1.0
        for end, length, words, pieces in self.edges:
            forward[end][words] += forward[end - length][words] * probabilities[pieces]
        backward = self._columns(0.0)
        for end, same in self._ends():
            backward[end][same] = weights[same] / forward[end][same]
        counts = np.zeros(len(probabilities))
        for end, length, words, pieces in reversed(self.edges):
            after = backward[end][words] * probabilities[pieces]
            counts += np.bincount(pieces, forward[end - length][words] * after, len(counts))
            backward[end - length][words] += after
        return counts

    def best_cuts(self, scores: Floats) -> tuple[Floats, Iterator[tuple[NDArray[np.intp], Ints]]]:
        """The best way to cut each word (Viterbi).

        Returns:
            the score of each word's best cut, minus infinity where there is none; and these cuts, as pairs of arrays:
            words, and a piece of each.
        """
        best = self._columns(-np.inf)
        best[0][:] = 0.0
        lengths = [np.zeros(len(column), np.int32) for column in best]
        last = [np.zeros(len(column), np.int32) for column in best]
        for end, length, words, pieces in self.edges:
            score = best[end - length][words] + scores[pieces]
            better = score > best[end][words]
            chosen = words[better]
            best[end][chosen] = score[better]
            lengths[end][chosen] = length
            last[end][chosen] = pieces[better]
        whole = np.concatenate([best[end][words] for end, words in self._ends()])
        return whole, self._backwards(np.isfinite(whole), lengths, last)

    def _backwards(
        self, possible: NDArray[np.bool_], lengths: list[Ints], last: list[Ints]
    ) -> Iterator[tuple[NDArray[np.intp], Ints]]:
        column = np.where(possible, self.lengths, 0)
        for end in range(len(last) - 1, 0, -1):
            words = np.flatnonzero(column[: len(last[end])] == end)
            yield words, last[end][words]
            column[words] -= lengths[end][words]

    def with_pieces(self, new_numbers: Ints) -> Lattice:
        """The pieces renumbered; those with a negative number are gone."""
        edges = []
        for end, length, words, pieces in self.edges:
            renumbered = new_numbers[pieces]
            kept = renumbered >= 0
            edges.append(Edges(end, length, words[kept], renumbered[kept]))
        return Lattice(self.lengths, edges)

    def _columns(self, value: float) -> list[Floats]:
        """For each column an array with an element for each word that reaches it."""
        longest = int(self.lengths[0]) if len(self.lengths) else 0
        return [np.full(np.searchsorted(-self.lengths, -column, side="right"), value) for column in range(longest + 1)]

    def _ends(self) -> Iterator[tuple[int, slice]]:
        """Each length with the words that have it."""
        limits = np.flatnonzero(np.diff(self.lengths)) + 1
        for start, stop in zip([0, *limits], [*limits, len(self.lengths)], strict=True):
            if stop > start:
                yield int(self.lengths[start]), slice(int(start), int(stop))
