from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from swissxmod.tasks.stance_scores import confusion, label_f1, macro_f1

labels = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=20)


@given(labels)
def test_macro_f1_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    gold, found = np.array(pairs).T
    total = confusion(gold, found, 3).sum(axis=0)
    assert macro_f1(total) == pytest.approx(f1_score(gold, found, average="macro"))
    each = f1_score(gold, found, average=None, labels=[0, 1, 2], zero_division=np.nan)
    np.testing.assert_allclose(label_f1(total), each)


def test_by_hand() -> None:
    # Gold FAVOR 3, AGAINST 2; found rightly 2 and 1: F1 2*2/(3+3) and 2*1/(2+2).
    gold, found = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 0, 1])
    assert macro_f1(confusion(gold, found, 2).sum(axis=0)) == pytest.approx((4 / 6 + 2 / 4) / 2)
