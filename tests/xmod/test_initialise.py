from __future__ import annotations

from pathlib import Path

import pytest
import torch

from swissxmod import ModelInit, UserError, XmodForMaskedLM, init_model, load_model

SMALL = {"hidden_size": 16, "layers": 1, "heads": 2, "intermediate_size": 16}


def test_random_models_are_repeatable(vocab: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        init_model(ModelInit(vocab=str(vocab), languages=["rm_CH"], **SMALL), tmp_path / name)
    first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("a", "b"))
    assert first == second


def test_a_model_has_room_for_the_tokens_asked_for(vocab: Path, tmp_path: Path) -> None:
    init_model(ModelInit(vocab=str(vocab), languages=["rm_CH"], **SMALL, max_tokens=12), tmp_path / "model")
    model = load_model(XmodForMaskedLM, tmp_path / "model").eval()
    model(torch.full((1, 12), 5), lang_ids=torch.tensor([0]))
    with pytest.raises(UserError, match="longer than the 12 positions"):
        model(torch.full((1, 13), 5), lang_ids=torch.tensor([0]))


@pytest.mark.parametrize("languages", [["rm_CH", "rm-ch"], ["de.CH"], ["de CH"]])
def test_impossible_languages_are_refused(vocab: Path, tmp_path: Path, languages: list[str]) -> None:
    with pytest.raises(UserError, match="language"):
        init_model(ModelInit(vocab=str(vocab), languages=languages), tmp_path / "model")
    assert not (tmp_path / "model").exists()
