from __future__ import annotations

import json
from pathlib import Path

import pytest

from swissxmod import ModelInfo, Pretrain, UserError, XmodForMaskedLM, load_model, model_info, pretrain
from swissxmod.cli import main


def test_counts_every_parameter_once(model_folder: Path) -> None:
    info = model_info(ModelInfo(model=str(model_folder)))
    model = load_model(XmodForMaskedLM, model_folder)
    parameters = info["parameters"]
    assert parameters["total"] == model.num_parameters()
    assert sum(parameters[part] for part in ("embeddings", "trunk", "adapters", "head")) == parameters["total"]
    # Two layers of two projections, 32 to 16 and back, with biases.
    assert parameters["of_each_language"] == dict.fromkeys(model.languages, 2 * (32 * 16 + 16 + 16 * 32 + 32))
    assert info["sizes"]["longest_text"] == 20 and info["sizes"]["adapter_size"] == 16
    assert info["vocabulary"]["pieces"] == info["vocabulary"]["rows"] == 900
    assert info["vocabulary"]["special"]["<mask>"] == 899 and info["vocabulary"]["byte_fallback"]
    assert info["last_training"] is None and info["history"][0]["step"] == "init"


def test_says_what_was_frozen(model_folder: Path, corpora: dict[str, str], tmp_path: Path) -> None:
    settings = Pretrain(model=str(model_folder), corpora={"rm": corpora["rm_CH"]}, steps=1, batch_size=2, block_size=16)
    pretrain(settings, tmp_path / "adapted")
    info = model_info(ModelInfo(model=str(tmp_path / "adapted")))
    assert info["last_training"] == {
        "step": "pretrain", "learned": ["embeddings", "adapters", "head"], "frozen": ["trunk"],
    }  # fmt: skip
    assert [record["step"] for record in info["history"]] == ["init", "pretrain"]


def test_from_the_command_line(model_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "info", "--model", str(model_folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["languages"] == ["de_CH", "fr_CH", "it_CH", "rm_CH"]
    assert main(["model", "info", "--model", str(model_folder)]) == 0
    assert "languages: de_CH, fr_CH, it_CH, rm_CH" in capsys.readouterr().out


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        model_info(ModelInfo(model=str(tmp_path)))
