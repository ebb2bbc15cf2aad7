from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from swissxmod import VocabTrain, load_tokenizer, train_vocabulary
from swissxmod.tokenizer.likeness import likeness_vectors
from swissxmod.tokenizer.pipeline import splitter, wrap_tokenizer
from swissxmod.tokenizer.transplant import Source, Transplant, plan_transplant, sparsemax


@pytest.fixture(scope="module")
def new_vocab(tmp_path_factory: pytest.TempPathFactory, corpora: dict[str, str]) -> Path:
    out = tmp_path_factory.mktemp("new") / "vocab"
    train_vocabulary(VocabTrain(corpora={"rm": corpora["rm_CH"]}, size=700), out)
    return out


def unigram(*pieces: tuple[str, float]) -> PreTrainedTokenizerFast:
    special = [(token, 0.0) for token in ("<s>", "<pad>", "</s>", "<unk>")]
    return wrap_tokenizer(Tokenizer(models.Unigram([*special, *pieces], unk_id=3)))


def test_other_pieces_start_from_what_spells_them(tokenizer: PreTrainedTokenizerFast, new_vocab: Path) -> None:
    new = load_tokenizer(new_vocab)
    plan = plan_transplant(tokenizer, new)
    other = [piece for piece in new.get_vocab() if piece not in tokenizer.get_vocab()]
    assert len(other) == plan.counts["spelled"] > 20
    for piece in other:
        source = plan.sources[new.get_vocab()[piece]]
        assert source is not None
        assert "".join(tokenizer.convert_ids_to_tokens(list(source.rows))) == piece
        assert source.weights == pytest.approx([1 / len(source.rows)] * len(source.rows))


def test_a_blend_has_the_direction_of_the_mean_and_the_length_of_its_parts() -> None:
    old = torch.tensor([[2.0, 0.0], [0.0, 2.0], [5.0, 5.0]])
    sources = (Source.mean([0, 1]), Source.mean([2]), Source.mean([]), Source((0, 1), (0.75, 0.25)))
    rows = Transplant(sources, {}).apply(old, seed=1)
    torch.testing.assert_close(rows[0], torch.tensor([2**0.5, 2**0.5]))
    assert torch.equal(rows[1], old[2])
    torch.testing.assert_close(rows[2], old.mean(dim=0))
    assert rows[3].norm() == pytest.approx(2.0)
    assert rows[3][0] / rows[3][1] == pytest.approx(3.0)


def test_a_bias_is_averaged() -> None:
    assert Transplant((Source.mean([0, 1]),), {}).apply(torch.tensor([1.0, 3.0]), seed=1).tolist() == [2.0]


def test_random_rows_are_distributed_as_the_old_ones() -> None:
    generator = torch.Generator().manual_seed(3)
    mixing = torch.tensor([[2.0, 0.0], [1.5, 0.5]])
    old = torch.randn(5000, 2, generator=generator) @ mixing.T + torch.tensor([3.0, -1.0])
    drawn = Transplant((None,) * 5000, {}).apply(old, seed=1)
    torch.testing.assert_close(drawn.mean(dim=0), old.mean(dim=0), atol=0.15, rtol=0)
    torch.testing.assert_close(torch.cov(drawn.T), torch.cov(old.T), atol=0.4, rtol=0)
    assert torch.equal(drawn, Transplant((None,) * 5000, {}).apply(old, seed=1))
    assert not torch.equal(drawn, Transplant((None,) * 5000, {}).apply(old, seed=2))
    assert Transplant((None,) * 3, {}).apply(old[:, 0], seed=1).shape == (3,)


def test_a_shared_piece_is_copied_even_where_the_old_model_would_rather_split_it() -> None:
    old = unigram(("▁a", -1.0), ("b", -1.0), ("▁ab", -9.0))
    assert old.tokenize("▁ab") == ["▁a", "b"]
    plan = plan_transplant(old, unigram(("▁ab", -1.0), ("▁aba", -2.0)))
    assert plan.sources[4] == Source((6,), (1.0,))
    assert plan.sources[0] == Source((0,), (1.0,))
    assert plan.sources[-1] == Source((7,), (1.0,))  # <mask>
    assert plan.counts == {"copied": 6, "spelled": 0, "alike": 0, "random": 0, "unspelled": 1}


def test_focus_takes_shared_pieces_that_are_used_alike() -> None:
    """chasa and house stand in the same places, di and day in others; only house and day are shared."""
    old = unigram(("▁house", -1.0), ("▁day", -1.0), ("▁", -5.0))
    words = ("▁house", "▁day", "▁chasa", "▁di", "▁big", "▁my", "▁long", "▁bright", "▁unseen")
    new = unigram(*((word, -1.0) for word in words))
    new.backend_tokenizer.pre_tokenizer = splitter()
    text = ["big house", "my chasa", "big chasa", "my house", "long day", "bright di", "long di", "bright day"] * 20
    vectors = likeness_vectors({"rm": text}, new, characters=10**6)
    assert not vectors[new.get_vocab()["▁unseen"]].any()
    plan = plan_transplant(old, new, "focus", vectors)
    for piece, like in (("▁chasa", "▁house"), ("▁di", "▁day")):
        source = plan.sources[new.get_vocab()[piece]]
        assert source is not None
        weights = dict(zip(source.rows, source.weights, strict=True))
        assert max(weights, key=lambda row: weights[row]) == old.get_vocab()[like]
        assert sum(weights.values()) == pytest.approx(1)
    assert plan.counts["alike"] == 6 and plan.counts["unspelled"] == 1


def test_focus_gives_the_same_vectors_every_time(tokenizer: PreTrainedTokenizerFast) -> None:
    text = ["il cussegl naziunal", "la regenza dal chantun", "il cussegl dal chantun"] * 5
    first, second = (likeness_vectors({"rm": text}, tokenizer, 10**6) for _ in range(2))
    assert np.array_equal(first, second)


@given(arrays(np.float64, (3, 6), elements=st.floats(-3, 3)))
def test_sparsemax_is_the_nearest_distribution(scores: np.ndarray) -> None:
    weights = sparsemax(scores)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    # The projection p of s onto the simplex: (s - p) has no component towards any corner but its own support.
    for row, p in zip(scores, weights, strict=True):
        assert all((row - p) @ (np.eye(6)[corner] - p) <= 1e-9 for corner in range(6))
