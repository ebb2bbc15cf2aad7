from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from swissxmod.texts import read_documents
from swissxmod.tokenizer.pipeline import MASK, SPECIAL, make_tokenizer, normalise, white_space_words

any_text = st.text(st.characters(exclude_categories=["Cs"])).filter(
    lambda text: not any(token in normalise(text, form) for token in (*SPECIAL, MASK) for form in ("nfc", "nfkc"))
)


def is_old(character: str) -> bool:
    """Whether every library's version of Unicode has the character."""
    return unicodedata.ucd_3_2_0.category(character) != "Cn"


@settings(deadline=None, max_examples=300)
@given(any_text)
def test_decoding_any_text_gives_it_back_normalised(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    stated = tokenizer.backend_tokenizer.normalizer.normalize_str(text)
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == stated


@settings(deadline=None, max_examples=300)
@given(st.text(st.characters(exclude_categories=["Cs"]).filter(is_old)))
def test_the_normaliser_is_the_stated_one(text: str) -> None:
    for form in ("nfc", "nfkc"):
        normaliser = make_tokenizer([("▁", -1.0)], form=form).backend_tokenizer.normalizer
        assert normaliser.normalize_str(text) == normalise(text, form)
        # Two blanks that NFKC makes of a lone accent may meet.
        assert white_space_words(text, form) == normalise(text, form).split()


@pytest.mark.parametrize("language", ["de", "fr", "it", "rm"])
def test_every_text_of_the_sample_comes_back(
    tokenizer: PreTrainedTokenizerFast, corpora: dict[str, str], language: str
) -> None:
    for text in read_documents(corpora[f"{language}_CH"]):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.decode(ids) == " ".join(text.split())
        assert tokenizer.unk_token_id not in ids


def test_nfc_keeps_every_letter_and_sign_of_the_four_languages() -> None:
    signs = "äöüÄÖÜßàâæçèéêëîïôœùûüÿÀÂÆÇÈÉÊËÎÏÔŒÙÛÜŸìíòóúÌÍÒÓÚñ«»“”„’‹›–—…€°§½²³ºª"
    assert normalise(signs, "nfc") == signs
    assert normalise(unicodedata.normalize("NFD", signs), "nfc") == signs


def test_invisible_characters_do_not_cut_words() -> None:
    assert normalise("Bun\u00addes\u200brat\ufeff", "nfc") == "Bundesrat"
    assert normalise("«\u202fmot\u00a0»\r\n\tfin ", "nfc") == "« mot » fin"


def test_offsets_point_into_the_original(tokenizer: PreTrainedTokenizerFast) -> None:
    text = "  Bun\u00addes\u200brat,\tl'e\u0301glise 🏔"
    encoding = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
    covered = {place for start, end in encoding["offset_mapping"] for place in range(start, end)}
    assert {place for place, sign in enumerate(text) if sign.isalpha() or sign == "🏔"} <= covered
