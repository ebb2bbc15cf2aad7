from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerFast

from swissxmod import UserError, XmodForMaskedLM, encode, load
from swissxmod.settings import Layer

TEXTS = ["La regenza ha decidì.", "", "Der Rat tagt heute in Chur und morgen in Bern, sagt er.", "Oui."]
LANGUAGES = ["rm", "rm", "de", "fr-CH"]


@pytest.fixture(scope="module")
def model(model_folder: Path) -> XmodForMaskedLM:
    return load(model_folder)


def test_each_text_has_the_mean_of_its_pieces_at_a_layer(
    model: XmodForMaskedLM, tokenizer: PreTrainedTokenizerFast
) -> None:
    layers: tuple[Layer, ...] = (-1, 1, 2, 0, "mean", np.int64(1))  # type: ignore[assignment]
    for layer in layers:
        vectors = encode(model, tokenizer, TEXTS, LANGUAGES, layer=layer)
        assert vectors.shape == (4, 32) and vectors.dtype == torch.float32
        for number in (0, 3):
            inputs = tokenizer(TEXTS[number], return_tensors="pt")
            adapter = torch.tensor([model.language_id(LANGUAGES[number])])
            with torch.no_grad():
                hidden = torch.stack(model(**inputs, lang_ids=adapter, output_hidden_states=True).hidden_states)
            states = hidden.mean(dim=0) if layer == "mean" else hidden[layer]
            torch.testing.assert_close(vectors[number], states[0, 1:-1].mean(dim=0), atol=1e-5, rtol=0)
        assert not vectors[1].any()


def test_without_pooling_every_piece_has_a_vector(model: XmodForMaskedLM, tokenizer: PreTrainedTokenizerFast) -> None:
    states = encode(model, tokenizer, TEXTS, LANGUAGES, pooling="none")
    counts = [len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in TEXTS]
    assert [part.shape for part in states] == [(count, 32) for count in counts]
    assert max(counts) > 18  # read in windows
    means = encode(model, tokenizer, TEXTS, LANGUAGES)
    torch.testing.assert_close(means[2], states[2].mean(dim=0), atol=1e-6, rtol=0)


def test_special_pieces_count_on_demand_once_for_each_text(
    model: XmodForMaskedLM, tokenizer: PreTrainedTokenizerFast
) -> None:
    vectors = encode(model, tokenizer, TEXTS, LANGUAGES, special=True)
    for number in (0, 1, 3):
        inputs = tokenizer(TEXTS[number], return_tensors="pt")
        adapter = torch.tensor([model.language_id(LANGUAGES[number])])
        with torch.no_grad():
            states = model(**inputs, lang_ids=adapter, output_hidden_states=True).hidden_states[-1]
        torch.testing.assert_close(vectors[number], states[0].mean(dim=0), atol=1e-5, rtol=0)
    with_them, without = (
        encode(model, tokenizer, TEXTS, LANGUAGES, pooling="none", special=special)[2] for special in (True, False)
    )
    assert len(without) > 18  # read in windows
    torch.testing.assert_close(with_them[1:-1], without)
    ids = tokenizer(TEXTS[2], add_special_tokens=False)["input_ids"]
    for window, place in ((ids[:18], 0), (ids[-18:], -1)):
        row = torch.tensor([[tokenizer.bos_token_id, *window, tokenizer.eos_token_id]])
        with torch.no_grad():
            output = model.base_model(row, lang_ids=torch.tensor([model.language_id("de")]))
        torch.testing.assert_close(with_them[place], output.last_hidden_state[0, place], atol=1e-5, rtol=0)


def test_one_text_is_not_a_list_of_letters(model: XmodForMaskedLM, tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(UserError, match=r"texts: expected several, found one, 'Bun di.'; give it as a list"):
        encode(model, tokenizer, "Bun di.", "rm")


def test_no_text_has_no_vector(model: XmodForMaskedLM, tokenizer: PreTrainedTokenizerFast) -> None:
    assert encode(model, tokenizer, [], "rm").shape == (0, 32)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": 3}, "expected -3 to 2 or mean, found 3"),
        ({"layer": "last"}, "expected -3 to 2 or mean, found last"),
        ({"pooling": "max"}, "expected 'mean' or 'none', found 'max'"),
    ],
)
def test_bad_options_are_named(
    model: XmodForMaskedLM, tokenizer: PreTrainedTokenizerFast, options: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        encode(model, tokenizer, TEXTS, "rm", **options)
