from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from swissxmod.cli import main

LINES = "Die Regierung hat heute entschieden.\n\nLa regenza ha decidì oz.\n12\n"


def test_a_line_of_text_is_an_object_with_its_language(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(LINES.encode())))
    assert main(["predict", "language"]) == 0
    rows = list(map(json.loads, capsys.readouterr().out.splitlines()))
    assert [row["language"] for row in rows] == ["de", "unsure", "rm", "unsure"]
    assert rows[0]["text"] == "Die Regierung hat heute entschieden." and rows[0]["probability"] > 0.9


def test_objects_keep_what_they_had_and_a_language_that_they_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"id": 1, "body": "La regenza ha decidì oz.", "language": None},
        {"id": 2, "body": "La regenza ha decidì oz.", "language": "gsw", "probability": 7},
        {"id": 3, "body": "\ud83d Die Regierung hat entschieden."},
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["predict", "language", "--text", str(tmp_path / "a.jsonl"), "--text-column", "body", "--json"]
    assert main([*words, "--out", str(tmp_path / "out.jsonl")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["texts"], told["given"], told["detected"]["rm"], told["detected"]["de"]) == (3, 1, 1, 1)
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["language"] for row in found] == ["rm", "gsw", "de"]
    assert found[1] == rows[1] and found[2]["body"] == rows[2]["body"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"{}\n", 'a.jsonl:1: expected an object with a string "text"'), (b"[1]\n", "expected a JSON object")],
)
def test_what_has_no_text_is_named_and_nothing_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, message: str
) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    assert main(["predict", "language", "--text", str(tmp_path / "a.jsonl"), "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
