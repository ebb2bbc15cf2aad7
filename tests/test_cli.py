from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import swissxmod
from swissxmod.cli import main
from swissxmod.verbs import VERBS


def run(*words: str) -> int:
    return main(list(words))


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        run(*verb.split(), "--help")
    assert exit_.value.code == 0
    text = capsys.readouterr().out
    assert f"example: swissxmod {verb}" in text
    assert ("--out" in text) == VERBS[verb].writes


def test_the_examples_name_real_options(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in VERBS:
        with pytest.raises(SystemExit):
            run(*verb.split(), "--help")
        text = capsys.readouterr().out
        example = text.partition("example: ")[2]
        options = [word.partition(".")[0] for word in example.split() if word.startswith("--")]
        assert all(f"{option} " in text.partition("example: ")[0] for option in options), (verb, options)


def test_a_step_from_the_command_line(
    corpora: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["vocab", "train", f"--corpora.rm-CH={corpora['rm_CH']}", "--size", "700", "--json"]
    assert run(*words, "--out", str(tmp_path / "vocab")) == 0
    assert json.loads(capsys.readouterr().out)["characters"].keys() == {"rm-CH"}
    words = ["model", "init", "--vocab", str(tmp_path / "vocab"), "--languages", "[rm_CH]", "--hidden-size", "24"]
    assert run(*words, "--layers=1", "--out", str(tmp_path / "model")) == 0
    assert json.loads((tmp_path / "model" / "config.json").read_text())["hidden_size"] == 24


BAD = {
    "unknown language": (["align", "words", "--target_language", "xx"], "no adapter for language 'xx'"),
    "empty file": (["align", "words", "--source", "EMPTY"], "the file is empty"),
    "missing file": (["align", "words", "--source", "NOWHERE"], "no such file"),
    "missing folder": (["align", "words", "--model", "NOWHERE"], "no such folder"),
    "missing tagger": (["eval", "ner", "--model", "NOWHERE", "--data.rm", "TEXT"], "NOWHERE: no such folder"),
    "model that is a file": (["align", "words", "--model", "EMPTY"], "expected a folder, found a file"),
    "output in a file": (["align", "words", "--out", "EMPTY/links"], "EMPTY is a file, not a folder"),
    "output is there": (["align", "words", "--out", "FOLDER"], "is there already"),
    "one column": (["finetune", "ner", "--train.de", "COLUMN"], "COLUMN:1: expected a token and a tag"),
    "not IOB2": (["finetune", "ner", "--train.de", "MIXED"], "MIXED:3: not IOB2"),
    "unknown option": (["align", "words", "--colour", "red"], "--colour"),
    "unknown verb": (["allign"], "allign"),
    "no value": (["vocab", "train", "--size", "many", "--corpora.rm", "TEXT"], "size"),
    "nothing to train on": (["vocab", "train"], "required: corpora\n"),
    "a word for a number": (
        ["finetune", "ner", "--train.de", "TEXT", "--epochs", "two"],
        "epochs: expected int, found two",
    ),
    "one of two kinds": (["align", "words", "--layer", "x"], "layer: expected int or one of 'mean', found x"),
    "no such choice": (
        ["align", "words", "--format", "pdf"],
        "format: expected one of 'pharaoh', 'jsonl', 'html', found pdf",
    ),
    "a folder on standard output": (
        ["finetune", "ner", "--train.de", "TEXT", "--out", "-"],
        "finetune ner does not write to standard",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(
    case: str, model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"EMPTY": "", "TEXT": "bun di\n", "COLUMN": "Cuira\n", "MIXED": "Cuira\tB-LOC\n\nBerna\tI-LOC\n"}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "FOLDER").mkdir()
    words, message = BAD[case]
    words = [str(tmp_path / word) if word.split("/")[0] in (*files, "FOLDER", "NOWHERE") else word for word in words]
    text, model = str(tmp_path / "TEXT"), str(model_folder)
    filled = {"--model": model, "--source": text, "--target": text, "--out": str(tmp_path / "out")}
    needed = {"align": list(filled), "finetune": ["--model", "--out"], "vocab": ["--out"], "eval": ["--out"]}.get(
        words[0], []
    )
    for option in needed:
        words += [] if option in words else [option, filled[option]]
    before = sorted(path.name for path in tmp_path.iterdir())
    assert run(*words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert message in captured.err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_only_pretraining_is_shared_by_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert run("finetune", "ner", "--model", "m", "--train.de", "x", "--out", str(tmp_path / "out")) == 2
    assert "finetune runs in one process, only pretrain in several" in capsys.readouterr().err
    assert run("pretrain", "--model", str(tmp_path / "none"), "--corpora.de", "x", "--out", str(tmp_path / "out")) == 2
    assert "none: no such folder" in capsys.readouterr().err


def test_interrupting_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("swissxmod.cli.run_recipe", stop)
    assert run("run", "swiss-mini") == 130
    assert "continues a recipe, a suite or pretraining" in capsys.readouterr().err


def test_importing_loads_nothing_heavy() -> None:
    script = "import sys, swissxmod, swissxmod.cli; print([m for m in ('torch', 'transformers') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_every_public_name_is_there() -> None:
    assert all(getattr(swissxmod, name) is not None for name in swissxmod.__all__)
    assert swissxmod.__version__ in (Path(__file__).parents[1] / "pyproject.toml").read_text()
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        swissxmod.nothing  # noqa: B018
