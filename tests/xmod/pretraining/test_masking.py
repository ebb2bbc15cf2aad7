from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from swissxmod.xmod.pretraining.masking import MaskedBlocks, mask_pieces, word_beginnings


@settings(deadline=None)
@given(seed=st.integers(0, 2**31), length=st.integers(1, 60), probability=st.floats(0, 1))
def test_labels_give_back_what_was_changed(
    tokenizer: PreTrainedTokenizerFast, seed: int, length: int, probability: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.cat([torch.tensor([0]), torch.randint(4, 200, (length,), generator=generator), torch.tensor([2])])
    seen, labels = mask_pieces(ids, tokenizer, probability, generator)
    chosen = labels >= 0
    assert chosen.any()
    assert not chosen[0] and not chosen[-1]
    assert torch.equal(torch.where(chosen, labels, seen), ids)


def test_shares_are_those_of_bert(tokenizer: PreTrainedTokenizerFast) -> None:
    ids = torch.randint(4, 200, (200_000,))
    seen, labels = mask_pieces(ids, tokenizer, 0.15, torch.Generator().manual_seed(0))
    chosen = labels >= 0
    masked = (seen == tokenizer.mask_token_id) & chosen
    assert chosen.float().mean() == pytest.approx(0.15, abs=0.005)
    assert (masked.sum() / chosen.sum()) == pytest.approx(0.8, abs=0.01)
    assert ((seen == ids) & chosen).sum() / chosen.sum() == pytest.approx(0.1, abs=0.01)


def masked(tokenizer: PreTrainedTokenizerFast, lengths: list[int], languages: list[Any]) -> MaskedBlocks:
    generator = torch.Generator().manual_seed(0)
    ids = [torch.randint(4, 200, (length,), generator=generator) for length in lengths]
    blocks = list(zip(ids, map(torch.tensor, languages), strict=True))
    return MaskedBlocks(blocks, tokenizer, 0.15, seed=3)


def test_a_place_is_always_masked_alike_and_places_differ(tokenizer: PreTrainedTokenizerFast) -> None:
    block = (torch.randint(4, 200, (40,)), torch.tensor(0))
    first, again = (MaskedBlocks([block, block], tokenizer, 0.15, seed=3) for _ in range(2))
    assert torch.equal(first[0]["input_ids"], again[0]["input_ids"])
    assert not torch.equal(first[0]["labels"], first[1]["labels"])


def test_a_batch_is_sorted_by_language(tokenizer: PreTrainedTokenizerFast) -> None:
    data = masked(tokenizer, [10, 10, 10, 10], [2, 0, 1, 0])
    batch = data.collate([data[i] for i in range(4)])
    assert batch["lang_ids"].tolist() == [0, 0, 1, 2]
    assert torch.equal(batch["input_ids"][3], data[0]["input_ids"])
    assert "attention_mask" not in batch


def test_blocks_of_several_lengths_are_padded(tokenizer: PreTrainedTokenizerFast) -> None:
    data = masked(tokenizer, [10, 7], [1, 0])
    batch = data.collate([data[0], data[1]])
    assert batch["attention_mask"].tolist() == [[1] * 7 + [0] * 3, [1] * 10]
    assert batch["input_ids"][0, 7:].tolist() == [1] * 3 and batch["labels"][0, 7:].tolist() == [-100] * 3
    assert torch.equal(batch["input_ids"][0, :7], data[1]["input_ids"])


def test_a_block_of_two_languages_keeps_those_of_its_pieces(tokenizer: PreTrainedTokenizerFast) -> None:
    data = masked(tokenizer, [4, 3], [3, [0, 0, 3]])
    batch = data.collate([data[0], data[1]])
    assert batch["lang_ids"].tolist() == [[0, 0, 3, 0], [3, 3, 3, 3]]


def test_signs_and_first_pieces_begin_words(tokenizer: PreTrainedTokenizerFast) -> None:
    begins = word_beginnings(tokenizer)
    vocabulary = tokenizer.get_vocab()
    assert all(begins[vocabulary[piece]] for piece in ("▁", "▁la", ".", "«"))
    assert not any(begins[vocabulary[piece]] for piece in ("a", "ä", "5"))


@settings(deadline=None)
@given(seed=st.integers(0, 2**31), probability=st.floats(0, 1))
def test_whole_words_are_chosen_or_left(tokenizer: PreTrainedTokenizerFast, seed: int, probability: float) -> None:
    text = "Il cussegl naziunal, ch'ha decidì il nov preventiv dal chantun."
    ids = torch.tensor(tokenizer(text)["input_ids"])
    begins = word_beginnings(tokenizer)
    generator = torch.Generator().manual_seed(seed)
    seen, labels = mask_pieces(ids, tokenizer, probability, generator, begins)
    chosen = labels >= 0
    assert chosen.any() and not chosen[0] and not chosen[-1]
    assert torch.equal(torch.where(chosen, labels, seen), ids)
    for place in range(2, len(ids) - 1):
        if not begins[ids[place]]:
            assert chosen[place] == chosen[place - 1]


def test_the_share_of_whole_words_is_that_of_pieces(tokenizer: PreTrainedTokenizerFast) -> None:
    ids = torch.randint(260, 899, (200_000,))
    begins = word_beginnings(tokenizer)
    assert 0.1 < begins[ids].float().mean() < 0.9
    _, labels = mask_pieces(ids, tokenizer, 0.15, torch.Generator().manual_seed(0), begins)
    assert (labels >= 0).float().mean() == pytest.approx(0.15, abs=0.01)
