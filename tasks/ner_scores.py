"""Entity scores: counts in, ratios out. Strict: type and both ends must agree (CoNLL-2003, ``seqeval`` strict IOB2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .conll import entities

HIT, PREDICTED, GOLD = range(3)


def entity_counts(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], types: Sequence[str]
) -> np.ndarray:
    """Entities found rightly, predicted, and in the gold standard.

    Args:
        gold: valid IOB2 tags of each sentence.
        predicted: valid IOB2 tags of each sentence.
        types: entity types, the order of the second axis; others are not counted.

    Returns:
        shape (sentences, types, 3).
    """
    numbers = {name: number for number, name in enumerate(types)}
    counts = np.zeros((len(gold), len(types), 3), dtype=np.int64)
    for row, gold_tags, predicted_tags in zip(counts, gold, predicted, strict=True):
        right, guessed = entities(gold_tags), entities(predicted_tags)
        for column, found in ((HIT, right & guessed), (PREDICTED, guessed), (GOLD, right)):
            for name, _, _ in found:
                if name in numbers:
                    row[numbers[name], column] += 1
    return counts


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return np.where(denominator > 0, numerator / np.where(denominator > 0, denominator, 1), 0.0)


def precision(counts: np.ndarray) -> np.ndarray:
    """Share of predicted entities that are right, of counts (..., 3); 0 where none was predicted."""
    return _ratio(counts[..., HIT], counts[..., PREDICTED])


def recall(counts: np.ndarray) -> np.ndarray:
    """Share of gold entities that were found, of counts (..., 3); 0 where there is none."""
    return _ratio(counts[..., HIT], counts[..., GOLD])


def f1(counts: np.ndarray) -> np.ndarray:
    """Harmonic mean of precision and recall, of counts (..., 3); 0 where there is neither."""
    return _ratio(2 * counts[..., HIT], counts[..., PREDICTED] + counts[..., GOLD])
