from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from swissxmod import Pretrain, UserError, XmodForMaskedLM, load_model, pretrain
from swissxmod.files import fingerprint
from swissxmod.settings import PATHS
from swissxmod.xmod import training
from swissxmod.xmod.checkpoints import read_history
from swissxmod.xmod.pretraining import run


def short(model: Path, text: dict[str, str], **changes: Any) -> Pretrain:
    values: dict[str, Any] = {
        "model": str(model), "corpora": {"de": text["de_CH"], "rm": text["rm_CH"]},
        "dev": {"rm": text["rm_CH"]}, "steps": 12, "batch_size": 4, "block_size": 16, "learning_rate": 5e-3,
        "precision": "float32",
    }  # fmt: skip
    return Pretrain(**(values | changes))


def test_the_swissbert_plan_learns_without_touching_the_trunk(
    model_folder: Path, corpora: dict[str, str], tmp_path: Path
) -> None:
    summary = pretrain(short(model_folder, corpora, steps=60, learning_rate=1e-2), tmp_path / "out")
    bits = summary["bits_per_character"]
    assert bits["after"]["rm_CH"] < 0.9 * bits["before"]["rm_CH"]
    before, after = (load_model(XmodForMaskedLM, folder).state_dict() for folder in (model_folder, tmp_path / "out"))
    for key, value in after.items():
        same = torch.equal(value, before[key])
        if "encoder" in key and "adapter_modules" not in key:
            assert same, f"{key} is of the trunk"
        if "adapter_modules.fr_CH" in key or "adapter_modules.it_CH" in key:
            assert same, f"{key} saw no text"
        if "adapter_modules.rm_CH.dense1.weight" in key or "word_embeddings" in key:
            assert not same, f"{key} should learn"


def test_the_model_says_what_it_was_trained_on(model_folder: Path, corpora: dict[str, str], tmp_path: Path) -> None:
    pretrain(short(model_folder, corpora), tmp_path / "out")
    history = read_history(tmp_path / "out")
    assert history is not None
    assert [record["step"] for record in history] == ["init", "pretrain"]
    assert history[1]["languages"] == ["de_CH", "rm_CH"]
    curve = json.loads((tmp_path / "out" / "training.json").read_text())
    assert [point["step"] for point in curve] == list(range(1, 13))
    assert load_model(XmodForMaskedLM, tmp_path / "out").config.hidden_dropout_prob == 0.1


class Interrupted(Exception):
    """Stands for Ctrl-C, which pytest would take for its own."""


def test_an_interrupted_run_goes_on_and_ends_the_same(
    model_folder: Path, corpora: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = short(model_folder, corpora, save_steps=5, dropout=0.1)
    pretrain(settings, tmp_path / "whole")
    steps: list[int] = []

    class Stop(training.ProgressLine):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            steps.append(state.global_step)
            if state.global_step == 8 and len(steps) == 8:
                raise Interrupted

    monkeypatch.setattr(training, "ProgressLine", Stop)
    with pytest.raises(Interrupted):
        pretrain(settings, tmp_path / "parts")
    assert not (tmp_path / "parts").exists()
    pretrain(settings, tmp_path / "parts")
    assert steps == [*range(1, 9), *range(6, 13)]
    whole, parts = (load_model(XmodForMaskedLM, tmp_path / name).state_dict() for name in ("whole", "parts"))
    for key, value in whole.items():
        assert torch.equal(value, parts[key]), key
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parts", "whole"]


def test_a_checkpoint_that_was_not_written_to_its_end_is_skipped(tmp_path: Path) -> None:
    for step, state in (("5", "{}"), ("10", None)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if state:
            (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(state)
    assert training._last_whole_checkpoint(tmp_path) == str(tmp_path / "checkpoint-5")
    assert training._last_whole_checkpoint(tmp_path / "nothing") is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"corpora": {"en": "de_CH"}}, "no adapter for language 'en'"),
        ({"block_size": 21}, "block_size: the model has 20 positions, found 21"),
        ({"corpora": {"de": "SHORT"}}, "de_CH: the text is shorter than one block of 16 pieces"),
        ({"add_language": "rm"}, r"the model has 'rm' already"),
        ({"add_language": "gsw"}, r"'gsw': the model has none of its language .*: --start "),
    ],
)
def test_what_cannot_be_trained_is_refused(
    model_folder: Path, corpora: dict[str, str], tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    (tmp_path / "SHORT").write_text("Bun di\n")
    if "corpora" in changes:
        ((language, name),) = changes["corpora"].items()
        changes = {"corpora": {language: corpora.get(name, str(tmp_path / name))}}
    with pytest.raises(UserError, match=message):
        pretrain(short(model_folder, corpora, **changes), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_changed_model_does_not_go_on_from_an_old_checkpoint(
    model_folder: Path, corpora: dict[str, str], tmp_path: Path
) -> None:
    copy = shutil.copytree(model_folder, tmp_path / "model")
    first = training_folder(short(copy, corpora))
    (copy / "swissxmod.json").write_text('{"history": []}')
    assert training_folder(short(copy, corpora)) != first


def training_folder(settings: Pretrain) -> str:
    return fingerprint(asdict(settings), PATHS)


def test_only_the_adapters_of_the_text_learn(model_folder: Path, corpora: dict[str, str], tmp_path: Path) -> None:
    summary = pretrain(short(model_folder, corpora, plan="adapters"), tmp_path / "out")
    before, after = (load_model(XmodForMaskedLM, folder).state_dict() for folder in (model_folder, tmp_path / "out"))
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert changed and all(".de_CH." in key or ".rm_CH." in key for key in changed)
    assert summary["parameters"]["adapters"] == (2 * 2 * 1072, 4 * 2 * 1072)
    assert summary["parameters"]["embeddings"][0] == summary["parameters"]["trunk"][0] == 0


def test_what_learns_is_told_before_the_first_step(
    model_folder: Path, corpora: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "swissxmod")
    pretrain(short(model_folder, corpora, steps=1), tmp_path / "out")
    lines = {line.split()[0]: line.split()[1:] for line in caplog.text.splitlines() if len(line.split()) == 3}
    assert lines["trunk"][0] == "0" and lines["embeddings"][0] == lines["embeddings"][1]
    assert int(lines["total"][1].replace(",", "")) == load_model(XmodForMaskedLM, model_folder).num_parameters()


def test_a_frozen_weight_that_changed_is_a_fault(
    model_folder: Path, corpora: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meddle(model: XmodForMaskedLM, *args: Any) -> training.Trained:
        with torch.no_grad():
            model.roberta.encoder.layer[0].output.dense.bias[0] += 1e-6
        return training.Trained([], 12, 12)

    monkeypatch.setattr(run, "train", meddle)
    with pytest.raises(RuntimeError, match="training changed 1 weights that were frozen"):
        pretrain(short(model_folder, corpora), tmp_path / "out")
    assert not (tmp_path / "out").exists()
