from __future__ import annotations

import random
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swissxmod.tasks.statistical_alignment import _diagonal, _forward_backward, _Side, link_probabilities

WORDS = {f"wort{letter}": f"pled{letter}" for letter in "abcdefghijklmnop"}
Pair = tuple[list[str], list[str]]


def sentences(number: int) -> list[Pair]:
    """Sentences of five words and their translations, in which two neighbours have changed places."""
    generator = random.Random(0)
    pairs = []
    for _ in range(number):
        words = generator.sample(list(WORDS), 5)
        place = generator.randrange(4)
        order = [*words[:place], words[place + 1], words[place], *words[place + 2 :]]
        pairs.append((words, [WORDS[word] for word in order]))
    return pairs


def test_words_that_occur_together_are_linked_wherever_they_stand() -> None:
    pairs = sentences(200)
    for (source, target), table in zip(pairs, link_probabilities(pairs), strict=True):
        translations = np.array([[WORDS[word] == other for other in target] for word in source])
        assert table.dtype == np.float16 and table[translations].min() > 0.6 > 0.2 > table[~translations].max()


def test_a_word_without_a_translation_has_no_link() -> None:
    pairs = [([*source[:2], "gar", *source[2:]], target) for source, target in sentences(100)] + sentences(200)
    assert max(table[2].max() for table in link_probabilities(pairs)[:100]) < 0.5


def test_of_two_equal_words_the_one_beside_its_noun_is_linked() -> None:
    generator = random.Random(0)
    nouns = [generator.sample(list(WORDS), 2) for _ in range(300)]
    pairs = [([first, "der", second], ["il", WORDS[first], "il", WORDS[second]]) for first, second in nouns]
    for table in link_probabilities(pairs):
        assert table[1, 2] > 0.8 > 0.6 > table[1, 0]


def test_only_the_beginning_of_a_word_counts() -> None:
    pairs = sentences(50)
    forms = random.Random(1)
    inflected = [
        ([word.upper() for word in source], [word + forms.choice(["s", "as"]) for word in target])
        for source, target in pairs
    ]
    for one, other in zip(link_probabilities(pairs), link_probabilities(inflected), strict=True):
        np.testing.assert_array_equal(one, other)


def test_sentences_without_words_have_empty_tables() -> None:
    assert [table.shape for table in link_probabilities([([], ["ina"]), ([], [])])] == [(0, 1), (0, 0)]
    with_others = link_probabilities([([], []), *sentences(5)])
    assert with_others[0].shape == (0, 0) and all(table.shape == (5, 5) for table in with_others[1:])


@pytest.mark.parametrize("markov", [False, True])
def test_links_get_surer_with_every_round(markov: bool) -> None:
    pairs = sentences(100)
    ids = {word: number for number, word in enumerate(WORDS)} | {word: i for i, word in enumerate(WORDS.values())}
    words = np.array([[ids[word] for word in target] for _, target in pairs])
    cells = words[:, :, None] * len(WORDS) + np.array([[ids[word] for word in source] for source, _ in pairs])[:, None]
    side = _Side(np.arange(len(WORDS) ** 2) % len(WORDS), len(WORDS))
    sure = []
    for _ in range(4):
        links, jumps = side.links(cells, words, markov=markov)
        assert (links >= 0).all() and (links.sum(axis=2) <= 1 + 1e-5).all()
        right = words[:, :, None] == cells % len(WORDS)
        sure.append(links[right].mean())
        linked, alone = np.zeros(len(WORDS) ** 2), np.zeros(len(WORDS))
        np.add.at(linked, cells, links)
        np.add.at(alone, words, 1 - links.sum(axis=2))
        side.learn(linked, alone, jumps)
    assert sure == sorted(sure) and sure[-1] > sure[0]


def test_a_word_comes_rather_from_its_own_place_in_the_sentence() -> None:
    near = _diagonal(3, 6)
    np.testing.assert_allclose(near.sum(axis=1), 1, rtol=1e-6)
    assert [set(row.argsort()[-2:].tolist()) for row in near] == [{0, 1}, {2, 3}, {4, 5}]
    # A third of the sentence farther away: exp(-4 / 3) as probable.
    assert near[0, 3] / near[0, 1] == pytest.approx(np.exp(-4 / 3), rel=1e-6)


@given(st.integers(0, 1000))
def test_forward_backward_is_the_sum_over_all_paths(seed: int) -> None:
    generator = np.random.default_rng(seed)
    given_words, jumps = generator.uniform(0.1, 1, (2, 3, 2)), generator.uniform(0.1, 1, 81)
    came, counted = _forward_backward(given_words, jumps)
    expected, expected_jumps = np.zeros((2, 3, 2)), np.zeros((2, 81))
    for pair, path in product(range(2), np.ndindex(2, 2, 2)):
        steps = [40 + to - start for start, to in pairwise((-1, *path))]
        moves = [
            jumps[step] / sum(jumps[40 + to - start] for to in range(2))
            for step, start in zip(steps, (-1, *path), strict=False)
        ]
        weight = np.prod(moves) * np.prod([given_words[pair, word, place] for word, place in enumerate(path)])
        expected[pair, range(3), path] += weight
        np.add.at(expected_jumps[pair], steps[1:], weight)
    total = expected.sum(axis=2)
    np.testing.assert_allclose(came, expected / total[:, :, None], rtol=1e-5)
    np.testing.assert_allclose(counted, (expected_jumps / total[:, :1]).sum(axis=0), rtol=1e-4, atol=1e-7)
