from __future__ import annotations

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from swissxmod.tokenizer.pieces import Pieces


def wrap(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", cls_token="[CLS]")


@pytest.fixture
def wordpiece() -> PreTrainedTokenizerFast:
    vocabulary = ["<unk>", "[CLS]", "haus", "##haus", "##er", "ha", ",", "##u", "##s"]
    tokenizer = Tokenizer(models.WordPiece({piece: n for n, piece in enumerate(vocabulary)}, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return wrap(tokenizer)


@pytest.fixture
def byte_level() -> PreTrainedTokenizerFast:
    vocabulary = ["<unk>", "[CLS]", "Ġhaus", "haus", "h", "a", "Ã¼", "Ã", "¼", "er"]
    tokenizer = Tokenizer(models.BPE({piece: n for n, piece in enumerate(vocabulary)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return wrap(tokenizer)


def test_wordpiece_is_respelled(wordpiece: PreTrainedTokenizerFast) -> None:
    numbers = Pieces(wordpiece).numbers
    assert numbers == {"▁haus": 2, "haus": 3, "er": 4, "▁ha": 5, "▁,": 6, ",": 6, "u": 7, "s": 8}


def test_byte_level_is_respelled_and_broken_characters_left_out(byte_level: PreTrainedTokenizerFast) -> None:
    assert Pieces(byte_level).numbers == {"▁haus": 2, "haus": 3, "h": 4, "a": 5, "ü": 6, "er": 9}


def test_spelling_takes_the_longest_pieces(
    wordpiece: PreTrainedTokenizerFast, byte_level: PreTrainedTokenizerFast
) -> None:
    assert Pieces(wordpiece).spelling("▁hauser") == [2, 4]
    assert Pieces(byte_level).spelling("▁haushaü") == [2, 4, 5, 6]


def test_spelling_normalises_as_the_tokenizer_does(wordpiece: PreTrainedTokenizerFast) -> None:
    assert Pieces(wordpiece).spelling("▁HAUSer") == [2, 4]


def test_what_cannot_be_spelled_whole_is_not_spelled(
    wordpiece: PreTrainedTokenizerFast, tokenizer: PreTrainedTokenizerFast
) -> None:
    assert Pieces(wordpiece).spelling("▁hausx") == []
    assert Pieces(tokenizer).spelling("<0x41>") == []


def test_a_unigram_piece_inside_a_word_gets_no_blank(tokenizer: PreTrainedTokenizerFast) -> None:
    pieces = Pieces(tokenizer)
    for text in ("regenza", "▁regenza"):
        assert "".join(tokenizer.convert_ids_to_tokens(pieces.spelling(text))) == text
