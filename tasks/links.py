"""Word links from vectors: which words of a sentence and of its translation belong together.

The methods are those of the papers they come from: ``argmax``, ``itermax`` and ``match`` of Jalili Sabet et al. 2020,
"SimAlign", on the cosines of word vectors; ``softmax`` of Dou and Neubig 2021, "awesome-align", on their products;
``agreement`` on cosines, decoded as by Liang et al. 2006, "Alignment by Agreement".

What is compared are the mean vectors of words, as Vamvas et al. 2023 evaluate SwissBERT, or single pieces, as SimAlign
and awesome-align do by default: words are then linked if pieces of theirs are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from scipy.special import softmax as softmax_of
from torch import Tensor

from ..settings import LinkMethod

Links = set[tuple[int, int]]
ROUNDS, DISCOUNT, FEW = 2, 0.9, 2
"""Of itermax: how often, what a word is worth that has a link already, and words that one round is enough for."""
THRESHOLDS: dict[LinkMethod, float] = {"softmax": 1e-3, "agreement": 0.4}
"""What the probability of a link must exceed: of softmax both ways, of agreement the geometric mean of the two."""
TEMPERATURE = 0.1
"""Of agreement: what cosines are divided by."""


class Words(NamedTuple):
    """The words of a sentence that is compared piece by piece."""

    owners: np.ndarray
    """Number of the word that each piece is of, shape (pieces,)."""
    size: int
    """How many there are, those without a piece too."""

    def table(self) -> np.ndarray:
        """1 where a piece is of a word, shape (words, pieces)."""
        return (np.arange(self.size)[:, None] == self.owners).astype(np.float32)

    def weights(self) -> np.ndarray:
        """Of the mean over the pieces of each word, shape (words, pieces); 0 for a word without a piece."""
        table = self.table()
        return table / np.maximum(1, table.sum(axis=1, keepdims=True))

    def means(self, vectors: Tensor) -> Tensor:
        """(..., pieces, hidden) to (..., words, hidden), zero for a word without a piece."""
        index = torch.from_numpy(self.owners)
        sums = vectors.new_zeros(*vectors.shape[:-2], self.size, vectors.shape[-1]).index_add(-2, index, vectors)
        return sums / torch.bincount(index, minlength=self.size).clamp(min=1)[:, None]


PiecesOfWords = tuple[Words, Words]


class Counted(NamedTuple):
    """What counting says of a sentence pair."""

    probabilities: np.ndarray
    """Of each link, shape (n, m)."""
    weight: float
    """In the mean with that of the vectors, from 0 to 1."""


def find_links(
    source: Tensor,
    target: Tensor,
    method: LinkMethod,
    threshold: float | None = None,
    counted: Counted | None = None,
    pieces: PiecesOfWords | None = None,
) -> Links:
    """Links between the words of two sentences, counted from 0.

    Args:
        source: vectors of the words or of their pieces, shape (n, hidden).
        target: those of the other side, shape (m, hidden).
        method: "argmax" links words that are each other's most similar; "itermax" does so a second time for words that
            have no link yet; "match" is the one-to-one linking with the largest sum, every word of the shorter sentence
            gets one; "softmax" links words that both find each other probable, several to one too; "agreement" words
            whose two probabilities have a large geometric mean, so that one side may be less sure.
        threshold: what the probability of a link must exceed with "softmax" and "agreement", instead of their own; with
            the others, what its cosine must exceed (then words without a like have no link).
        counted: what counting says, for "softmax" and "agreement": the threshold is then of the mean of both.
        pieces: of both sides, where the vectors are of pieces: words are linked if one of their pieces is; with
            "agreement" a word is as probable as its pieces together, on the mean over the pieces of the other word.
            A sentence without a piece has no link then, whatever counting says.
    """
    if not len(source) or not len(target):
        return set()
    compare = products if method == "softmax" else similarity
    return choose_links(compare(source, target), method, threshold, counted, pieces)


def choose_links(
    similarities: np.ndarray,
    method: LinkMethod,
    threshold: float | None = None,
    counted: Counted | None = None,
    pieces: PiecesOfWords | None = None,
) -> Links:
    """:func:`find_links` of similarities, shape (n, m); neither is 0."""
    if method in PROBABILITIES:
        probable = PROBABILITIES[method](similarities, pieces)
        if counted is not None:
            probable = (1 - counted.weight) * probable + counted.weight * counted.probabilities
        return _above(probable, THRESHOLDS[method] if threshold is None else threshold)
    found = METHODS[method](similarities)
    if threshold is not None:
        found &= _above(similarities, threshold)
    if pieces is None:
        return found
    source, target = pieces
    return {(int(source.owners[i]), int(target.owners[j])) for i, j in found}


def similarity(source: Tensor, target: Tensor) -> np.ndarray:
    """Cosine of each pair of vectors: (n, hidden) and (m, hidden) to (n, m)."""
    unit = [side / side.norm(dim=-1, keepdim=True).clamp(min=1e-12) for side in (source, target)]
    return products(*unit)


def products(source: Tensor, target: Tensor) -> np.ndarray:
    """Product of each pair of vectors: (n, hidden) and (m, hidden) to (n, m)."""
    return (source @ target.T).detach().float().numpy()


def argmax(similarities: np.ndarray) -> Links:
    """Links of words that are each other's most similar; the first of equals."""
    there, back = similarities.argmax(axis=1), similarities.argmax(axis=0)
    return {(i, int(j)) for i, j in enumerate(there) if back[j] == i}


