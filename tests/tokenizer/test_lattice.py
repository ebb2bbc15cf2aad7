from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swissxmod.tokenizer.substrings import Seeds, find_seeds, inner_lattice

words = st.dictionaries(st.text("ab▁c", min_size=1, max_size=7), st.floats(0.5, 9), min_size=1, max_size=6)


def cuts(word: str, pieces: dict[str, int]) -> Iterator[list[int]]:
    """All ways to cut a word, one by one."""
    if not word:
        yield []
    for length in range(1, len(word) + 1):
        if word[:length] in pieces:
            for rest in cuts(word[length:], pieces):
                yield [pieces[word[:length]], *rest]


def laid_out(counts: dict[str, float]) -> tuple[list[str], np.ndarray]:
    ordered = sorted(counts, key=lambda word: (-len(word), word))
    return ordered, np.array([counts[word] for word in ordered])


def scored(counts: dict[str, float], chance: Random) -> tuple[list[str], np.ndarray, Seeds, dict[str, int], np.ndarray]:
    """The words with their weights, and all seeds with their numbers and chance scores."""
    ordered, weights = laid_out(counts)
    seeds = find_seeds(ordered, weights, weights * 0 + 2)
    numbers = {piece: number for number, piece in enumerate(seeds.texts)}
    return ordered, weights, seeds, numbers, np.array([math.log(chance.uniform(0.01, 1)) for _ in numbers])


@settings(deadline=None)
@given(words, st.randoms(use_true_random=False))
def test_expected_counts_are_those_of_all_cuts_one_by_one(counts: dict[str, float], chance: Random) -> None:
    ordered, weights, seeds, numbers, scores = scored(counts, chance)
    expected = np.zeros(len(numbers))
    for word, weight in zip(ordered, weights, strict=True):
        ways = list(cuts(word, numbers))
        probabilities = np.array([math.exp(sum(scores[piece] for piece in way)) for way in ways])
        for way, probability in zip(ways, probabilities / probabilities.sum(), strict=True):
            np.add.at(expected, way, weight * probability)
    found = seeds.lattice.expected_counts(scores, seeds.lengths, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@settings(deadline=None)
@given(words, st.randoms(use_true_random=False))
def test_the_best_cut_is_the_best_of_all(counts: dict[str, float], chance: Random) -> None:
    ordered, _, seeds, numbers, scores = scored(counts, chance)
    whole, walk = seeds.lattice.best_cuts(scores)
    cut: list[list[int]] = [[] for _ in ordered]
    for rows, pieces in walk:
        for row, piece in zip(rows, pieces, strict=True):
            cut[row].insert(0, piece)
    for word, score, way in zip(ordered, whole, cut, strict=True):
        assert score == pytest.approx(max(sum(scores[piece] for piece in other) for other in cuts(word, numbers)))
        assert "".join(seeds.texts[piece] for piece in way) == word
        assert sum(scores[piece] for piece in way) == pytest.approx(score)


def test_a_piece_is_cut_into_others_only() -> None:
    ordered, weights = laid_out({"abab": 2.0, "ab": 2.0, "xab": 2.0})
    seeds = find_seeds(ordered, weights, weights)
    inner = inner_lattice(seeds.lattice, seeds.lengths)
    by_piece: dict[str, set[str]] = {piece: set() for piece in seeds.texts}
    for _, _, rows, parts in inner.edges:
        for row, part in zip(rows, parts, strict=True):
            by_piece[seeds.texts[row]].add(seeds.texts[part])
    assert by_piece == {
        "abab": {"ab", "a", "b"},
        "xab": {"x", "ab", "a", "b"},
        "ab": {"a", "b"},
        "a": set(),
        "b": set(),
        "x": set(),
    }


def test_no_word_is_too_long_for_probabilities_in_linear_scale() -> None:
    """32 characters, each as rare as can be, and a frequent word: neither vanishes."""
    ordered, weights = laid_out({"z" * 32: 1.0, "a": 1e9})
    seeds = find_seeds(ordered, weights, weights)
    scores = np.where([piece == "a" for piece in seeds.texts], 0.0, math.log(0.14 / 1e9))
    found = dict(zip(seeds.texts, seeds.lattice.expected_counts(scores, seeds.lengths, weights), strict=True))
    assert found["a"] == pytest.approx(1e9)
    assert sum(len(piece) * found[piece] for piece in found if "z" in piece) == pytest.approx(32)
