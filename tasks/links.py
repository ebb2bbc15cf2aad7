"""Word links from vectors: which words of a sentence and of its translation belong together.

The methods are those of the papers they come from: ``argmax``, ``itermax`` and ``match`` of Jalili Sabet et al. 2020,
"SimAlign", on the cosines of word vectors; ``softmax`` of Dou and Neubig 2021, "awesome-align", on their products.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import softmax as softmax_of
from torch import Tensor

from ..settings import LinkMethod

Links = set[tuple[int, int]]
ROUNDS, DISCOUNT = 2, 0.9
"""Of itermax: how often, and what a word is worth that has a link already."""
THRESHOLD = 1e-3
"""Of softmax: what both probabilities of a link must exceed."""


def find_links(source: Tensor, target: Tensor, method: LinkMethod) -> Links:
    """Links between the words of two sentences, counted from 0.

    Args:
        source: vectors of the words, shape (n, hidden).
        target: vectors of the words of the other side, shape (m, hidden).
        method: "argmax" links words that are each other's most similar; "itermax" does so a second time for words that
            have no link yet; "match" is the one-to-one linking with the largest sum, every word of the shorter sentence
            gets one; "softmax" links words that both find each other probable, several to one too.
    """
    if not len(source) or not len(target):
        return set()
    compare = products if method == "softmax" else similarity
    return METHODS[method](compare(source, target))


def similarity(source: Tensor, target: Tensor) -> np.ndarray:
    """Cosine of each pair of vectors: (n, hidden) and (m, hidden) to (n, m)."""
    unit = [side / side.norm(dim=-1, keepdim=True).clamp(min=1e-12) for side in (source, target)]
    return products(*unit)


def products(source: Tensor, target: Tensor) -> np.ndarray:
    """Product of each pair of vectors: (n, hidden) and (m, hidden) to (n, m)."""
    return (source @ target.T).numpy()


def argmax(similarities: np.ndarray) -> Links:
    """Links of words that are each other's most similar; the first of equals."""
    there, back = similarities.argmax(axis=1), similarities.argmax(axis=0)
    return {(i, int(j)) for i, j in enumerate(there) if back[j] == i}


def itermax(similarities: np.ndarray) -> Links:
    """:func:`argmax`, again with similarities discounted where one of the words has a link, and 0 where both have."""
    found = argmax(similarities)
    for _ in range(ROUNDS - 1):
        rows, columns = (
            np.isin(np.arange(size), [link[side] for link in found]) for side, size in enumerate(similarities.shape)
        )
        weights = np.where(rows[:, None] & columns, 0.0, np.where(rows[:, None] | columns, DISCOUNT, 1.0))
        found |= {(i, j) for i, j in argmax(similarities * weights) if weights[i, j] > 0}
    return found


def match(similarities: np.ndarray) -> Links:
    """The one-to-one links with the largest sum of similarities; as many as the shorter sentence has words."""
    rows, columns = linear_sum_assignment(similarities, maximize=True)
    return {(int(i), int(j)) for i, j in zip(rows, columns, strict=True)}


def softmax(scores: np.ndarray) -> Links:
    """Links whose probability is above the threshold among the words of either sentence."""
    probable = (softmax_of(scores, axis=1) > THRESHOLD) & (softmax_of(scores, axis=0) > THRESHOLD)
    return {(int(i), int(j)) for i, j in np.argwhere(probable)}


METHODS: dict[LinkMethod, Callable[[np.ndarray], Links]] = {
    "argmax": argmax,
    "itermax": itermax,
    "match": match,
    "softmax": softmax,
}
