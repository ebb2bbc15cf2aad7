from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from swissxmod import UserError, VocabReport, VocabTrain, report_vocabulary, train_vocabulary
from swissxmod.tokenizer.measure import cut_words


def test_a_cut_is_counted_by_hand(tokenizer: PreTrainedTokenizerFast) -> None:
    cut = cut_words(tokenizer, Counter({"la": 3, "я": 2}))
    assert tokenizer.tokenize("la") == ["▁la"] and len(tokenizer.tokenize("я")) == 3
    assert (cut.words, cut.pieces, cut.whole, cut.unknown, cut.characters) == (5, 9, 3, 0, 8)
    assert cut.fertility == 9 / 5
    assert cut.uses[tokenizer.get_vocab()["▁la"]] == 3 and cut.uses.sum() == 9


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, corpora: dict[str, str]) -> Path:
    """A smaller vocabulary, without bytes."""
    out = tmp_path_factory.mktemp("plain") / "vocab"
    train_vocabulary(VocabTrain(corpora={"rm": corpora["rm_CH"]}, size=300, byte_fallback=False), out)
    return out


def test_compares_tokenizers_on_each_language(
    vocab: Path, plain: Path, corpora: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "x.txt").write_text("ina chasa я\n")
    settings = VocabReport(
        vocab=str(vocab), corpora={**corpora, "x": str(tmp_path / "x.txt")}, compare={"small": str(plain)}, longest=3
    )
    report = report_vocabulary(settings, tmp_path / "out")
    rows = {(row["tokenizer"], row["language"]): row for row in report["text"]}
    assert rows.keys() == {(name, language) for name in ("vocabulary", "small") for language in [*corpora, "x"]}
    for language in ("de_CH", "fr_CH", "it_CH"):
        assert rows["small", language]["fertility"] > rows["vocabulary", language]["fertility"] > 1
        assert rows["small", language]["whole"] < rows["vocabulary", language]["whole"] < 1
    assert rows["small", "x"]["unknown"] == 1 and rows["vocabulary", "x"]["unknown"] == 0
    [overlap] = report["overlap"]
    assert overlap["pieces"] == 295 and 100 < overlap["shared"] <= 295
    pieces = report["pieces"]
    assert pieces["size"] == 900 and 0 < pieces["not_used_here"] < 900
    assert len(pieces["longest"]) == len(pieces["rarest"]) == 3
    assert list(pieces["rarest"].values()) == sorted(pieces["rarest"].values())
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == report
    table = (tmp_path / "out" / "report.md").read_text()
    assert f"| small | rm_CH | {rows['small', 'rm_CH']['words']} | {rows['small', 'rm_CH']['fertility']} |" in table
    assert (tmp_path / "out" / "fertility.png").read_bytes().startswith(b"\x89PNG")


def test_reads_no_more_than_asked(vocab: Path, corpora: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("ina chasa\nduas chasas\ntrais\n")
    settings = VocabReport(vocab=str(vocab), corpora={"x": str(tmp_path / "x.txt")}, characters=10)
    assert report_vocabulary(settings, tmp_path / "out")["text"][0]["words"] == 4


def test_what_is_no_tokenizer_is_named(vocab: Path, corpora: dict[str, str], tmp_path: Path) -> None:
    settings = VocabReport(vocab=str(vocab), corpora=dict(corpora), compare={"none": str(tmp_path)})
    with pytest.raises(UserError, match="no tokenizer in the folder"):
        report_vocabulary(settings, tmp_path / "out")
    with pytest.raises(UserError, match="the name 'vocabulary' is that of --vocab"):
        VocabReport(vocab=str(vocab), corpora=dict(corpora), compare={"vocabulary": str(vocab)})
