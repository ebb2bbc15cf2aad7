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
def test_zero_shot_is_what_was_learned_in_other_languages_only(tested: str, trained: list[str]) -> None:
    record = Record(**values(language=tested, provenance={"finetuned_on": trained}))
    assert record.zero_shot is (None if not trained else tested[:2] not in {language[:2] for language in trained})


@st.composite
def spellings(draw: st.DrawFn, language: str) -> str:
    """A language in one of the ways that people and models write it."""
    rest = draw(st.sampled_from(["", "CH", "XX", "sursilv", "Latn", "CH-vallader", "Latn_CH", "rumgr"]))
    name = f"{language}{draw(st.sampled_from('-_'))}{rest}" if rest else language
    return draw(st.sampled_from([name, name.lower(), name.upper(), name.replace("-", "_")]))


@given(st.data())
def test_a_tested_language_that_was_trained_on_is_never_zero_shot(data: st.DataObject) -> None:
    language = data.draw(st.sampled_from(["rm", "de", "gsw", "fr"]))
    tested, trained = data.draw(spellings(language)), data.draw(spellings(language))
    others = data.draw(st.lists(spellings("it")))
    seen = data.draw(st.permutations([trained, *others]))
    assert Record(**values(language=tested, provenance={"finetuned_on": seen})).zero_shot is False
    # Of a pair of languages, whichever side it is on.
    other = data.draw(spellings("it"))
    sides = data.draw(st.permutations([tested, other]))
    pair = data.draw(st.sampled_from("->")).join(sides)
    task = {"task": "word-alignment", "metric": "aer", "language": pair}
    assert Record(**values(**task, provenance={"finetuned_on": [trained]})).zero_shot is False


def test_records_without_what_was_added_later_are_still_read(tmp_path: Path) -> None:
    record = Record(**values())
    write_records(tmp_path / "r.jsonl", [record])
    old = json.loads((tmp_path / "r.jsonl").read_text())
    for name in ("data_revision", "data_licence"):
        del old["provenance"][name]
    (tmp_path / "r.jsonl").write_text(json.dumps(old) + "\n")
    assert read_records(tmp_path / "r.jsonl") == [record]


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