def itermax(similarities: np.ndarray) -> Links:
    """:func:`argmax`, again with similarities discounted where one of the words has a link, and 0 where both have.

    As SimAlign's code does it: cosines are taken as (1 + cosine) / 2, so that none is less than nothing, and nothing is
    added to sentences of one or two words, or once every word of one side has a link.
    """
    similarities = (1 + similarities) / 2
    found = argmax(similarities)
    if min(similarities.shape) <= FEW:
        return found
    for _ in range(ROUNDS - 1):
        rows, columns = (
            np.isin(np.arange(size), [link[side] for link in found]) for side, size in enumerate(similarities.shape)
        )
        if rows.all() or columns.all():
            break
        weights = np.where(rows[:, None] & columns, 0.0, np.where(rows[:, None] | columns, DISCOUNT, 1.0))
        found |= {(i, j) for i, j in argmax(similarities * weights) if weights[i, j] > 0}
    return found


def match(similarities: np.ndarray) -> Links:
    """The one-to-one links with the largest sum of similarities; as many as the shorter sentence has words."""
    rows, columns = linear_sum_assignment(similarities, maximize=True)
    return {(int(i), int(j)) for i, j in zip(rows, columns, strict=True)}


def softmax(scores: np.ndarray, pieces: PiecesOfWords | None = None) -> np.ndarray:
    """Probability of each link: the smaller of those among the words of either sentence, or of their best pieces."""
    probable = np.minimum(softmax_of(scores, axis=1), softmax_of(scores, axis=0))
    if pieces is None:
        return probable
    source, target = pieces
    best = np.zeros((source.size, target.size), dtype=probable.dtype)
    np.maximum.at(best, (source.owners[:, None], target.owners[None, :]), probable)
    return best


def agreement(similarities: np.ndarray, pieces: PiecesOfWords | None = None) -> np.ndarray:
    """Probability of each link: the geometric mean of those among the words of either sentence."""
    logits = similarities / TEMPERATURE
    there, back = softmax_of(logits, axis=1), softmax_of(logits, axis=0)
    if pieces is not None:
        source, target = pieces
        there, back = source.weights() @ there @ target.table().T, source.table() @ back @ target.weights().T
    return np.sqrt(there * back)


def _above(values: np.ndarray, threshold: float) -> Links:
    return {(int(i), int(j)) for i, j in np.argwhere(values > threshold)}


METHODS: dict[LinkMethod, Callable[[np.ndarray], Links]] = {"argmax": argmax, "itermax": itermax, "match": match}
PROBABILITIES: dict[LinkMethod, Callable[[np.ndarray, PiecesOfWords | None], np.ndarray]] = {
    "softmax": softmax,
    "agreement": agreement,
}
