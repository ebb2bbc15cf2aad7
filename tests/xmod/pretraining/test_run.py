from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from swissxmod import Pretrain, UserError, XmodForMaskedLM, load_model, load_tokenizer, pretrain
from swissxmod.files import fingerprint
from swissxmod.settings import PATHS
from swissxmod.xmod import training
from swissxmod.xmod.checkpoints import read_history
from swissxmod.xmod.pretraining import relora, run
from swissxmod.xmod.pretraining.masking import MaskedBlocks
from swissxmod.xmod.pretraining.shards import Reading, open_shard
from swissxmod.xmod.pretraining.trainer import PretrainingTrainer


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
    assert [point["step"] for point in curve(tmp_path / "out")] == list(range(1, 13))
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
    assert same_weights(tmp_path / "whole", tmp_path / "parts")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parts", "whole"]


def test_killed_while_it_saves_it_ends_with_the_same_weights(
    model_folder: Path, corpora: dict[str, str], tmp_path: Path
) -> None:
    settings = short(model_folder, corpora, steps=40, save_steps=2, dropout=0.1)
    command = [sys.executable, "-m", "swissxmod", *flags(settings), "--out", str(tmp_path / "parts")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while process.poll() is None and not list(tmp_path.glob(".parts-*.work/checkpoint-8")):
            time.sleep(0.002)
        assert process.poll() is None, process.communicate()
        process.kill()
    assert not (tmp_path / "parts").exists()
    pretrain(settings, tmp_path / "parts")
    pretrain(settings, tmp_path / "whole")
    assert same_weights(tmp_path / "whole", tmp_path / "parts")


def flags(settings: Pretrain) -> list[str]:
    """The command line of what differs from the defaults."""
    words = ["pretrain"]
    for name, value in asdict(settings).items():
        if isinstance(value, dict):
            words += [part for key, inner in value.items() for part in (f"--{name}.{key}", inner)]
        elif value not in (None, []) and not isinstance(value, bool):
            words += [f"--{name}", str(value)]
    return words


def same_weights(first: Path, second: Path) -> bool:
    one, other = (load_model(XmodForMaskedLM, folder).state_dict() for folder in (first, second))
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_a_full_disk_is_told_and_the_last_checkpoint_stays(
    model_folder: Path, corpora: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = short(model_folder, corpora, save_steps=5)
    save = PretrainingTrainer._save_optimizer_and_scheduler

    def full(self: PretrainingTrainer, folder: str) -> None:
        if folder.endswith("-10"):
            raise OSError(28, "No space left on device")
        save(self, folder)

    with monkeypatch.context() as patch:
        patch.setattr(PretrainingTrainer, "_save_optimizer_and_scheduler", full)
        with pytest.raises(OSError, match=r"no room .* MiB free.*; make some, .* goes on from checkpoint-5"):
            pretrain(settings, tmp_path / "parts")
    [work] = tmp_path.glob(".parts-*.work")
    assert [path.name for path in work.iterdir()] == ["checkpoint-5"]
    pretrain(settings, tmp_path / "parts")
    pretrain(settings, tmp_path / "whole")
    assert same_weights(tmp_path / "whole", tmp_path / "parts")


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
        ({"micro_batch": 3}, "batch_size: 4 examples cannot be shared by 1 processes with 3 at once"),
        ({"parallel": {"rm": "x"}}, "parallel: expected the names of two languages, such as de-rm, found 'rm'"),
        ({"parallel": {"de-de_CH": "x"}}, "parallel: expected two languages, found 'de-de_CH'"),
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


@pytest.mark.parametrize(("budget", "steps"), [({"tokens": 130}, 3), ({"epochs": 0.01}, None), ({"steps": 3}, 3)])
def test_a_budget_is_steps_tokens_or_epochs(
    model_folder: Path, corpora: dict[str, str], tmp_path: Path, budget: dict[str, Any], steps: int | None
) -> None:
    settings = short(model_folder, corpora, **({"steps": None} | budget))
    summary = pretrain(settings, tmp_path / "out")
    tokenizer = load_tokenizer(model_folder)
    texts = {name: open_shard(Reading(corpora[f"{name}_CH"]), tokenizer).pieces for name in ("de", "rm")}
    epoch = sum(len(pieces) // 14 for pieces in texts.values()) / 4
    assert summary["steps"] == (steps or round(0.01 * epoch))
    assert sum(summary["pieces"].values()) == summary["steps"] * 4 * 16


def test_tokens_are_counted_in_blocks_of_any_length(
    model_folder: Path, corpora: dict[str, str], tmp_path: Path
) -> None:
    settings = short(model_folder, corpora, steps=None, tokens=600, packing="documents", batch_size=2)
    assert sum(pretrain(settings, tmp_path / "out")["pieces"].values()) == pytest.approx(600, rel=0.1)


def test_a_batch_in_parts_learns_the_same(model_folder: Path, corpora: dict[str, str], tmp_path: Path) -> None:
    curves = []
    for micro_batch, again in ((4, False), (1, False), (2, True)):
        settings = short(model_folder, corpora, micro_batch=micro_batch, gradient_checkpointing=again)
        pretrain(settings, tmp_path / str(micro_batch))
        curves.append([point["loss"] for point in curve(tmp_path / str(micro_batch))])
    assert curves[0] == pytest.approx(curves[1], abs=1e-4)
    assert curves[0] == pytest.approx(curves[2], abs=1e-4)


def curve(folder: Path) -> list[dict[str, float]]:
    return json.loads((folder / "training.json").read_text())


def test_losses_are_told_for_each_language_and_measured_on_dev(
    model_folder: Path, corpora: dict[str, str], tmp_path: Path
) -> None:
    summary = pretrain(short(model_folder, corpora, eval_steps=5, steps=10), tmp_path / "out")
    points = curve(tmp_path / "out")
    assert [point["step"] for point in points if "eval_bits_rm_CH" in point] == [5, 10]
    assert points[9]["eval_bits_rm_CH"] == summary["bits_per_character"]["after"]["rm_CH"]
    assert {key for point in points for key in point if key.startswith("loss_")} == {"loss_de_CH", "loss_rm_CH"}
    for point in points:
        each = [value for key, value in point.items() if key.startswith("loss_")]
        assert min(each) - 1e-4 <= point["loss"] <= max(each) + 1e-4
    assert (tmp_path / "out" / "training.png").read_bytes().startswith(b"\x89PNG")


def test_blocks_come_in_their_own_order(
    model_folder: Path, corpora: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    get = MaskedBlocks.__getitem__

    def noted(self: MaskedBlocks, index: int) -> dict[str, torch.Tensor]:
        seen.append(index)
        return get(self, index)

    monkeypatch.setattr(MaskedBlocks, "__getitem__", noted)
    pretrain(short(model_folder, corpora, dev={}), tmp_path / "out")
    assert seen == list(range(12 * 4))


def test_it_stops_when_dev_gets_worse_and_keeps_the_best(
    model_folder: Path, corpora: dict[str, str], tmp_path: Path
) -> None:
    changes = {"eval_steps": 3, "patience": 2, "steps": 200, "learning_rate": 3.0, "warmup": 0.5}
    summary = pretrain(short(model_folder, corpora, **changes), tmp_path / "out")
    measured = {p["step"]: p["eval_bits"] for p in curve(tmp_path / "out") if "eval_bits" in p}
    assert list(measured)[:3] == [3, 6, 9]  # though losses are logged at every second step
    assert summary["steps"] == summary["kept_step"] + 6 < 200
    assert summary["bits_per_character"]["after"]["rm_CH"] == min(measured.values()) == measured[summary["kept_step"]]
    assert sum(summary["pieces"].values()) == summary["steps"] * 4 * 16
    history = read_history(tmp_path / "out")
    assert history is not None and history[-1]["kept_step"] == summary["kept_step"]


def test_sentence_pairs_train_with_both_languages(model_folder: Path, corpora: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "pairs.tsv").write_text("das Haus\tla chasa\nein Tag\tin di\n" + "lang " * 30 + "\tliung\n")
    changes = {"corpora": {"rm": corpora["rm_CH"]}, "parallel": {"it-rm": str(tmp_path / "pairs.tsv")},
               "parallel_share": 0.5, "plan": "full"}  # fmt: skip
    summary = pretrain(short(model_folder, corpora, **changes), tmp_path / "out")
    assert set(summary["pieces"]) == {"rm_CH", "it_CH+rm_CH"}
    assert summary["pieces"]["rm_CH"] == 24 * 16 > summary["pieces"]["it_CH+rm_CH"] > 24 * 5
    history = read_history(tmp_path / "out")
    assert history is not None and history[-1]["languages"] == ["rm_CH", "it_CH"]
    before, after = (load_model(XmodForMaskedLM, folder).state_dict() for folder in (model_folder, tmp_path / "out"))
    changed = {name for name in ("de", "fr", "it", "rm") for key in before
               if f".{name}_CH.dense1.weight" in key and not torch.equal(before[key], after[key])}  # fmt: skip
    assert changed == {"it", "rm"}


@pytest.mark.parametrize("packing", ["sentences", "documents"])
def test_blocks_that_end_with_documents_train(
    model_folder: Path, corpora: dict[str, str], tmp_path: Path, packing: str
) -> None:
    summary = pretrain(short(model_folder, corpora, packing=packing), tmp_path / "out")
    assert sum(summary["pieces"].values()) < 12 * 4 * 16
    assert summary["bits_per_character"]["after"]["rm_CH"] < summary["bits_per_character"]["before"]["rm_CH"]


def test_documents_that_come_again_are_left_out(model_folder: Path, corpora: dict[str, str], tmp_path: Path) -> None:
    text = Path(corpora["rm_CH"]).read_text()
    (tmp_path / "twice.jsonl").write_text(text + text)
    tokenizer = load_tokenizer(model_folder)
    once, twice, filtered = (
        open_shard(Reading(str(path), near_duplicates=share), tokenizer).documents
        for path, share in ((corpora["rm_CH"], None), (tmp_path / "twice.jsonl", None), (tmp_path / "twice.jsonl", 0.9))
    )
    assert (twice, filtered) == (2 * once, once)


def test_documents_of_other_languages_are_left_out_and_counted(
    model_folder: Path, corpora: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "mixed.jsonl").write_text(Path(corpora["rm_CH"]).read_text() + Path(corpora["de_CH"]).read_text())
    with (tmp_path / "mixed.jsonl").open("a") as file:
        file.write('{"text": "12.5 %"}\n')
    tokenizer = load_tokenizer(model_folder)
    romansh = open_shard(Reading(corpora["rm_CH"]), tokenizer).documents
    shard = open_shard(Reading(str(tmp_path / "mixed.jsonl"), only="rm_sursilv"), tokenizer)
    assert (shard.documents, shard.dropped) == (romansh + 1, open_shard(Reading(corpora["de_CH"]), tokenizer).documents)
    with pytest.raises(UserError, match="drop_other_languages: no document of the corpus of it_CH is in its language"):
        open_shard(Reading(corpora["de_CH"], only="it_CH"), tokenizer)
    with pytest.raises(UserError, match="drop_other_languages: gsw is none that is detected"):
        open_shard(Reading(corpora["de_CH"], only="gsw"), tokenizer)


def test_the_trunk_learns_through_low_rank_updates_and_goes_on_after_a_stop(
    model_folder: Path, corpora: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"plan": "relora", "relora_rank": 2, "relora_rounds": 3, "save_steps": 5, "dropout": 0.1}
    settings = short(model_folder, corpora, **changes)
    summary = pretrain(settings, tmp_path / "whole")
    assert 0 < summary["parameters"]["trunk"][0] < 0.5 * summary["parameters"]["trunk"][1]
    before, after = (load_model(XmodForMaskedLM, folder).state_dict() for folder in (model_folder, tmp_path / "whole"))
    assert before.keys() == after.keys()
    change = (
        after["roberta.encoder.layer.0.output.dense.weight"] - before["roberta.encoder.layer.0.output.dense.weight"]
    )
    assert 2 < torch.linalg.matrix_rank(change, atol=1e-5) <= 6

    class Stop(relora.Restarts):
        def on_step_end(self, args: Any, state: Any, *rest: Any, **kwargs: Any) -> None:
            super().on_step_end(args, state, *rest, **kwargs)
            if state.global_step == 7:
                raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr(relora, "Restarts", Stop)
        with pytest.raises(Interrupted):
            pretrain(settings, tmp_path / "parts")
    pretrain(settings, tmp_path / "parts")
    assert same_weights(tmp_path / "whole", tmp_path / "parts")


def test_tensorboard_gets_the_losses_and_its_files_stay(
    model_folder: Path, corpora: dict[str, str], tmp_path: Path
) -> None:
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    pretrain(short(model_folder, corpora, monitor="tensorboard", eval_steps=6), tmp_path / "out")
    events = event_accumulator.EventAccumulator(str(tmp_path / "out" / "tensorboard"))
    events.Reload()
    losses = [event.value for event in events.Scalars("train/loss")]
    assert losses == pytest.approx([point["loss"] for point in curve(tmp_path / "out")])
    assert len(events.Scalars("eval/bits_rm_CH")) == 2


def test_a_monitor_that_is_not_installed_is_named(
    model_folder: Path, corpora: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="monitor: wandb is not installed: pip install wandb"):
        pretrain(short(model_folder, corpora, monitor="wandb"), tmp_path / "out")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokens": 5}, "steps and tokens: give one of steps, tokens and epochs"),
        ({"patience": 1}, "patience: it counts measurements; give --eval_steps"),
        ({"dev": {}, "eval_steps": 1}, "eval_steps: there is nothing to measure on; give --dev"),
        ({"parallel": {"de-rm": "x"}, "parallel_share": 1.0}, "parallel_share: expected less than 1"),
        ({"near_duplicates": 1.5}, "near_duplicates: expected a number between 0 and 1, found 1.5"),
        ({"micro_batch": 0}, "micro_batch: expected at least 1, found 0"),
        ({"relora_rounds": 2}, "relora_rounds: it is for --plan relora, which was not given"),
        ({"relora_rank": 2}, "relora_rank: it is for --plan relora, which was not given"),
    ],
)
def test_settings_that_cannot_work_are_refused(
    model_folder: Path, corpora: dict[str, str], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        short(model_folder, corpora, **changes)


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
