"""Model cards of a tiny model, with made-up scores."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import ModelCard as HubCard

from swissxmod import ModelCard, UserError, write_card
from swissxmod.cli import main
from swissxmod.eval.records import Record, write_records
from swissxmod.xmod.checkpoints import model_hash

Make = Callable[..., Record]


@pytest.fixture
def results(record: Make, model_folder: Path, tmp_path: Path) -> Path:
    """Two scores of the model, and one of another."""

    def of(model: str, made: Record) -> Record:
        return made.model_copy(update={"provenance": made.provenance.model_copy(update={"model_hash": model})})

    own = model_hash(model_folder)
    made = [
        of(own, record("de_CH", 88.0, ["de_CH"])),
        of(own, record("rm_CH", 60.0, ["de_CH"], adapter="it_CH")),
        of("0" * 64, record("fr_CH", 11.5, ["fr_CH"])),
    ]
    write_records(tmp_path / "results.jsonl", made)
    return tmp_path / "results.jsonl"


def test_the_hub_reads_the_scores_of_this_model(model_folder: Path, results: Path, tmp_path: Path) -> None:
    settings = ModelCard(model=str(model_folder), results=str(results), name="me/tagger", license="cc0-1.0")
    assert write_card(settings, tmp_path / "README.md") == {"scores": 2, "of_other_models": 1}
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    data = HubCard(text).data
    assert (data.language, data.license, data.model_name) == (["de", "fr", "it", "rm"], "cc0-1.0", "me/tagger")
    found = {(r.dataset_config, r.metric_name): r.metric_value for r in data.eval_results}
    assert found == {("de_CH", "F1"): 88.0, ("rm_CH", "F1, zero-shot, adapter it_CH"): 60.0}
    assert "11.5" not in text
    assert (
        "| Named entities | names (test) | German (de_CH) | model | F1 88.0 | 86.0–90.0 | 1,200 | trained on |" in text
    )
    assert "- One seed" in text and "2 layers of 32" in text
    # How it was made, as the folder tells.
    steps = json.loads((model_folder / "swissxmod.json").read_text())["history"]
    assert f"\n{len(steps)}. {steps[-1]['step']}" in text


def test_a_card_changes_nothing_of_what_scores_are_of(model_folder: Path, results: Path, tmp_path: Path) -> None:
    before = model_hash(model_folder)
    words = ["model", "card", "--model", str(model_folder), "--results", str(results)]
    assert main([*words, "--out", str(model_folder / "README.md")]) == 0
    assert model_hash(model_folder) == before
    assert main([*words, "--out", str(model_folder / "README.md")]) == 2  # never over one that is there
    (model_folder / "README.md").unlink()


def test_scores_of_other_models_make_no_card(record: Make, model_folder: Path, tmp_path: Path) -> None:
    write_records(tmp_path / "results.jsonl", [record("de_CH", 88.0, ["de_CH"])])
    settings = ModelCard(model=str(model_folder), results=str(tmp_path / "results.jsonl"))
    with pytest.raises(UserError, match="none of the 1 records is of this model; measure it with swissxmod eval"):
        write_card(settings, tmp_path / "README.md")
    assert not (tmp_path / "README.md").exists()
