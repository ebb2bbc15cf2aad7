from __future__ import annotations

import numpy as np
import pytest

from swissxmod.eval.intervals import bootstrap_interval, by_cluster
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


def test_documents_widen_the_interval() -> None:
    sentences = np.array([[1, 1, 1]] * 50 + [[0, 1, 1]] * 50)
    documents = by_cluster(sentences, [str(i // 25) for i in range(100)])
    assert documents.tolist() == [[25, 25, 25]] * 2 + [[0, 25, 25]] * 2
    narrow, wide = (np.diff(bootstrap_interval(counts, f1, seed=1))[0] for counts in (sentences, documents))
    assert wide > 2 * narrow
