from __future__ import annotations

from pathlib import Path

import pytest

from swissxmod import FinetuneNer, XmodForMaskedLM, XmodForTokenClassification, load_model
from swissxmod.xmod.adapters import parameter_counts, with_languages
from swissxmod.xmod.learning import Learning


@pytest.fixture
def model(model_folder: Path) -> XmodForMaskedLM:
    return load_model(XmodForMaskedLM, model_folder)


def test_a_default_language_goes_with_its_adapter(model: XmodForMaskedLM) -> None:
    model.set_default_language("fr")
    kept = with_languages(model, {"fr_CH": ["fr_CH"], "de_CH": ["de_CH"]})
    assert kept.config.default_language == "fr_CH"
    assert with_languages(model, {"de_CH": ["de_CH"]}).config.default_language is None
    assert model.config.default_language == "fr_CH"


def test_a_head_that_a_method_copies_is_counted_once(model_folder: Path) -> None:
    plain = load_model(XmodForTokenClassification, model_folder, new_parts=["classifier"], num_labels=3)
    before = parameter_counts(plain)
    settings = FinetuneNer(model=str(model_folder), train={"de": "x"}, peft="lora", rank=2)
    learning = Learning.of(plain, str(model_folder), settings, "task")
    after = learning.parts
    assert after["head"] == (before["head"][1], before["head"][1])
    assert {name: total for name, (_, total) in after.items() if name in ("embeddings", "adapters")} == {
        name: before[name][1] for name in ("embeddings", "adapters")
    }
