from __future__ import annotations

import json
from pathlib import Path

import pytest

from swissxmod import EvalSentences, Report, UserError, evaluate_sentences, read_records, write_report
from swissxmod.cli import main

ALIGNMENT = Path(__file__).parents[2] / "sample" / "alignment" / "de-rm"


def test_retrieval_on_the_sample_from_the_command_line(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["eval", "sentences", "--model", str(model_folder), "--source", str(ALIGNMENT / "dev.de")]
    words += ["--target", str(ALIGNMENT / "dev.rm"), "--json", "--out", str(tmp_path / "scores")]
    assert main(words) == 0
    summary = json.loads(capsys.readouterr().out)
    both, there, back = read_records(tmp_path / "scores" / "results.jsonl")
    assert [r.language for r in (both, there, back)] == ["de_CH-rm_CH", "de_CH>rm_CH", "rm_CH>de_CH"] == list(summary)
    assert [r.items for r in (both, there, back)] == [144, 72, 72]
    assert both.score == pytest.approx((there.score + back.score) / 2, abs=0.01)
    # Even random weights find more than one in 72, as words that both languages share have the same vectors.
    for record in (both, there, back):
        assert 0 <= record.low < record.score < record.high < 100
        assert summary[record.language] == {"accuracy": record.score, "interval": [record.low, record.high]}
        assert (record.task, record.metric, record.zero_shot) == ("sentence-retrieval", "accuracy", None)
        assert record.sentences == record.clusters == 72 and record.windowed > 0
    write_report(Report(results=str(tmp_path / "scores" / "results.jsonl")), tmp_path / "report.html")
    assert "Finding translations" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_same_text_on_both_sides_is_always_found(model_folder: Path, tmp_path: Path) -> None:
    text = str(ALIGNMENT / "dev.rm")
    settings = EvalSentences(model=str(model_folder), source=text, target=text, source_language="rm")
    summary = evaluate_sentences(settings, tmp_path / "scores")
    assert summary == {"rm_CH-rm_CH": {"accuracy": 100, "interval": [100, 100]}}


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("bun di\n", {}, "has 2 lines, .* has 1"),
        ("bun di\n\n", {}, "TARGET:2: expected a sentence, found an empty line"),
        ("bun di\nbuna saira\n", {"target_language": "en"}, "no adapter for language 'en'"),
    ],
)
def test_bad_sentences_are_named_and_nothing_is_written(
    model_folder: Path, tmp_path: Path, target: str, options: dict[str, str], message: str
) -> None:
    (tmp_path / "SOURCE").write_text("guten Tag\nguten Abend\n")
    (tmp_path / "TARGET").write_text(target)
    files = {"source": str(tmp_path / "SOURCE"), "target": str(tmp_path / "TARGET")}
    with pytest.raises(UserError, match=message):
        evaluate_sentences(EvalSentences(model=str(model_folder), **files, **options), tmp_path / "scores")
    assert not (tmp_path / "scores").exists()
