from __future__ import annotations

import itertools
from random import Random
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax as softmax_of

from swissxmod.settings import LinkMethod
from swissxmod.tasks.links import Counted, Words, argmax, choose_links, find_links, itermax, match, similarity


def table(rows: int, columns: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((rows, columns))


sizes = st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(0, 1000))


def test_matching_by_hand() -> None:
    # Greedy would take 0-0 (0.9) and be left with 1-1 (0.0); together 0-1 and 1-0 are worth more.
    assert match(np.array([[0.9, 0.8], [0.8, 0.0]])) == {(0, 1), (1, 0)}
    assert match(np.array([[0.1, 0.9, 0.3]])) == {(0, 1)}


@given(sizes)
def test_no_other_matching_is_worth_more(size: tuple[int, int, int]) -> None:
    values = table(*size)
    values = values if values.shape[0] <= values.shape[1] else values.T
    rows, columns = values.shape
    best = max(sum(values[i, j] for i, j in enumerate(each)) for each in itertools.permutations(range(columns), rows))
    assert sum(values[i, j] for i, j in match(values)) == pytest.approx(best)


def test_argmax_by_hand() -> None:
    # Word 1 likes 0 best, which likes 0 better; word 2 and column 2 like each other, though not much.
    values = np.array([[0.9, 0.2, 0.1], [0.8, 0.7, 0.0], [0.1, 0.2, 0.3]])
    assert argmax(values) == {(0, 0), (2, 2)}
    assert argmax(np.ones((2, 2))) == {(0, 0)}


@given(sizes)
def test_argmax_links_are_the_largest_of_their_row_and_column(size: tuple[int, int, int]) -> None:
    values = table(*size)
    expected = {
        (i, j)
        for i, j in itertools.product(range(size[0]), range(size[1]))
        if values[i, j] == values[i].max() == values[:, j].max()
    }
    assert argmax(values) == expected


def test_itermax_by_hand() -> None:
    def linked(first: float, second: float, third: float, fourth: float) -> set[tuple[int, int]]:
        """Words 0 and 1 of both sides; a third one is like nothing and no match of its like."""
        values = np.full((3, 3), -0.9)
        values[:2, :2] = [[first, second], [third, fourth]]
        return itermax(values)

    # Round 1 links 0-0. In round 2, 1-0 (0.9 * (1 + 0.8) / 2 = 0.81) and 1-1 ((1 + 0.6) / 2 = 0.8) compete for word 1:
    # 1-0 wins, and is the best of column 0 too, as 0-0 counts nothing; of column 1 0-1 (0.9 * 0.6) is less than 1-1.
    assert linked(0.9, 0.2, 0.8, 0.6) == {(0, 0), (1, 0)}
    # With 0.65 word 1 takes its own.
    assert linked(0.9, 0.2, 0.8, 0.65) == {(0, 0), (1, 1)}
    # A discount makes less of a negative cosine too: -0.2 is 0.4, and 0.36 with it, less than the 0.38 of -0.24.
    assert linked(0.9, -0.8, -0.2, -0.24) == {(0, 0), (1, 1)}


def test_itermax_stops_where_simalign_stops() -> None:
    short = np.array([[0.9, 0.2], [0.8, 0.65]])
    assert itermax(short) == argmax(short) == {(0, 0)}
    # Every word of the shorter side has its link; the fourth of the other one stays without.
    values = np.vstack([np.eye(3), [0.9, 0, 0]])
    assert itermax(values) == {(0, 0), (1, 1), (2, 2)}
    assert itermax(values.T) == {(0, 0), (1, 1), (2, 2)}


@given(sizes)
def test_itermax_only_adds_to_argmax(size: tuple[int, int, int]) -> None:
    values = table(*size)
    first, found = argmax(values), itermax(values)
    assert first <= found
    linked = {i for i, _ in first}, {j for _, j in first}
    assert all(i not in linked[0] or j not in linked[1] for i, j in found - first)


@given(sizes)
def test_softmax_needs_both_directions(size: tuple[int, int, int]) -> None:
    values = 20 * table(*size)
    there, back = softmax_of(values, axis=1), softmax_of(values, axis=0)
    expected = {tuple(map(int, place)) for place in np.argwhere((there > 0.001) & (back > 0.001))}
    assert choose_links(values, "softmax") == expected


def test_agreement_by_hand() -> None:
    # Word 0 shares its probability between two words that it alone fits: 1/2 one way, near 1 the other; the geometric
    # mean is 0.71. Word 1 prefers column 2, which prefers it: 1 and 1.
    found = np.array([[0.9, 0.9, 0.0], [0.0, 0.0, 0.8]])
    assert choose_links(found, "agreement") == choose_links(found, "agreement", 0.7) == {(0, 0), (0, 1), (1, 2)}
    assert choose_links(found, "agreement", 0.72) == {(1, 2)}
    # softmax asks both ways for as much, and does not see what a word shares.
    assert choose_links(found / 0.1, "softmax", 0.7) == {(1, 2)}


@given(sizes, st.floats(0.3, 0.9))
def test_agreement_is_the_geometric_mean_of_both_directions(size: tuple[int, int, int], threshold: float) -> None:
    values = table(*size)
    grid = np.exp(values / 0.1)
    expected = {
        (i, j)
        for i, j in itertools.product(range(size[0]), range(size[1]))
        if grid[i, j] ** 2 / grid[i].sum() / grid[:, j].sum() > threshold**2
    }
    assert choose_links(values, "agreement", threshold) == expected


