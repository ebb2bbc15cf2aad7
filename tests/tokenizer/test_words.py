from __future__ import annotations

import pytest

from swissxmod import UserError
from swissxmod.texts import smoothed_shares
from swissxmod.tokenizer.words import CountedText, count_parts, count_words, smoothed_counts


def counted(documents: list[str], limit: int = 10**9, seed: str = "1") -> CountedText:
    return count_words(lambda: documents, str.split, limit=limit, seed=seed, title="")


def test_counts_words_and_characters() -> None:
    text = counted(["ina chasa", "ina muntogna"])
    assert text.words == {"ina": 2, "chasa": 1, "muntogna": 1}
    assert (text.characters, text.share) == (21, 1.0)


def test_beyond_the_limit_documents_are_drawn() -> None:
    documents = [f"w{number} xx" for number in range(4000)]
    whole = counted(documents)
    drawn = counted(documents, limit=10_000)
    assert drawn.characters <= 10_000
    assert drawn.share == 0.25
    assert drawn.size == pytest.approx(whole.characters, rel=0.1)
    assert drawn.words != counted(documents, limit=10_000, seed="2").words
    assert drawn.words == counted(documents, limit=10_000).words


def test_a_single_document_beyond_the_limit_is_read() -> None:
    assert counted(["x " * 5000], limit=1000).words == {"x": 5000}
    for seed in "123456":
        assert counted(["x " * 5000, "y " * 5000], limit=1000, seed=seed).words["x"] == 5000


def test_small_languages_are_lifted_by_weight() -> None:
    texts = {"large": counted(["aa " * 1000]), "small": counted(["bb " * 10])}
    seen, weights, shares = smoothed_counts(texts, alpha=0.0, minimum=0.0)
    assert seen == {"aa": 1000, "bb": 10}
    assert weights["aa"] == pytest.approx(weights["bb"])
    assert shares == {"large": 0.5, "small": 0.5}
    seen, weights, shares = smoothed_counts(texts, alpha=1.0, minimum=0.25)
    assert weights["bb"] / (weights["aa"] + weights["bb"]) == pytest.approx(0.25)
    assert shares == {"large": pytest.approx(0.75), "small": pytest.approx(0.25)}


def test_parts_are_counted_over_words_and_long_ones_cut() -> None:
    parts = count_parts(
        {"a-b": 2, "b": 1, "c" * 40: 1}, {"a-b": 4.0, "b": 0.5, "c" * 40: 1.0}, lambda w: w.split("-"), "a"
    )
    assert parts == {"b": (3, 4.5), "c" * 32: (1, 1.0), "c" * 8: (1, 1.0)}


def test_smoothing_lifts_the_small_language() -> None:
    sizes = {"large": 10_000, "small": 100}
    assert smoothed_shares(sizes, 1)["small"] == pytest.approx(100 / 10_100)
    assert smoothed_shares(sizes, 0)["small"] == pytest.approx(0.5)
    # 100 ** 0.3 : 10000 ** 0.3 = 3.981 : 15.849
    assert smoothed_shares(sizes, 0.3)["small"] == pytest.approx(0.2008, abs=1e-4)
    with pytest.raises(UserError, match="no text for none"):
        smoothed_shares({"large": 1, "none": 0}, 0.3)


def test_the_least_share_is_taken_from_the_others_in_proportion() -> None:
    shares = smoothed_shares({"a": 600, "b": 300, "c": 90, "d": 10}, 1, 0.1)
    assert shares == {
        name: pytest.approx(share) for name, share in {"a": 8 / 15, "b": 4 / 15, "c": 0.1, "d": 0.1}.items()
    }
    with pytest.raises(UserError, match=r"min_share: 4 languages cannot all have 0.3; at most 0.25"):
        smoothed_shares({"a": 1, "b": 1, "c": 1, "d": 1}, 1, 0.3)
