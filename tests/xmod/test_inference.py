from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from swissxmod import UserError, XmodModel, load_model
from swissxmod.xmod.inference import Pieces, cut_words, run_pieces, windows


@given(length=st.integers(0, 300), size=st.integers(2, 64))
def test_windows_keep_every_piece_once_and_fit(length: int, size: int) -> None:
    parts = windows(length, size)
    assert [i for part in parts for i in range(part.keep_start, part.keep_stop)] == list(range(length))
    assert all(part.stop - part.start <= size for part in parts)
    assert all(part.start <= part.keep_start <= part.keep_stop <= part.stop for part in parts)


def test_a_piece_is_kept_where_it_is_farther_from_a_cut() -> None:
    first, second = windows(12, 8)
    assert (first.start, first.stop, second.start, second.stop) == (0, 8, 4, 12)
    assert first.keep_stop == second.keep_start == 6


def test_no_room_is_an_error() -> None:
    with pytest.raises(UserError, match="needs at least 2"):
        windows(5, 1)


@pytest.fixture(scope="module")
def encoder(model_folder: Path) -> XmodModel:
    return load_model(XmodModel, model_folder, add_pooling_layer=False).eval()


def states(encoder: XmodModel) -> object:
    return lambda **batch: encoder(**batch).last_hidden_state


def test_results_come_in_the_order_given_and_equal_single_runs(
    encoder: XmodModel, tokenizer: PreTrainedTokenizerFast
) -> None:
    sentences = [Pieces(tuple(range(4, 4 + n)), tuple(range(n))) for n in (3, 17, 1, 9, 0, 17)]
    together = run_pieces(encoder, tokenizer, sentences, "rm", states(encoder))
    for sentence, found in zip(sentences, together, strict=True):
        ids = torch.tensor([[tokenizer.bos_token_id, *sentence.ids, tokenizer.eos_token_id]])
        with torch.no_grad():
            expected: Tensor = encoder(ids, lang_ids=torch.tensor([3])).last_hidden_state[0, 1:-1]
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_long_sentences_lose_no_piece(encoder: XmodModel, tokenizer: PreTrainedTokenizerFast) -> None:
    long = Pieces(tuple(4 + i % 200 for i in range(100)), tuple(range(100)))
    (found,) = run_pieces(encoder, tokenizer, [long], "rm", states(encoder))
    assert found.shape == (100, 32)
    with torch.no_grad():
        ids = torch.tensor([[tokenizer.bos_token_id, *long.ids[:18], tokenizer.eos_token_id]])
        window = encoder(ids, lang_ids=torch.tensor([3])).last_hidden_state[0, 1:-1]
    torch.testing.assert_close(found[:16], window[:16], atol=1e-5, rtol=1e-5)


def test_words_know_their_pieces(tokenizer: PreTrainedTokenizerFast) -> None:
    (cut,) = cut_words(tokenizer, [["La", "\u200b \u00a0", "vischnanca"]])
    assert set(cut.words) <= {0, 1, 2}
    assert cut.first_pieces()[0] == 0
    assert tokenizer.decode([i for i, word in zip(cut.ids, cut.words, strict=True) if word == 2]) == "vischnanca"
