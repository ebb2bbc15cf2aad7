from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from swissxmod import UserError
from swissxmod.cli import main

TEXT = "Anna wohnt in Chur.\n\nin Chur.\n"


@pytest.fixture(scope="module")
def ner(small_tagger: Callable[[str], Path]) -> Path:
    return small_tagger("Anna\tB-PER\nwohnt\tO\nin\tO\nChur\tB-LOC\n.\tO\n\nin\tO\nChur\tB-LOC\n.\tO\n\n" * 8)


def standard_input(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


def run(ner: Path, *words: str) -> int:
    return main(["predict", "ner", "--model", str(ner), *words])


def test_a_line_of_text_is_an_object_with_its_names(
    ner: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_text(TEXT)
    assert run(ner, "--text", str(tmp_path / "a.txt"), "--language", "de", "--out", str(tmp_path / "a.jsonl")) == 0
    assert "texts: 3" in capsys.readouterr().out
    first, empty, last = map(json.loads, (tmp_path / "a.jsonl").read_text().splitlines())
    assert [(e["text"], e["label"], e["start"], e["end"]) for e in first["entities"]] == [
        ("Anna", "PER", 0, 4), ("Chur", "LOC", 14, 18),
    ]  # fmt: skip
    assert empty == {"text": "", "language": "de", "entities": []}
    assert last["entities"][0]["start"] == 3


def test_objects_keep_what_they_had_and_say_their_language(
    ner: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"id": 7, "text": "in Chur.", "language": "de"}, {"text": "Anna wohnt in Chur."}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run(ner, "--text", str(tmp_path / "a.jsonl"), "--language", "rm") == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["id"], first["language"], second["language"]) == (7, "de", "rm")
    assert first["entities"][0]["text"] == "Chur"


def test_standard_input_to_conll(
    ner: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    standard_input(monkeypatch, TEXT.replace("\n", "\r\n").encode())
    assert run(ner, "--language", "de", "--format", "conll") == 0
    told = capsys.readouterr().out
    assert told == "Anna\tB-PER\nwohnt\tO\nin\tO\nChur\tB-LOC\n.\tO\n\nin\tO\nChur\tB-LOC\n.\tO\n\n"


def test_objects_on_standard_input_are_read_as_objects(
    ner: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    standard_input(
        monkeypatch, b'{"id": 7, "text": "in Chur.", "language": "de"}\n\n{"text": "Chur", "language": "fr"}\n'
    )
    assert run(ner) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["id"], first["text"], second["language"]) == (7, "in Chur.", "fr")
    standard_input(monkeypatch, b'{in Chur}\n{"text": "Chur"}\n')
    assert run(ner, "--language", "de") == 0
    texts = [json.loads(line)["text"] for line in capsys.readouterr().out.splitlines()]
    assert texts == ["{in Chur}", '{"text": "Chur"}']


def test_standard_input_that_is_not_utf8_is_named(
    ner: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    standard_input(monkeypatch, b"in Chur.\nin Z\xfcrich.\n")
    assert run(ner, "--language", "de") == 2
    assert "standard input, line 2: not UTF-8 text" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["jsonl", "conll", "terminal"])
def test_half_a_sign_is_no_obstacle(ner: Path, tmp_path: Path, form: str) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "\\ud83d in Chur."}\n')
    words = ["--text", str(tmp_path / "a.jsonl"), "--language", "de", "--format", form]
    assert run(ner, *words, "--out", str(tmp_path / "out")) == 0
    told = (tmp_path / "out").read_text(encoding="utf-8")
    assert "Chur" in told and "LOC" in told
    if form == "jsonl":
        row = json.loads(told)
        assert row["text"] == "\ud83d in Chur." and row["entities"][0]["start"] == 5


def test_paragraphs_of_wrapped_text_are_texts(ner: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("\nAnna wohnt\nin Chur.\n \n\nin Ch-\nur.\n")
    words = ["--text", str(tmp_path / "a.txt"), "--language", "de", "--wrapped", "true"]
    assert run(ner, *words) == 0
    rows = list(map(json.loads, capsys.readouterr().out.splitlines()))
    assert [row["text"] for row in rows] == ["Anna wohnt\nin Chur.", "in Ch-\nur."]
    assert [entity["text"] for entity in rows[1]["entities"]] == ["Ch-\nur"]
    assert run(ner, *words, "--format", "conll") == 0
    assert capsys.readouterr().out.endswith("in\tO\nCh\tB-LOC\n-\tI-LOC\nur\tI-LOC\n.\tO\n\n")


def test_coloured_text_is_the_text_with_labels(ner: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text(TEXT)
    assert run(ner, "--text", str(tmp_path / "a.txt"), "--language", "de", "--format", "terminal") == 0
    assert capsys.readouterr().out.startswith("\033[97;44mAnna PER\033[0m wohnt in \033[97;42mChur LOC\033[0m.\n\nin ")


@pytest.mark.parametrize(
    ("content", "words", "message"),
    [
        (b"Anna\n", ["--language", "en"], "no adapter for language 'en'"),
        (b"Anna\n\xff\n", ["--language", "de"], "a.txt:2: not UTF-8 text"),
    ],
)
def test_what_cannot_be_read_is_named_and_nothing_written(
    ner: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, words: list[str], message: str
) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    assert run(ner, "--text", str(tmp_path / "a.txt"), "--out", str(tmp_path / "out"), *words) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "Anna", "language": 4}, 'the name of a language as "language", found 4'),
        ({"text": "Anna", "language": "German"}, "1: no adapter for language 'German'"),
        ({"body": "x"}, 'string "text"'),
    ],
)
def test_objects_without_text_or_with_a_language_that_is_none_are_named(
    ner: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], row: dict[str, object], message: str
) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n")
    assert run(ner, "--text", str(tmp_path / "a.jsonl")) == 2
    error = capsys.readouterr().err
    assert "a.jsonl:1" in error and message in error