def test_words_are_linked_by_their_pieces() -> None:
    # Word 0 has two pieces; the second one and word 1 of the other side find each other, the first one and its word 0.
    values = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.1], [0.1, 0.0, 0.7]])
    pieces = Words(np.array([0, 0, 1]), 2), Words(np.array([0, 1, 2]), 4)
    for method in ("argmax", "match"):
        assert choose_links(values, method, pieces=pieces) == {(0, 0), (0, 1), (1, 2)}
    assert choose_links(values, "argmax", 0.75, pieces=pieces) == {(0, 0), (0, 1)}
    assert choose_links(20 * values, "softmax", 0.5, pieces=pieces) == {(0, 0), (0, 1), (1, 2)}
    # Either half of word 0 prefers another word, so that both are half as probable from there.
    assert choose_links(values, "agreement", 0.6, pieces=pieces) == {(0, 0), (0, 1), (1, 2)}
    assert choose_links(values, "agreement", 0.75, pieces=pieces) == {(1, 2)}


def test_a_word_is_as_probable_by_softmax_as_its_best_piece() -> None:
    # Each piece of word 0 is shared by two words of one piece: a half twice, which does not add up to one.
    pieces = Words(np.array([0, 0]), 1), Words(np.array([0, 1]), 2)
    assert choose_links(np.ones((2, 2)), "softmax", 0.45, pieces=pieces) == {(0, 0), (0, 1)}
    assert choose_links(np.ones((2, 2)), "softmax", 0.55, pieces=pieces) == set()


def test_counting_is_of_words_where_pieces_are_compared() -> None:
    pieces = Words(np.array([0, 0, 2]), 3), Words(np.array([0, 1]), 2)
    counts = np.array([[0.0, 0.9], [0.8, 0.0], [0.1, 0.1]])
    for method in ("softmax", "agreement"):
        found = choose_links(np.eye(3, 2), method, 0.5, Counted(counts, 1.0), pieces)
        assert found == {(0, 1), (1, 0)}  # word 1 has no piece, and counting knows it all the same


@given(sizes, st.sampled_from(get_args(LinkMethod)), st.sampled_from([None, 0.3]))
def test_words_of_one_piece_are_linked_as_words(
    size: tuple[int, int, int], method: LinkMethod, threshold: float | None
) -> None:
    values = table(*size)
    pieces = Words(np.arange(size[0]), size[0]), Words(np.arange(size[1]), size[1] + 1)
    assert choose_links(values, method, threshold, pieces=pieces) == choose_links(values, method, threshold)


@given(sizes, st.randoms(use_true_random=False))
def test_a_word_is_as_probable_as_its_pieces_together(size: tuple[int, int, int], random: Random) -> None:
    values = table(*size)
    owners = [sorted(random.choices(range(4), k=count)) for count in size[:2]]
    grid = np.exp(values / 0.1)
    there, back = grid / grid.sum(axis=1, keepdims=True), grid / grid.sum(axis=0)
    expected = set()
    for i, j in itertools.product(*map(set, owners)):
        rows, columns = (
            [place for place, word in enumerate(side) if word == own] for side, own in zip(owners, (i, j), strict=True)
        )
        first = np.mean([sum(there[row, column] for column in columns) for row in rows])
        second = np.mean([sum(back[row, column] for row in rows) for column in columns])
        if (first * second) ** 0.5 > 0.4:
            expected.add((i, j))
    pieces = Words(np.array(owners[0]), 4), Words(np.array(owners[1]), 4)
    assert choose_links(values, "agreement", 0.4, pieces=pieces) == expected


@given(sizes, st.sampled_from(["argmax", "itermax", "match"]), st.floats(0, 0.9))
def test_words_without_a_like_have_no_link_above_a_threshold(
    size: tuple[int, int, int], method: LinkMethod, threshold: float
) -> None:
    values = table(*size)
    every = choose_links(values, method)
    assert choose_links(values, method, threshold) == {link for link in every if values[link] > threshold}


def test_counting_is_averaged_with_the_vectors() -> None:
    # Probabilities by the vectors: 0.93 and 0.30, 0.07 and 0.44.
    values, counts = np.array([[0.8, 0.6], [0.4, 0.5]]), np.array([[0.9, 0.0], [0.9, 0.0]])
    found = {
        weight: choose_links(values, "agreement", 0.38, Counted(counts, weight)) for weight in (0.0, 0.2, 0.4, 1.0)
    }
    assert found == {0.0: {(0, 0), (1, 1)}, 0.2: {(0, 0)}, 0.4: {(0, 0), (1, 0)}, 1.0: {(0, 0), (1, 0)}}


def test_softmax_compares_products_and_the_others_cosines() -> None:
    # By cosine the long vector is no nearer than the short one; by product it is, by far.
    source, target = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.1], [20.0, 2.1]])
    assert find_links(source, target, "softmax") == {(0, 1)}
    assert find_links(source, target, "argmax") == find_links(source, target, "match") == {(0, 0)}


def test_similarity_is_the_cosine() -> None:
    found = similarity(torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, 1.0], [-3.0, 0.0], [0.0, 0.0]]))
    np.testing.assert_allclose(found, [[0.5**0.5, -1, 0]], atol=1e-6)


@pytest.mark.parametrize("method", get_args(LinkMethod))
def test_a_sentence_without_a_word_has_no_links(method: LinkMethod) -> None:
    assert find_links(torch.zeros(0, 4), torch.ones(3, 4), method) == set()
    assert find_links(torch.ones(3, 4), torch.zeros(0, 4), method) == set()


def test_vectors_may_be_of_a_model_that_learns_or_computes_in_half_precision() -> None:
    source, target = torch.eye(3, requires_grad=True), torch.eye(3)[[1, 0, 2]]
    expected = {(0, 1), (1, 0), (2, 2)}
    assert find_links(source, target, "match") == expected
    assert find_links(source.bfloat16(), target.bfloat16(), "argmax") == expected
