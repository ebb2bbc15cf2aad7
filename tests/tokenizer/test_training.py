from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from swissxmod import UserError, VocabTrain, train_vocabulary
from swissxmod.tokenizer.training import frequent_characters


def test_special_tokens_are_those_of_xlmr(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tokenizer.convert_ids_to_tokens([0, 1, 2, 3, len(tokenizer) - 1]) == [
        "<s>",
        "<pad>",
        "</s>",
        "<unk>",
        "<mask>",
    ]
    ids = tokenizer("punt", "pont")["input_ids"]
    assert ids[0] == 0 and ids[-1] == 2
    assert [i for i in ids if i in (0, 2)] == [0, 2, 2, 2]


def test_has_exactly_the_size_asked_for(vocab: Path) -> None:
    assert len(AutoTokenizer.from_pretrained(vocab)) == 900


def test_no_sign_of_the_four_languages_is_unknown(tokenizer: PreTrainedTokenizerFast) -> None:
    text = "«L'Œuvre» d’été: è già qui, naïf – 25 % für Zürich & Genève! Jau hai gì «bun di»; 3/4 [sic]…"
    assert tokenizer.unk_token_id not in tokenizer(text)["input_ids"]


def test_two_runs_give_the_same_file(corpora: dict[str, str], tmp_path: Path) -> None:
    for name in ("a", "b"):
        train_vocabulary(VocabTrain(corpora=dict(corpora), size=800), tmp_path / name)
    first, second = ((tmp_path / name / "tokenizer.json").read_bytes() for name in ("a", "b"))
    assert first == second


def test_too_little_text_is_named_and_nothing_written(corpora: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the text supports \d+ pieces, not 5000"):
        train_vocabulary(VocabTrain(corpora=dict(corpora), size=5000), tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", "the file is empty"),
        ("a.txt", b"\n\n", "no text in it"),
        ("a.txt", b"gut\n\xff\xfe\n", "not UTF-8"),
        ("a.txt.gz", b"not gzip", "damaged .gz file after line 0"),
        ("a.jsonl", b'{"text": "x"}\n{"body": "x"}\n', r'a.jsonl:2: expected an object with a string "text"'),
        ("a.jsonl", b'{"text": "x"\n', "a.jsonl:1: not a JSON object"),
        ("a.jsonl", b"1" * 5000 + b"\n", "a.jsonl:1: not a JSON object"),
        ("a.txt.xz", b"\xfd7zXZ", "a.txt.xz: expected plain text, .gz or .zst; unpack it"),
    ],
)
def test_unreadable_text_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        train_vocabulary(VocabTrain(corpora={"rm": str(tmp_path / name)}, size=800), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_existing_folder_is_not_overwritten(corpora: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(UserError, match="not empty"):
        train_vocabulary(VocabTrain(corpora=dict(corpora), size=800), tmp_path)
    with pytest.raises(UserError, match="expected a folder to write, found a file"):
        train_vocabulary(VocabTrain(corpora=dict(corpora), size=800), tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "keep"


def test_letters_of_the_four_languages_have_pieces_and_other_signs_are_spelled_in_bytes(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    for letter in "äöüßàâæçèéêëîïôœùûÿìíòóÉÈÜ«»“”„’‹›–…€":
        assert letter in tokenizer.get_vocab()
    assert tokenizer.tokenize("я") == ["▁", "<0xD1>", "<0x8F>"]


def test_no_byte_fallback_on_demand(corpora: dict[str, str], tmp_path: Path) -> None:
    settings_ = VocabTrain(corpora=dict(corpora), size=400, byte_fallback=False)
    train_vocabulary(settings_, tmp_path / "v")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "v")
    assert len(tokenizer) == 400
    assert tokenizer.tokenize("я") == ["▁", "я"] and tokenizer("я")["input_ids"][2] == tokenizer.unk_token_id


def test_symbols_are_never_cut_and_decode_where_they_were(corpora: dict[str, str], tmp_path: Path) -> None:
    symbols = ["<url>", "@", "<url>s"]
    train_vocabulary(VocabTrain(corpora=dict(corpora), size=900, user_defined_symbols=symbols), tmp_path / "v")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "v")
    assert tokenizer.convert_tokens_to_ids(symbols) == [4, 5, 6]
    text = "vesair <url> u<url>s, ina@chasa"
    pieces = tokenizer.tokenize(text)
    assert [piece for piece in pieces if piece in symbols] == ["<url>", "<url>s", "@"]
    assert not [piece for piece in pieces if "url" in piece and piece not in symbols]
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


@pytest.mark.parametrize("symbol", ["", "a b", "<s>", "▁", "e\u0301", "<0x41>"])
def test_symbols_that_cannot_be_are_named(corpora: dict[str, str], tmp_path: Path, symbol: str) -> None:
    with pytest.raises(UserError, match="user_defined_symbols"):
        train_vocabulary(VocabTrain(corpora=dict(corpora), user_defined_symbols=[symbol]), tmp_path / "v")


def test_a_size_below_the_letters_alone_is_named(corpora: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"letters and signs alone need \d+ pieces, found 200: give a larger --size"):
        train_vocabulary(VocabTrain(corpora=dict(corpora), size=200), tmp_path / "v")


def test_rare_characters_beyond_the_coverage_get_no_piece() -> None:
    words = {"aab": 10, "c": 1, "d": 1, "b": 9}  # 41 characters
    assert frequent_characters(words, 0.9) == {"a", "b"}
    assert frequent_characters(words, 0.95) == {"a", "b"}
    assert frequent_characters(words, 0.96) == {"a", "b", "c", "d"}
    assert frequent_characters(words, 1.0) == set("abcd")


def test_says_how_much_of_a_text_beyond_the_limit_was_read(corpora: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text(Path(corpora["rm_CH"]).read_text() * 4)
    texts = {"de": corpora["de_CH"], "rm": str(tmp_path / "long.txt")}
    summary = train_vocabulary(VocabTrain(corpora=texts, size=600, characters=30_000), tmp_path / "v")
    assert summary["drawn"]["de"] == 1 and summary["drawn"]["rm"] <= 0.5
    assert summary["characters"]["rm"] <= 30_000
    assert sum(summary["share"].values()) == pytest.approx(1, abs=1e-3)


def test_a_larger_share_buys_shorter_texts(corpora: dict[str, str], tmp_path: Path) -> None:
    fertility = {}
    for share in (0.0, 0.5):
        only = {name: corpora[name] for name in ("de_CH", "rm_CH")}
        texts = only | {"rm_CH": str(tmp_path / f"rm{share}.txt")}
        Path(texts["rm_CH"]).write_text("Il cussegl naziunal ha decidì.\nLa regenza dal chantun\n" * 3)
        settings_ = VocabTrain(corpora=texts, size=800, alpha=1.0, min_share=share)
        fertility[share] = train_vocabulary(settings_, tmp_path / f"v{share}")["pieces_per_word"]
    assert fertility[0.5]["rm_CH"] < fertility[0.0]["rm_CH"]
