"""Entity scores as the scorer of the HIPE shared tasks defines them, strict and fuzzy.

Names are compared within a whole document, in the order in which they stand there. What was found is

- right in both regimes, if a gold name has its type and both its ends;
- else set against the first gold name that it overlaps and that no other name found was set against: right in the fuzzy
  regime if the types are the same ("fuzzy boundaries"), wrong in the strict one;
- else too much.

Ehrmann et al. 2020, "Extended overview of CLEF HIPE 2020", section 4; the regimes are "strict" and "type" of
SemEval-2013 task 9.1 (Segura-Bedmar et al. 2013).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .conll import Entity, entities
from .ner_scores import GOLD, HIT, PREDICTED, f1, precision, recall

STRICT, FUZZY = range(2)


def hipe_counts(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], types: Sequence[str]) -> np.ndarray:
    """Names found rightly, found, and in the gold standard.

    What was found and set against a gold name counts for the type of the gold name, as in the official scorer.

    Args:
        gold: valid IOB2 tags of each document.
        predicted: valid IOB2 tags of each document.
        types: entity types, the order of the third axis; others are left out. The official scorer takes those of the
            gold standard.

    Returns:
        shape (documents, 2, types, 3), the second axis strict and fuzzy.
    """
    numbers = {name: number for number, name in enumerate(types)}
    counts = np.zeros((len(gold), 2, len(types), 3), dtype=np.int64)
    for document, gold_tags, predicted_tags in zip(counts, gold, predicted, strict=True):
        right, found = (_in_order(tags, numbers) for tags in (gold_tags, predicted_tags))
        for kind, _, _ in right:
            document[:, numbers[kind], GOLD] += 1
        for kind, strict, fuzzy in _compared(right, found):
            document[:, numbers[kind], PREDICTED] += 1
            document[STRICT, numbers[kind], HIT] += strict
            document[FUZZY, numbers[kind], HIT] += fuzzy
    return counts


def _in_order(tags: Sequence[str], types: Mapping[str, int]) -> list[Entity]:
    return sorted((entity for entity in entities(tags) if entity[0] in types), key=lambda entity: entity[1])


def _compared(gold: Sequence[Entity], found: Sequence[Entity]) -> list[tuple[str, bool, bool]]:
    """For each name found the type it counts for, and whether it is right in the strict and in the fuzzy regime."""
    taken: set[Entity] = set()
    outcomes = []
    for entity in found:
        kind, start, stop = entity
        other = entity if entity in gold else _first_overlap([g for g in gold if g not in taken], start, stop)
        if other is None:
            outcomes.append((kind, False, False))
        else:
            taken.add(other)
            outcomes.append((other[0], other == entity, other[0] == kind))
    return outcomes


def _first_overlap(gold: Sequence[Entity], start: int, stop: int) -> Entity | None:
    return next((entity for entity in gold if entity[1] < stop and start < entity[2]), None)


def macro_by_document(counts: np.ndarray) -> dict[str, float]:
    """Means over documents of precision, recall and F1, of counts (documents, 3).

    Documents without a name found are left out of the mean precision, those without a gold name out of the mean
    recall, those that lack either out of the mean F1; 0 where none is left.
    """
    found, there = counts[:, PREDICTED] > 0, counts[:, GOLD] > 0
    kept = {"precision": (precision, found), "recall": (recall, there), "f1": (f1, found & there)}
    return {name: float(ratio(counts[rows]).mean()) if rows.any() else 0.0 for name, (ratio, rows) in kept.items()}
