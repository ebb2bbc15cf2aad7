from __future__ import annotations

import numpy as np
import pytest

from swissxmod.tokenizer import substrings
from swissxmod.tokenizer.substrings import find_seeds


def seeds_of(counts: dict[str, float]) -> dict[str, float]:
    ordered = sorted(counts, key=lambda word: (-len(word), word))
    weights = np.array([counts[word] for word in ordered])
    seeds = find_seeds(ordered, weights, weights)
    return dict(zip(seeds.texts, seeds.weights, strict=True))


def test_repeated_strings_are_seeds_with_what_they_weigh() -> None:
    found = seeds_of({"▁haus": 3, "▁hausen": 1, "▁baus": 1})
    assert found["aus"] == 5 and found["▁haus"] == 4
    assert "▁hau" not in found  # always followed by "s"
    assert "▁hausen" not in found and "▁b" not in found  # seen once
    assert {piece for piece in found if len(piece) == 1} == set("▁hausenb")


def test_a_frequent_word_that_shares_nothing_is_a_seed() -> None:
    assert seeds_of({"▁dapi": 40, "xyz": 1})["▁dapi"] == 40


def test_an_ending_is_a_seed() -> None:
    assert "ung" in seeds_of({"xung": 1, "yung": 1})


def test_of_too_many_strings_those_that_cover_most_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(substrings, "MOST_SEEDS", 2)
    found = seeds_of({"▁ab": 2, "▁cdefg": 30, "▁hij": 40, "▁klm": 20})
    assert {piece for piece in found if len(piece) > 1} == {"▁cdefg", "▁hij"}


def test_no_seed_is_longer_than_a_piece_may_be() -> None:
    assert max(map(len, seeds_of({"a" * 32: 9, "b" * 20: 9}))) == 16
