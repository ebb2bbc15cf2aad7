"""The measurement of masked words, from the command line to the report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from swissxmod import EvalFill, Report, UserError, evaluate_fill, read_records, write_report
from swissxmod.cli import main
from swissxmod.eval.comparing import compare_results
from swissxmod.eval.comparison import read_comparisons
from swissxmod.settings import MINI_BASE, EvalCompare

CORPORA = Path(__file__).parents[2] / "sample" / "corpora"


def test_the_bundled_model_knows_more_than_random_weights(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = [f"--data.{language}={CORPORA / language / 'dev.jsonl'}" for language in ("de", "rm")]
    for name, model in (("mini", MINI_BASE), ("random", str(model_folder))):
        out = ["--system", name, "--dataset", "sample", "--json", "--out", str(tmp_path / name)]
        assert main(["eval", "fill", "--model", model, *data, *out]) == 0
        summary = json.loads(capsys.readouterr().out)
        records = read_records(tmp_path / name / "results.jsonl")
        assert [record.language for record in records] == ["de_CH", "rm_CH"] == list(summary)
        for record in records:
            assert (record.task, record.metric, record.zero_shot) == ("fill-mask", "bits_per_character", None)
            assert 0 < record.low <= record.score <= record.high
            assert summary[record.language]["bits_per_character"] == record.score
            assert record.items >= record.sentences > 1
    compare_results(EvalCompare(results=[str(tmp_path / "mini"), str(tmp_path / "random")]), tmp_path / "compared")
    for told in read_comparisons(tmp_path / "compared" / "comparison.jsonl"):
        assert (told.better, told.difference < -1) == ("mini", True)  # the same words, though of two vocabularies
    write_report(
        Report(results=[str(tmp_path / name / "results.jsonl") for name in ("mini", "random")]), tmp_path / "r"
    )
    page = (tmp_path / "r").read_text(encoding="utf-8")
    assert "Masked words" in page and "a character costs (bits, lower is better)" in page


def test_another_adapter_reads_the_same_words(tmp_path: Path) -> None:
    settings = {"model": MINI_BASE, "data": {"rm": str(CORPORA / "rm" / "dev.jsonl")}}
    own = evaluate_fill(EvalFill(**settings), tmp_path / "own")["rm_CH"]["bits_per_character"]
    other = evaluate_fill(EvalFill(**settings, read_as={"rm": "de"}), tmp_path / "other")["rm_CH"]["bits_per_character"]
    assert own < other
    records = [read_records(tmp_path / name / "results.jsonl")[0] for name in ("own", "other")]
    assert records[0].items == records[1].items and records[1].by_other_adapter


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"share": 0.0}, "share: expected more than 0 and at most 1, found 0"),
        ({"documents": 0}, "documents: expected"),
        ({"data": {}}, "data"),
        ({"data": {"en": "x"}}, "no adapter for language 'en'"),
    ],
)
def test_bad_settings_are_told(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    values = {"model": MINI_BASE, "data": {"rm": str(CORPORA / "rm" / "dev.jsonl")}} | changes
    with pytest.raises(UserError, match=message):
        evaluate_fill(EvalFill(**values), tmp_path / "out")  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()
