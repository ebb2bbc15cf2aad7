from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swissxmod.tasks.conll import entities
from swissxmod.tasks.hipe_scores import FUZZY, STRICT, hipe_counts, macro_by_document
from swissxmod.tasks.ner_scores import entity_counts
from swissxmod.tasks.schemes import to_iob2

TYPES = ["loc", "pers"]


def tagged(length: int, *names: tuple[str, int, int]) -> list[str]:
    """IOB2 of names with a type, a start and a stop."""
    tags = ["O"] * length
    for kind, start, stop in names:
        tags[start:stop] = [f"B-{kind}", *[f"I-{kind}"] * (stop - start - 1)]
    return tags


def told(gold: list[str], found: list[str], types: list[str] = TYPES) -> tuple[list[list[int]], list[list[int]]]:
    """Names right, found and gold: of both regimes over all types, and of the fuzzy one by type."""
    counts = hipe_counts([gold], [found], types)[0]
    return counts.sum(axis=1).tolist(), counts[FUZZY].tolist()


@pytest.mark.parametrize(
    ("gold", "found", "strict", "fuzzy"),
    [
        ([("pers", 1, 4)], [("pers", 1, 4)], [1, 1, 1], [1, 1, 1]),
        # One end is wrong: wrong strictly, right fuzzily.
        ([("pers", 1, 4)], [("pers", 1, 3)], [0, 1, 1], [1, 1, 1]),
        # Both ends are right, the type is not.
        ([("pers", 1, 4)], [("loc", 1, 4)], [0, 1, 1], [0, 1, 1]),
        ([("pers", 1, 4)], [("loc", 2, 5)], [0, 1, 1], [0, 1, 1]),
        ([("pers", 1, 4)], [("pers", 4, 6)], [0, 1, 1], [0, 1, 1]),
        ([("pers", 1, 4)], [], [0, 0, 1], [0, 0, 1]),
        ([], [("pers", 1, 4)], [0, 1, 0], [0, 1, 0]),
        # A gold name is found once: the second part of it is too much.
        ([("pers", 1, 6)], [("pers", 1, 3), ("pers", 3, 6)], [0, 2, 1], [1, 2, 1]),
        # One found over two gold names is set against the first only.
        ([("pers", 1, 3), ("pers", 3, 6)], [("pers", 1, 6)], [0, 1, 2], [1, 1, 2]),
        # ... even if only the second has its type.
        ([("loc", 1, 3), ("pers", 3, 6)], [("pers", 1, 6)], [0, 1, 2], [0, 1, 2]),
        # The first part takes the gold name, though the second has the type.
        ([("pers", 1, 6)], [("loc", 1, 3), ("pers", 3, 6)], [0, 2, 1], [0, 2, 1]),
        # What the first part takes, the second cannot; it is set against the next.
        ([("pers", 0, 3), ("loc", 3, 6)], [("pers", 0, 2), ("loc", 2, 5)], [0, 2, 2], [2, 2, 2]),
    ],
)
def test_worked_examples(
    gold: list[tuple[str, int, int]], found: list[tuple[str, int, int]], strict: list[int], fuzzy: list[int]
) -> None:
    assert told(tagged(8, *gold), tagged(8, *found))[0] == [strict, fuzzy]


def test_what_is_found_with_another_type_counts_for_the_type_of_the_gold_name() -> None:
    assert told(tagged(4, ("pers", 0, 2)), tagged(4, ("loc", 0, 2)))[1] == [[0, 0, 0], [0, 1, 1]]
    assert told(tagged(4, ("pers", 0, 2)), tagged(4, ("loc", 2, 4)))[1] == [[0, 1, 0], [0, 0, 1]]


def test_types_that_are_not_asked_for_are_left_out() -> None:
    gold, found = tagged(6, ("pers", 0, 2), ("loc", 3, 5)), tagged(6, ("pers", 0, 2), ("prod", 3, 5))
    assert told(gold, found, ["pers"])[0] == [[1, 1, 1]] * 2


tags = st.lists(st.sampled_from(["O", "B-loc", "I-loc", "B-pers", "I-pers"]), min_size=12, max_size=12)


@given(tags, tags)
def test_strict_is_that_of_conll_and_fuzzy_never_less(one: list[str], other: list[str]) -> None:
    gold, found = to_iob2([(one, [""] * 12), (other, [""] * 12)], "lenient")
    counts = hipe_counts([gold], [found], TYPES)[0].sum(axis=1)
    assert counts[STRICT].tolist() == entity_counts([gold], [found], TYPES)[0].sum(axis=0).tolist()
    assert counts[STRICT, 0] <= counts[FUZZY, 0] <= min(len(entities(gold)), len(entities(found)))


def test_means_over_documents_leave_out_those_where_a_score_says_nothing() -> None:
    # Three of four found; nothing found where one was; one found where none was; nothing at all.
    counts = np.array([[3, 3, 4], [0, 0, 1], [0, 1, 0], [0, 0, 0]])
    means = macro_by_document(counts)
    assert means == pytest.approx({"precision": (1 + 0) / 2, "recall": (0.75 + 0) / 2, "f1": 6 / 7})
    assert macro_by_document(counts[3:]) == {"precision": 0, "recall": 0, "f1": 0}
