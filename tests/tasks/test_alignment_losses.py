from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from swissxmod.tasks.alignment_losses import (
    in_batch,
    late_interaction,
    likely_links,
    link_logits,
    link_loss,
    word_means,
    word_similarities,
)


def mask(*lengths: int, longest: int) -> torch.Tensor:
    return torch.arange(longest)[None] < torch.tensor(lengths)[:, None]


def test_words_are_unit_means_of_their_pieces() -> None:
    states = torch.tensor(
        [[[9.0, 9.0], [1.0, 0.0], [1.0, 2.0], [0.0, 4.0]], [[5.0, 0.0], [9.0, 9.0], [9.0, 9.0], [9.0, 9.0]]]
    )
    vectors, there = word_means(states, torch.tensor([[-1, 0, 0, 1], [0, -1, -1, -1]]))
    expected = torch.tensor([[[0.5**0.5, 0.5**0.5], [0.0, 1.0]], [[1.0, 0.0], [0.0, 0.0]]])
    torch.testing.assert_close(vectors, expected)
    assert there.tolist() == [[True, True], [True, False]]


def test_late_interaction_by_hand() -> None:
    # Best of each source word: 0.9, 0.3; of each target word: 0.9, 0.3, 0.2.
    similarities = torch.tensor([[0.9, 0.1, 0.2], [0.0, 0.3, -0.5]])[None, None]
    found = late_interaction(similarities, mask(2, longest=2), mask(3, longest=3))
    assert found.item() == pytest.approx((1.2 / 2 + 1.4 / 3) / 2)


@given(st.integers(0, 1000))
def test_padding_changes_nothing(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    source, target = torch.randn(2, 3, 4, generator=generator), torch.randn(2, 5, 4, generator=generator)
    n, m = mask(3, 2, longest=3), mask(4, 5, longest=5)
    wide = [torch.cat([side, torch.randn(2, 2, 4, generator=generator)], dim=1) for side in (source, target)]
    wide_masks = mask(3, 2, longest=5), mask(4, 5, longest=7)
    few, many = word_similarities(source, target), word_similarities(*wide)
    torch.testing.assert_close(late_interaction(few, n, m), late_interaction(many, *wide_masks))
    own = [similar[range(2), range(2)] for similar in (few, many)]
    lost = []
    for similar, (rows, columns) in zip(own, ((n, m), wide_masks), strict=True):
        words = rows[:, :, None] & columns[:, None]
        logits = link_logits(similar, words, 0.1)
        links = likely_links(logits, words, torch.full(similar.shape, 0.5), 0.5)
        assert not links[~words].any()
        lost.append(link_loss(logits, links))
    torch.testing.assert_close(*lost)


def test_the_own_translation_is_told_from_the_others() -> None:
    scores, none = torch.tensor([[0.5, 0.1], [0.3, 0.4]]), torch.zeros(2, 2, dtype=torch.bool)

    def lost(own: float, other: float) -> float:
        return math.log(1 + math.exp((other - own) / 0.1))

    rows, columns = lost(0.5, 0.1) + lost(0.4, 0.3), lost(0.5, 0.3) + lost(0.4, 0.1)
    assert in_batch(scores, none, 0.1).item() == pytest.approx((rows + columns) / 4, rel=1e-5)
    # A text that is the same is no wrong answer.
    same = torch.tensor([[False, True], [True, False]])
    assert in_batch(scores, same, 0.1).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("guidance", "expected"),
    [
        (0.0, [[True, False], [False, True]]),  # the vectors alone: 0.93 and 0.30, 0.07 and 0.44
        (0.4, [[True, False], [True, False]]),  # together: 0.92 and 0.18, 0.40 and 0.27
        (1.0, [[True, False], [True, False]]),  # counting alone: 0.9 and 0, 0.9 and 0
    ],
)
def test_vectors_and_counts_choose_the_links_together(guidance: float, expected: list[list[bool]]) -> None:
    similarities, words = torch.tensor([[[0.8, 0.6], [0.4, 0.5]]]), torch.ones(1, 2, 2, dtype=torch.bool)
    counted = torch.tensor([[[0.9, 0.0], [0.9, 0.0]]])
    logits = link_logits(similarities, words, 0.1)
    assert likely_links(logits, words, counted, guidance)[0].tolist() == expected


def test_links_are_lost_in_both_directions_by_hand() -> None:
    similarities, words = torch.tensor([[[0.8, 0.1], [0.6, 0.2]]]), torch.ones(1, 2, 2, dtype=torch.bool)
    there, back = math.exp(8) / (math.exp(8) + math.exp(1)), math.exp(8) / (math.exp(8) + math.exp(6))
    links = torch.tensor([[[True, False], [False, False]]])
    expected = -(math.log(there) + math.log(back)) / 2
    logits = link_logits(similarities, words, 0.1)
    assert link_loss(logits, links).item() == pytest.approx(expected, rel=1e-5)
    assert link_loss(logits, torch.zeros_like(links)).item() == 0
