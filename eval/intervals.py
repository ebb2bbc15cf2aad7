"""Confidence intervals by the bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

RESAMPLES = 2000
_TAILS = (0.025, 0.975)


def bootstrap_interval(
    counts: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], *, seed: int
) -> tuple[float, float]:
    """95% percentile interval of a statistic of summed counts (Efron 1979; clusters as in Koehn 2004).

    Args:
        counts: counts of each cluster (document or sentence), shape (clusters, k).
        statistic: from sums of counts, (..., k), to values, (...).
        seed: of the resampling.

    Returns:
        both ends.
    """
    counts = np.asarray(counts, dtype=float)
    generator = np.random.default_rng(seed)
    n = len(counts)
    weights = generator.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    low, high = np.quantile(statistic(weights @ counts), _TAILS)
    return float(low), float(high)


def by_cluster(counts: np.ndarray, clusters: Sequence[str]) -> np.ndarray:
    """Sum the counts of the items of each cluster: (items, k) to (clusters, k)."""
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
    counts: np.ndarray, others: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], *, seed: int
) -> Difference:
    """Difference of a statistic between two systems measured on the same clusters.

    The interval is that of the paired bootstrap (Koehn 2004), the p-value that of approximate randomisation (Noreen
    1989): both systems' counts of a cluster change sides by the toss of a coin.

    Args:
        counts: of each cluster, shape (clusters, k).
        others: of the system to compare with, in the same order.
        statistic: from sums of counts, (..., k), to values, (...).
        seed: of the resampling.
    """
    counts, others = np.asarray(counts, dtype=float), np.asarray(others, dtype=float)
    generator = np.random.default_rng(seed)
    n = len(counts)
    told = float(statistic(counts.sum(axis=0)) - statistic(others.sum(axis=0)))
    weights = generator.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    low, high = np.quantile(statistic(weights @ counts) - statistic(weights @ others), _TAILS)
    swapped = generator.integers(2, size=(RESAMPLES, n))
    moved = swapped @ (others - counts)
    chance = np.abs(statistic(counts.sum(axis=0) + moved) - statistic(others.sum(axis=0) - moved))
    # Rounding must not tell apart what is equal; the arrangement that was seen is one of them.
    as_large = int((chance >= abs(told) - 1e-12).sum())
    return Difference(told, float(low), float(high), (as_large + 1) / (RESAMPLES + 1))
