"""Confidence intervals by the bootstrap."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

RESAMPLES = 2000
CONFIDENCE = 0.95


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
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(statistic(weights @ counts), [tail, 1 - tail])
    return float(low), float(high)


def by_cluster(counts: np.ndarray, clusters: list[str]) -> np.ndarray:
    """Sum the counts of the items of each cluster: (items, k) to (clusters, k)."""
    names = {name: number for number, name in enumerate(dict.fromkeys(clusters))}
    sums = np.zeros((len(names), counts.shape[1]))
    np.add.at(sums, [names[name] for name in clusters], counts)
    return sums
