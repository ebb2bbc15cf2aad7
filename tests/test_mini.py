"""swissxmod-mini, as a user finds it after the installation: no network, no extra, no model of their own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from swissxmod import (
    AlignWords,
    Embed,
    EvalAlignment,
    PredictFill,
    Tagger,
    align_words,
    embed,
    evaluate_alignment,
    load,
    predict_fill,
)
from swissxmod.cli import main
from swissxmod.settings import MINI, MINI_ALIGNER, MINI_BASE

FOLDER = Path(MINI_BASE).parent
SAMPLE = FOLDER.parent / "sample"
SENTENCE = "Ils cussegliers naziunals da Cuira èn vegnids a Berna."


def test_takes_no_more_than_twenty_megabytes() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) <= 20_000_000


def test_says_nothing_of_the_machine_that_made_it() -> None:
    for path in FOLDER.rglob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert "/tmp" not in text and "/home" not in text and "/work" not in text, path


@pytest.mark.parametrize("model", sorted(MINI))
def test_loads_without_any_extra(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    assert load(model).languages == ("de_CH", "fr_CH", "it_CH", "rm_CH")


def test_tags_romansh_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.txt").write_text(SENTENCE + "\n", encoding="utf-8")
    assert main(["predict", "ner", "--text", str(tmp_path / "text.txt")]) == 0
    told = capsys.readouterr()
    row = json.loads(told.out)
    assert row["language"] == "rm"
    found = {(entity["text"], entity["label"]) for entity in row["entities"]}
    assert {("Cuira", "LOC"), ("Berna", "LOC")} <= found
    assert all(SENTENCE[entity["start"] : entity["end"]] == entity["text"] for entity in row["entities"])
    assert "swissxmod-mini" in told.err and "CC BY-NC-SA 4.0" in told.err


def test_another_model_is_not_said_to_be_it(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.txt").write_text("La <mask> .\n")
    command = [
        "predict",
        "fill",
        "--model",
        str(model_folder),
        "--text",
        str(tmp_path / "text.txt"),
        "--language",
        "rm",
    ]
    assert main(command) == 0
    assert "swissxmod-mini" not in capsys.readouterr().err


def test_tags_four_languages_in_python() -> None:
    lines = (SAMPLE / "languages.txt").read_text(encoding="utf-8").splitlines()
    for line, names in zip(lines, Tagger.load()(lines), strict=True):
        assert ("Ursina Flütsch", "PER") in {(name.text, name.label) for name in names}, line


def test_links_words_and_finds_more_than_its_base(tmp_path: Path) -> None:
    files = {
        side: str(SAMPLE / "alignment" / "de-rm" / f"dev.{end}") for side, end in (("source", "de"), ("target", "rm"))
    }
    gold = str(SAMPLE / "alignment" / "de-rm" / "dev.align")
    rates = [
        evaluate_alignment(EvalAlignment(model=model, **files, gold=gold), tmp_path / Path(model).name)["aer"]
        for model in (MINI_BASE, MINI_ALIGNER)
    ]
    assert rates[1] < rates[0] < 0.2
    told = align_words(AlignWords(**files), tmp_path / "links")
    assert told["sentences"] == len((tmp_path / "links").read_text().splitlines()) == 72


def test_fills_gaps_and_makes_vectors(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("La regenza dal chantun <mask> .\n")
    predict_fill(PredictFill(text=str(tmp_path / "text.txt"), language="rm"), tmp_path / "guesses")
    (row,) = [json.loads(line) for line in (tmp_path / "guesses").read_text().splitlines()]
    assert "Grischun" in json.dumps(row, ensure_ascii=False)
    assert embed(Embed(text=str(SAMPLE / "languages.txt")), tmp_path / "vectors") == {
        "texts": 4, "width": 384, "detected": {"de": 1, "fr": 1, "it": 1, "rm": 1},
    }  # fmt: skip