GERMAN = "Anna wohnt in Chur, und die Regierung hat heute entschieden."
ROMANSH = "Anna è ida a Cuira, e la regenza ha decidì oz."


def test_the_language_of_each_line_is_detected_where_none_is_given(
    ner: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"text": f"{GERMAN} {GERMAN}\n\n1848\n{GERMAN}\n{ROMANSH}"},
        {"text": ROMANSH, "language": None},
        {"text": ROMANSH, "language": "de"},
        {"text": "  "},
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run(ner, "--text", str(tmp_path / "a.jsonl"), "--out", str(tmp_path / "out"), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["detected"] == {"de": 2, "rm": 2, "unsure": 1}
    first, second, given, empty = map(json.loads, (tmp_path / "out").read_text().splitlines())
    assert (first["language"], second["language"], given["language"], empty["language"]) == ("de", "rm", "de", None)
    passages = [(p["language"], p["sure"], first["text"][p["start"] : p["end"]]) for p in first["detected"]]
    assert passages == [
        ("de", True, f"{GERMAN} {GERMAN}"), ("de", False, "1848"), ("de", True, GERMAN), ("rm", True, ROMANSH),
    ]  # fmt: skip
    assert "detected" not in given and empty["detected"] == []


def test_what_is_detected_is_tagged_as_if_it_had_been_given(
    ner: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_text(f"{GERMAN}\n{GERMAN}\n")
    assert run(ner, "--text", str(tmp_path / "a.txt"), "--language", "de") == 0
    given = [json.loads(line)["entities"] for line in capsys.readouterr().out.splitlines()]
    assert run(ner, "--text", str(tmp_path / "a.txt")) == 0
    detected = [json.loads(line)["entities"] for line in capsys.readouterr().out.splitlines()]
    assert detected == given and given[0]


def test_odd_text_keeps_its_places(ner: Path, tmp_path: Path) -> None:
    texts = [
        "Anna\x00wohnt \u202eשלום\u202c in Chur.",
        "a " * 20_000 + "Anna",
        *["Chur"] * 2000,
        "👩‍👩‍👧 Zu\u0308rich\ttab",
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    assert run(ner, "--text", str(tmp_path / "a.jsonl"), "--language", "rm", "--out", str(tmp_path / "out")) == 0
    rows = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [row["text"] for row in rows] == texts
    for row in rows:
        assert all(row["text"][e["start"] : e["end"]] == e["text"] for e in row["entities"])


def test_settings_are_checked() -> None:
    from swissxmod import PredictNer

    with pytest.raises(UserError, match="text_column: expected at least one"):
        PredictNer(model="x", text_column="")
