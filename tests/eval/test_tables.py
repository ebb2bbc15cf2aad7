"""Results as CSV and Markdown, for made-up records."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from swissxmod.eval.records import Record, write_records
from swissxmod.eval.report import write_report
from swissxmod.settings import Report

Make = Callable[..., Record]


def written(folder: Path, records: list[Record], **settings: str) -> str:
    write_records(folder / "results.jsonl", records)
    write_report(Report(results=str(folder / "results.jsonl"), **settings), folder / "report")
    return (folder / "report").read_text(encoding="utf-8")


def test_csv_has_every_field_of_every_record(record: Make, tmp_path: Path) -> None:
    records = [
        record("de_CH", 90.0, ["de_CH", "fr_CH"], details={"f1 PER": 91.5}),
        record("rm_CH", 64.25, ["de_CH"], system='a "new", one'),
    ]
    first, second = csv.DictReader(written(tmp_path, records, format="csv").splitlines())
    assert (first["language"], first["score"], first["zero_shot"]) == ("de_CH", "90.0", "False")
    assert (first["details.f1 PER"], second["details.f1 PER"]) == ("91.5", "")
    assert first["provenance.finetuned_on"] == "de_CH fr_CH" and second["system"] == 'a "new", one'
    names = {*Record.model_fields, "zero_shot"} - {"provenance", "details"}
    assert names <= set(first) and "provenance.model_hash" in first


def test_markdown_says_what_the_page_says(record: Make, tmp_path: Path) -> None:
    records = [
        record("de_CH", 88.0, ["de_CH"]),
        record("rm_CH", 60.0, ["de_CH"]),
        record("de_CH", 90.0, ["fr_CH"], system="a|b"),
    ]
    text = written(tmp_path, records, format="markdown", title="Names", command="swissxmod run names.yaml")
    lines = text.splitlines()
    assert lines[0] == "# Names" and "swissxmod run names.yaml" in lines
    assert "| German (de_CH), model | 88.0 (86.0–90.0) | 60.0* (58.0–62.0) |" in lines
    assert "| French (fr_CH), a\\|b | 90.0* (88.0–92.0) | – |" in lines
    row = "| Named entities | names (test) | Romansh (rm_CH) | model | F1 60.0 | 58.0–62.0 | 1,200 | zero-shot |"
    assert row in lines
    # What a table must have: as many cells in every row, and nothing between its lines.
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 2
    assert all(len({line.replace("\\|", "").count("|") for line in table}) == 1 for table in tables)
    assert "F1 in percent with its 95% interval; an asterisk is zero-shot." in lines
    assert "## What this does not show" in lines and any(line.startswith("- Small differences") for line in lines)


def test_columns_of_one_language_are_told_apart_by_their_data(record: Make, tmp_path: Path) -> None:
    records = [
        record(language, 80.0, [trained], dataset=data)
        for trained in ("de_CH", "fr_CH")
        for language, data in (("de_CH", "old"), ("de_CH", "new"), ("rm_CH", "new"))
    ]
    lines = written(tmp_path, records, format="markdown").splitlines()
    assert (
        "| trained on | German (de_CH), old (test) | German (de_CH), new (test) | Romansh (rm_CH), new (test) |"
        in lines
    )
