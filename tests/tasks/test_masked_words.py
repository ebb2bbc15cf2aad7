"""What masked words cost, by the definition."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from swissxmod import XmodForMaskedLM, load_with_tokenizer
from swissxmod.tasks.masked_words import bits_per_character, chosen_words, masked_bits

TEXT = ["La", "lescha", "da", "Cuira", "."]


@given(st.lists(st.text("abc", min_size=1), min_size=1), st.floats(0.01, 1), st.integers(0, 9))
def test_the_same_words_are_always_chosen(words: list[str], share: float, seed: int) -> None:
    chosen = chosen_words(words, share, seed)
    assert chosen == chosen_words(tuple(words), share, seed)
    assert len(chosen) == max(1, round(share * len(words))) and chosen <= set(range(len(words)))


def test_words_cost_what_the_model_says_of_their_pieces(model_folder: Path) -> None:
    model, tokenizer = load_with_tokenizer(XmodForMaskedLM, model_folder)
    texts = [TEXT, TEXT[:3], ["☃"]]
    told = masked_bits(model, tokenizer, texts, "rm", 0.4, seed=5)
    encoded = tokenizer([TEXT], is_split_into_words=True, return_tensors="pt")
    chosen = chosen_words(TEXT, 0.4, 5)
    places = [place for place, word in enumerate(encoded.word_ids(0)) if word in chosen]
    ids = encoded["input_ids"].clone()
    ids[0, places] = tokenizer.mask_token_id
    with torch.no_grad():
        logits = model(ids, lang_ids=torch.tensor([model.language_id("rm")])).logits
    chances = logits[0, places].softmax(dim=-1)[range(len(places)), encoded["input_ids"][0, places]]
    assert told.counts[0, 0] == pytest.approx(-1000 * float(chances.log2().sum()), abs=2)
    assert told.counts[0, 1:].tolist() == [sum(len(TEXT[word]) for word in chosen), len(chosen)]
    assert told.counts[1, 2] == 1
    # What the model has no piece for cannot be masked, and costs nothing.
    assert told.dropped == (0 if told.counts[2, 2] else 1)


def test_bits_are_over_all_characters() -> None:
    counts = np.array([[3000, 2, 1], [5000, 6, 1]])
    assert bits_per_character(counts.sum(axis=0)) == 1.0
    assert bits_per_character(counts).tolist() == [1.5, pytest.approx(5 / 6)]
    assert bits_per_character(np.zeros(2)) == 0


def test_a_model_that_knows_nothing_pays_the_size_of_its_vocabulary(model_folder: Path) -> None:
    model, tokenizer = load_with_tokenizer(XmodForMaskedLM, model_folder)
    with torch.no_grad():
        for parameter in model.lm_head.parameters():
            parameter.zero_()
        model.lm_head.decoder.weight.zero_()
    told = masked_bits(model, tokenizer, [TEXT], "rm", 1.0, seed=1)
    pieces = len(tokenizer([TEXT], is_split_into_words=True, add_special_tokens=False)["input_ids"][0])
    assert told.counts[0, 0] == pytest.approx(1000 * pieces * math.log2(model.config.vocab_size), rel=1e-5)
