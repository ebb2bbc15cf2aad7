from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from swissxmod import UserError, VocabTrain, train_vocabulary
from swissxmod.texts import smoothed_shares
from swissxmod.tokenizer.training import sample_documents


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
    assert len(AutoTokenizer.from_pretrained(vocab)) == 600


@settings(deadline=None)
@given(
    st.lists(st.text("abcdefghijklmnopqrstuvwxyzàèéìòùäöüâêîôûçÀÈÉÜ'’«».,;:!?-()0123456789", min_size=1), min_size=1)
)
def test_decoding_gives_the_text_back(tokenizer: PreTrainedTokenizerFast, words: list[str]) -> None:
    text = " ".join(words)
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def test_no_sign_of_the_four_languages_is_unknown(tokenizer: PreTrainedTokenizerFast) -> None:
    text = "«L'Œuvre» d’été: è già qui, naïf – 25 % für Zürich & Genève! Jau hai gì «bun di»; 3/4 [sic]…"
    assert tokenizer.unk_token_id not in tokenizer(text)["input_ids"]


def test_two_runs_give_the_same_file(corpora: dict[str, str], tmp_path: Path) -> None:
    for name in ("a", "b"):
        train_vocabulary(VocabTrain(corpora=dict(corpora), size=500), tmp_path / name)
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
        ("a.txt", b"\n\n", "no text in the file"),
        ("a.txt", b"gut\n\xff\xfe\n", "not UTF-8"),
        ("a.txt.gz", b"not gzip", "damaged gzip"),
        ("a.jsonl", b'{"text": "x"}\n{"body": "x"}\n', r'a.jsonl:2: expected an object with a string "text"'),
        ("a.jsonl", b'{"text": "x"\n', "a.jsonl:1: not a JSON object"),
    ],
)
def test_unreadable_text_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        train_vocabulary(VocabTrain(corpora={"rm": str(tmp_path / name)}, size=500), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_existing_folder_is_not_overwritten(corpora: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(UserError, match="not empty"):
        train_vocabulary(VocabTrain(corpora=dict(corpora), size=500), tmp_path)
    with pytest.raises(UserError, match="expected a folder to write, found a file"):
        train_vocabulary(VocabTrain(corpora=dict(corpora), size=500), tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "keep"


def test_smoothing_lifts_the_small_language() -> None:
    sizes = {"large": 10_000, "small": 100}
    assert smoothed_shares(sizes, 1)["small"] == pytest.approx(100 / 10_100)
    assert smoothed_shares(sizes, 0)["small"] == pytest.approx(0.5)
    # 100 ** 0.3 : 10000 ** 0.3 = 3.981 : 15.849
    assert smoothed_shares(sizes, 0.3)["small"] == pytest.approx(0.2008, abs=1e-4)
    with pytest.raises(UserError, match="no text for none"):
        smoothed_shares({"large": 1, "none": 0}, 0.3)


def test_samples_follow_the_shares_and_read_a_small_language_again() -> None:
    corpora = {"large": ["x" * 50] * 1000, "small": ["y" * 50] * 10}
    samples = sample_documents(corpora, VocabTrain(corpora={"large": "", "small": ""}, alpha=0, characters=20_000))
    assert sum(map(len, samples["large"])) == sum(map(len, samples["small"])) == 10_000
