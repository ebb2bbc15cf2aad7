"""Training a unigram vocabulary from counted words (Kudo 2018, "Subword Regularization", section 3.2).

The method is SentencePiece's: start from all repeated strings; in turns estimate the probability of each piece, by
expectation maximisation over all ways to cut the words, and drop the pieces that the likelihood misses least. The
strings to start from are counted in all words, there once in each different word.

Why not the trainer of ``tokenizers``: it sums in the order of a hash table, so that two runs differ in the last digits
and with them in the order of the pieces; it takes no weights, which language smoothing needs; and at 50,000 pieces
its vocabulary needs a tenth to a third more pieces per word than SentencePiece's (``benchmarks/vocabulary.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma
from tqdm.auto import tqdm

from .lattice import Floats, Ints
from .substrings import find_seeds, inner_lattice

SHRINKING = 0.75
"""Share of the pieces that a round keeps."""
SPARE = 1.1
"""Pruning stops at this multiple of the size; what is too much then goes by probability."""
SUB_ROUNDS = 2
FEWEST = 0.5
"""A piece that is expected less often is dropped. These four are SentencePiece's values."""


class Count(NamedTuple):
    """A word of the corpus."""

    seen: float
    """How often it occurs."""
    weight: float
    """What it counts: ``seen``, more of a small language, less of a large one."""


def train_unigram(counts: Mapping[str, Count], size: int, required: Collection[str] = ()) -> list[tuple[str, float]]:
    """Choose the pieces that make the words most likely.

    Args:
        counts: the words, of at most :data:`~swissxmod.tokenizer.lattice.LONGEST_WORD` characters each.
        size: number of pieces. Every character of the words, and of ``required``, is one.
        required: characters that must have a piece, seen or not.

    Returns:
        pieces with their log probabilities, best first: fewer than ``size`` where the words support no more, more
        where there are more characters.
    """
    words = sorted(counts, key=lambda word: (-len(word), word))
    pieces = _Pieces(words, np.array([counts[word] for word in words], np.float64))
    enough = max(int(size * SPARE), sum(len(text) == 1 for text in pieces.texts))
    seeds = len(pieces.texts)
    with tqdm(total=max(0, seeds - enough), desc="dropping pieces", unit="piece", disable=None, leave=False) as bar:
        while True:
            for _ in range(SUB_ROUNDS):
                pieces.estimate()
                bar.update(seeds - len(pieces.texts) - bar.n)
            if len(pieces.texts) <= enough:
                return _finish(dict(zip(pieces.texts, pieces.scores.tolist(), strict=True)), size, required)
            pieces.prune(max(enough, int(len(pieces.texts) * SHRINKING)))


class _Pieces:
    """The pieces that are left, and the ways to cut the words into them."""

    def __init__(self, words: list[str], counts: Floats) -> None:
        seen, self.weights = counts.T.copy()
        self.texts, weights, self.lengths, self.lattice = find_seeds(words, self.weights, seen)
        covered = weights * self.lengths
        self.scores: Floats = np.log(covered) - np.log(covered.sum())

    def estimate(self) -> None:
        """One round of expectation maximisation. Characters always stay: every word must have a way to be cut."""
        expected = self.lattice.expected_counts(self.scores, self.lengths, self.weights)
        kept = (expected >= FEWEST) | (self.lengths == 1)
        self._keep(kept)
        expected = np.maximum(expected[kept], FEWEST)
        # The digamma of a Bayesian estimate makes what is rare rarer still, and so the vocabulary sparse.
        self.scores = digamma(expected) - digamma(expected.sum())

    def prune(self, size: int) -> None:
        """Keep the characters and, up to ``size``, the pieces whose loss would cost the most likelihood."""
        worth = np.where(self.lengths == 1, np.inf, self._worth())
        kept = worth > -np.inf
        kept[np.argsort(-worth, kind="stable")[size:]] = False
        self._keep(kept)

    def _worth(self) -> Floats:
        """What the likelihood loses when each piece is replaced by the best cut into others.

        Minus infinity for a piece that is on no best cut; infinity for one that nothing can replace.
        """
        inner = inner_lattice(self.lattice, self.lengths)
        used = np.zeros(len(self.texts))
        for words, found in self.lattice.best_cuts(self.scores)[1]:
            used += np.bincount(found, self.weights[words], len(used))
        total = used.sum()
        replacement, cuts = inner.best_cuts(self.scores)
        parts = np.zeros(len(used))
        replaced = np.zeros(len(used))
        with np.errstate(divide="ignore", invalid="ignore"):
            for pieces, part in cuts:
                parts[pieces] += 1
                replaced[pieces] += np.log(used[part] + used[pieces])
            # Without the piece its parts are used that much more often, and there are that many more pieces in all.
            replaced -= parts * np.log(total + used * (parts - 1))
            worth = used / total * (np.log(used) - np.log(total) - replaced)
        worth[np.isneginf(replacement)] = np.inf
        worth[used == 0] = -np.inf
        return worth

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        new_numbers: Ints = np.where(kept, np.cumsum(kept) - 1, -1).astype(np.int32)
        self.texts = [self.texts[number] for number in np.flatnonzero(kept)]
        self.lengths, self.scores = self.lengths[kept], self.scores[kept]
        self.lattice = self.lattice.with_pieces(new_numbers)


def _finish(scores: dict[str, float], size: int, required: Collection[str]) -> list[tuple[str, float]]:
    lowest = min(scores.values(), default=0.0)
    characters = {piece: score for piece, score in scores.items() if len(piece) == 1}
    characters |= dict.fromkeys(set(required) - characters.keys(), lowest)
    others = sorted(scores.keys() - characters.keys(), key=lambda piece: (-scores[piece], piece))
    chosen = characters | {piece: scores[piece] for piece in others[: max(0, size - len(characters))]}
    # Six digits, so that processors whose logarithms differ in the last one still agree.
    return sorted(((piece, round(score, 6)) for piece, score in chosen.items()), key=lambda item: (-item[1], item[0]))
