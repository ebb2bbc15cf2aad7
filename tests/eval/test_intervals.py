from __future__ import annotations

import numpy as np
import pytest

from swissxmod.eval.intervals import bootstrap_interval, paired_difference
from swissxmod.tasks.ner_scores import f1


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
