from __future__ import annotations

from collections.abc import Callable
from math import erfc

import numpy as np
import pytest

from swissxmod.eval.intervals import _expanded_tail, bootstrap_interval, paired_difference
from swissxmod.tasks.ner_scores import f1
from swissxmod.tasks.sentence_alignment import accuracy
from swissxmod.tasks.word_alignment import alignment_error_rate

Draw = Callable[[np.random.Generator, int], np.ndarray]


def documents(generator: np.random.Generator, n: int) -> np.ndarray:
    """Names found, predicted and in the gold standard: long and short, easy and hard documents."""
    names = np.minimum(generator.geometric(1 / 8, n), 60)
    found = generator.binomial(names, generator.beta(6, 2, n))
    return np.stack([found, found + generator.poisson(names / 4), names], axis=1)


def pairs(generator: np.random.Generator, n: int) -> np.ndarray:
    """Links found, sure, found that are sure, found that are possible, of sentence pairs."""
    sure = generator.integers(3, 25, n)
    hits = generator.binomial(sure, generator.beta(6, 2, n))
    return np.stack([hits + generator.binomial(sure, 0.3), sure, hits, hits], axis=1)


def searched(generator: np.random.Generator, n: int) -> np.ndarray:
    """Translations found in both directions, which are alike."""
    return np.stack([generator.binomial(2, generator.beta(4, 1, n)), np.full(n, 2)], axis=1)


@pytest.mark.slow
@pytest.mark.parametrize("clusters", [20, 100])
@pytest.mark.parametrize(("draw", "statistic"), [(documents, f1), (pairs, alignment_error_rate), (searched, accuracy)])
def test_95_of_100_intervals_have_the_truth_of_clustered_data(
    draw: Draw, statistic: Callable[[np.ndarray], np.ndarray], clusters: int
) -> None:
    truth = statistic(draw(np.random.default_rng(123), 2_000_000).sum(axis=0))
    generator = np.random.default_rng(1)
    trials = 2000
    hits = 0
    for trial in range(trials):
        low, high = bootstrap_interval(draw(generator, clusters), statistic, seed=trial)
        hits += low <= truth <= high
    assert 0.93 <= hits / trials <= 0.97


def test_covers_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    hits = 0
    for trial in range(300):
        right = generator.random((150, 1)) < 0.7
        counts = np.concatenate([right, np.ones_like(right), np.ones_like(right)], axis=1)
        low, high = bootstrap_interval(counts, f1, seed=trial)
        hits += low <= 0.7 <= high
    assert hits / 300 == pytest.approx(0.95, abs=0.03)


def test_is_repeatable_and_narrow_without_variance() -> None:
    counts = np.array([[1, 1, 1], [0, 1, 1]] * 20)
    assert bootstrap_interval(counts, f1, seed=1) == bootstrap_interval(counts, f1, seed=1)
    assert bootstrap_interval(np.array([[1, 2, 2]] * 10), f1, seed=1) == (0.5, 0.5)


def test_a_paired_difference_sees_what_two_intervals_cannot() -> None:
    # Hard and easy documents: each interval is wide, but on each document the one finds a name more.
    others = np.array([[found, 10, 10] for found in (1, 5, 9) * 10])
    counts = others + np.array([1, 0, 0])
    found = paired_difference(counts, others, f1, seed=1)
    assert found == pytest.approx((0.1, 0.1, 0.1, 1 / 2001))
    assert bootstrap_interval(counts, f1, seed=1)[0] < bootstrap_interval(others, f1, seed=1)[1]


def test_of_several_seeds_the_mean_is_compared() -> None:
    generator = np.random.default_rng(0)
    counts, others = (
        np.stack([np.stack([generator.binomial(9, p, 40), np.full(40, 9), np.full(40, 9)], axis=1) for _ in range(3)])
        for p in (0.7, 0.6)
    )
    found = paired_difference(counts, others, f1, seed=1)
    assert found.difference == pytest.approx(np.mean(f1(counts.sum(axis=1))) - np.mean(f1(others.sum(axis=1))))
    assert 0 < found.low < found.difference < found.high and found.p < 0.05
    # One seed in a stack is what it is alone.
    assert paired_difference(counts[:1], others[:1], f1, seed=1) == paired_difference(counts[0], others[0], f1, seed=1)


def test_equal_systems_do_not_differ() -> None:
    counts = np.random.default_rng(0).integers(5, size=(40, 3))
    assert paired_difference(counts, counts, f1, seed=1) == (0, 0, 0, 1)


def test_p_is_below_a_twentieth_once_in_twenty_times_where_there_is_no_difference() -> None:
    generator = np.random.default_rng(0)
    low = 0
    for trial in range(300):
        one, other = (
            np.concatenate([generator.binomial(3, 0.6, size=(60, 1)), np.full((60, 2), 3)], axis=1) for _ in range(2)
        )
        low += paired_difference(one, other, f1, seed=trial).p < 0.05
    assert low / 300 == pytest.approx(0.05, abs=0.035)


def test_few_clusters_leave_out_less_at_each_end() -> None:
    """With t quantiles of a table (2.776 for 5 clusters, 2.093 for 20): the normal tail beyond sqrt(n / (n - 1)) t."""
    tails = [_expanded_tail(n) for n in (5, 20, 100_000)]
    expected = [0.5 * erfc(t * (n / (n - 1) / 2) ** 0.5) for n, t in ((5, 2.776), (20, 2.093), (100_000, 1.96))]
    assert tails == pytest.approx(expected, abs=1e-5) and tails == pytest.approx([0.001, 0.0159, 0.025], abs=1e-4)
    assert _expanded_tail(1) == 0.025
