from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swissxmod.tasks.decoding import Decoder

LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


def valid(path: tuple[str, ...]) -> bool:
    return all(tag[0] != "I" or before[1:] == tag[1:] for before, tag in zip(("O", *path), path, strict=False))


@given(st.integers(1, 4), st.integers(0, 10_000))
def test_the_best_valid_path_of_all(words: int, seed: int) -> None:
    scores = np.log(np.random.default_rng(seed).dirichlet(np.ones(5), size=words))
    numbers = range(len(LABELS))

    def score(path: tuple[int, ...]) -> float:
        return sum(scores[word, label] for word, label in enumerate(path))

    paths = [path for path in product(numbers, repeat=words) if valid(tuple(LABELS[n] for n in path))]
    found = Decoder(LABELS)(scores)
    assert score(tuple(found)) == pytest.approx(max(map(score, paths)))
    assert valid(tuple(LABELS[n] for n in found))


def test_a_weak_begin_is_better_than_a_broken_name() -> None:
    # O, I-PER is best word by word; with the second as sure as that, the first must begin the name.
    scores = np.log([[0.5, 0.4, 0.04, 0.03, 0.03], [0.02, 0.02, 0.9, 0.03, 0.03]])
    assert [LABELS[n] for n in Decoder(LABELS)(scores)] == ["B-PER", "I-PER"]


def test_no_words_have_no_tags() -> None:
    assert Decoder(LABELS)(np.zeros((0, 5))).tolist() == []
