from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from swissxmod.tokenizer.unigram import Count, train_unigram


def train(counts: dict[str, float], size: int, required: str = "") -> dict[str, float]:
    return dict(train_unigram({word: Count(count, count) for word, count in counts.items()}, size, required))


def test_finds_the_parts_that_words_are_made_of() -> None:
    stems, endings = ("▁haus", "▁berg", "▁fluss", "▁dorf"), ("lein", "chen", "wärts")
    counts = {stem + ending: 1.0 for stem in stems for ending in endings}
    characters = len(set("".join(counts)))
    pieces = train(counts, characters + 7)
    assert set(stems) | set(endings) <= pieces.keys()
    assert len(pieces) == characters + 7


def test_probabilities_sum_to_one_at_most() -> None:
    pieces = train({"▁haus": 30, "▁häuser": 20, "▁maus": 10}, 20)
    assert sum(map(math.exp, pieces.values())) <= 1 + 1e-5


def test_what_is_more_frequent_is_preferred() -> None:
    counts = {"▁aaaa": 1000.0, "▁bbbb": 5.0, "▁cccc": 4.0, "▁dddd": 3.0}
    assert "▁aaaa" in train(counts, 6)


def test_weights_decide_and_not_how_often_a_word_was_seen() -> None:
    counts = {"▁aaaa": Count(10, 1.0), "▁bbbb": Count(10, 1000.0)}
    pieces = dict(train_unigram(counts, 4))
    assert "▁bbbb" in pieces and "▁aaaa" not in pieces


def test_required_characters_have_a_piece() -> None:
    assert {"ß", "x"} <= train({"▁haus": 10}, 12, "ßx").keys()


@settings(deadline=None, max_examples=50)
@given(
    st.dictionaries(st.text("abcdefg▁ü", min_size=1, max_size=32), st.integers(1, 50), min_size=1, max_size=30),
    st.integers(8, 40),
)
def test_every_word_can_be_cut_and_the_order_of_words_is_no_matter(counts: dict[str, int], size: int) -> None:
    pieces = train(counts, size)
    assert set("".join(counts)) <= pieces.keys()
    assert len(pieces) <= max(size, len(set("".join(counts))))
    assert list(train(dict(reversed(counts.items())), size).items()) == list(pieces.items())
    scores = list(pieces.values())
    assert scores == sorted(scores, reverse=True)
