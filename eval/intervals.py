"""Confidence intervals by the bootstrap, and differences of systems that were measured on the same items."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import norm, t

RESAMPLES = 2000
_AT_ONCE = 500
"""Resamples to hold at once, so that memory does not grow with their number."""
_TAIL = 0.025
Statistic = Callable[[np.ndarray], np.ndarray]
"""From sums of counts, (..., k), to values, (...)."""


def bootstrap_interval(counts: np.ndarray, statistic: Statistic, *, seed: int) -> tuple[float, float]:
    """95% interval of a statistic of summed counts, from resampled clusters (Efron 1979; as in Koehn 2004).

    It is the expanded percentile interval of Hesterberg (2015, "What Teachers Should Know About the Bootstrap",
    section 3.3): the plain one is too narrow where there are few clusters, as its spread lacks the factor n / (n - 1)
    and its ends are of the normal distribution, not of Student's. Of 20 clusters it takes the quantiles 1.6% and 98.4%,
    of 300 the usual ones. What it covers in simulations is told in docs/evaluation.md. All resamples agree where all
    clusters do, such as where every answer is right: the interval is then a point, and says nothing.

    Args:
        counts: counts of each cluster (document or sentence), shape (clusters, k).
        statistic: of the sums.
        seed: of the resampling.

    Returns:
        both ends.
    """
    counts = np.asarray(counts, dtype=float)
    generator = np.random.default_rng(seed)
    n = len(counts)
    weights = generator.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    return _ends(statistic(weights @ counts), n)


def _ends(values: np.ndarray, clusters: int) -> tuple[float, float]:
    tail = _expanded_tail(clusters)
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def _expanded_tail(n: int) -> float:
    """What to leave out at each end for 95% (Hesterberg 2015); of one cluster nothing can be said."""
    return float(norm.cdf(np.sqrt(n / (n - 1)) * t.ppf(_TAIL, n - 1))) if n > 1 else _TAIL


def by_cluster(counts: np.ndarray, clusters: Sequence[str]) -> np.ndarray:
    """Sum the counts of the items of each cluster: (items, k) to (clusters, k), in order of appearance."""
    names = {name: number for number, name in enumerate(dict.fromkeys(clusters))}
    sums = np.zeros((len(names), counts.shape[1]))
    np.add.at(sums, [names[name] for name in clusters], counts)
    return sums


class Difference(NamedTuple):
    """How much better one of two systems is."""

    difference: float
    low: float
    high: float
    """Ends of the 95% interval."""
    p: float
    """How probable a difference as large would be if the systems were alike, two-sided."""


def paired_difference(
    counts: np.ndarray, others: np.ndarray, statistic: Statistic, *, seed: int, resamples: int = RESAMPLES
) -> Difference:
    """Difference of a statistic between two systems measured on the same clusters.

    The interval is that of the paired bootstrap (Koehn 2004), with the ends of :func:`bootstrap_interval`; the p-value
    is that of approximate randomisation (Noreen 1989): both systems' counts of a cluster change sides by the toss of a
    coin. Of systems trained with several seeds the statistic is the mean over them, and a cluster is drawn, or changes
    sides, with all seeds at once: the chance of training is not in the interval.

    Args:
        counts: of each cluster, shape (clusters, k), or (seeds, clusters, k).
        others: of the system to compare with, in the same order; the same shape.
        statistic: of the sums.
        seed: of the resampling.
        resamples: how many; the smallest p-value that can be is 1 / (resamples + 1).
    """
    counts, others = _with_seeds(counts), _with_seeds(others)
    generator = np.random.default_rng(seed)

    def gap(own: np.ndarray, other: np.ndarray) -> np.ndarray:
        return (statistic(own) - statistic(other)).mean(axis=0)

    n = counts.shape[1]
    told = float(gap(counts.sum(axis=1), others.sum(axis=1)))
    # Clusters with the same counts are one kind, drawn as often as there are: the same distribution in less time.
    kinds, sizes = _kinds(counts, others)
    one, other = counts[:, kinds], others[:, kinds]
    parts = _parts(resamples)
    drawn = (generator.multinomial(n, sizes / n, size=part).astype(float) for part in parts)
    low, high = _ends(np.concatenate([gap(weights @ one, weights @ other) for weights in drawn]), n)
    # Where both have the same counts, changing sides changes nothing.
    differing = (counts != others).any(axis=(0, 2))
    moves = others[:, differing] - counts[:, differing]
    totals = counts.sum(axis=1, keepdims=True), others.sum(axis=1, keepdims=True)
    as_large = 0
    for part in parts:
        moved = generator.integers(2, size=(part, moves.shape[1])).astype(float) @ moves
        chance = np.abs(gap(totals[0] + moved, totals[1] - moved))
        # Rounding must not tell apart what is equal; the arrangement that was seen is one of them.
        as_large += int((chance >= abs(told) - 1e-12).sum())
    return Difference(told, low, high, (as_large + 1) / (resamples + 1))


def _with_seeds(counts: np.ndarray) -> np.ndarray:
    counts = np.asarray(counts, dtype=float)
    return counts if counts.ndim == 3 else counts[None]


def _kinds(counts: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first cluster of each kind, and how many there are."""
    rows = np.concatenate([counts, others], axis=2).swapaxes(0, 1).reshape(counts.shape[1], -1)
    _, first, sizes = np.unique(rows, axis=0, return_index=True, return_counts=True)
    return first, sizes


def _parts(resamples: int) -> list[int]:
    return [min(_AT_ONCE, resamples - start) for start in range(0, resamples, _AT_ONCE)]


def holm(values: Sequence[float]) -> list[float]:
    """P-values of several comparisons, adjusted so that one false finding among them is as rare as one p-value says.

    Holm (1979): the smallest is multiplied by the number of comparisons, the next by one less, and so on.
    """
    adjusted, largest = [0.0] * len(values), 0.0
    for rank, number in enumerate(sorted(range(len(values)), key=lambda i: values[i])):
        largest = max(largest, min(1.0, (len(values) - rank) * values[number]))
        adjusted[number] = largest
    return adjusted
