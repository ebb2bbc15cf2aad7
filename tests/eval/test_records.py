from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swissxmod import Record, UserError, read_records
from swissxmod.eval.records import write_records

LANGUAGES = ["de_CH", "fr_CH", "it_CH", "rm_CH", "rm_sursilv"]


def values(**changes: Any) -> dict[str, Any]:
    provenance = {
        "model": "ner", "model_hash": "0", "data_hash": "1", "pretrained_on": LANGUAGES, "finetuned_on": ["de_CH"],
        "train_seed": 1, "seed": 1, "precision": "float32", "seconds": 1.0, "hardware": "CPU", "versions": {},
        "commit": None, "created": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    return {
        "task": "ner", "dataset": "made-up", "split": "dev", "language": "rm_CH", "system": "model", "metric": "f1",
        "score": 50.0, "low": 40.0, "high": 60.0, "sentences": 10, "clusters": 10, "items": 9, "windowed": 0,
        "dropped": 0, "provenance": provenance | changes.pop("provenance", {}),
    } | changes  # fmt: skip


@given(st.sampled_from(LANGUAGES), st.lists(st.sampled_from(LANGUAGES)))
def test_a_language_trained_on_is_never_zero_shot(tested: str, trained: list[str]) -> None:
    record = Record(**values(language=tested, provenance={"finetuned_on": trained}))
    assert record.zero_shot is (None if not trained else tested[:2] not in {language[:2] for language in trained})


def test_written_records_are_read_back(tmp_path: Path) -> None:
    records = [Record(**values()), Record(**values(language="de_CH"))]
    write_records(tmp_path / "r.jsonl", records)
    assert read_records(tmp_path / "r.jsonl") == records
    assert json.loads((tmp_path / "r.jsonl").read_text().splitlines()[0])["zero_shot"] is True


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"provenance": None}, "provenance: "),
        ({"score": "high"}, "score: "),
        ({"zero_shot": False}, "zero_shot is False, but the languages trained on make it True"),
        ({"low": 70.0}, "the interval is upside down"),
    ],
)
def test_what_is_not_a_record_is_refused_with_its_line(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "r.jsonl"
    write_records(path, [Record(**values())])
    broken = json.loads(path.read_text()) | change
    path.write_text(path.read_text() + json.dumps(broken) + "\n")
    with pytest.raises(UserError, match=f"r.jsonl:2: not a result record: .*{message}"):
        read_records(path)
