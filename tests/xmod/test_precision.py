"""In which precision a model reads."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from swissxmod import ModelCompress, PredictNer, Tagger, UserError, compress_model
from swissxmod.files import write_json
from swissxmod.settings import MINI_NER
from swissxmod.xmod import precision
from swissxmod.xmod.precision import reading_dtype

SENTENCES = ["Ursina Flütsch wohnt in Chur.", "Der Kanton Graubünden liegt in der Schweiz."]


@pytest.fixture
def folders(model_folder: Path, tmp_path: Path) -> dict[str, Path]:
    """A model, the same compressed, and the name of what was learned beside each."""
    compress_model(ModelCompress(model=str(model_folder)), tmp_path / "small")
    shutil.copytree(model_folder, tmp_path / "whole")
    for base in ("whole", "small"):
        folder = tmp_path / f"beside-{base}"
        folder.mkdir()
        write_json(folder / "adapter_config.json", {})
        facts = {"base": {"model": f"../{base}", "hash": "", "peft": "lora"}, "history": []}
        write_json(folder / "swissxmod.json", facts)
    return {path.name: path for path in tmp_path.iterdir()}


@pytest.mark.parametrize("native", [True, False])
def test_only_compressed_models_read_in_bfloat16_where_it_is_native(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, native: bool
) -> None:
    uses = precision.uses_bfloat16
    monkeypatch.setattr(precision, "uses_bfloat16", lambda wanted: native if wanted == "auto" else uses(wanted))
    quick = torch.bfloat16 if native else torch.float32
    expected = {"whole": torch.float32, "beside-whole": torch.float32, "small": quick, "beside-small": quick}
    assert {name: reading_dtype(folders[name], "auto") for name in expected} == expected
    for folder in folders.values():
        assert reading_dtype(folder, "float32") == torch.float32
        assert reading_dtype(folder, "bfloat16") == torch.bfloat16
    assert reading_dtype("owner/name", "auto") == torch.float32


def test_a_model_of_the_package_reads_the_same_in_both() -> None:
    found = [Tagger.load(MINI_NER, precision=chosen)(SENTENCES, "de") for chosen in ("float32", "bfloat16")]
    names = [[(name.text, name.label) for text in each for name in text] for each in found]
    assert names[0] == names[1] and ("Ursina Flütsch", "PER") in names[0]
    assert found[0] != found[1]  # the scores are not quite the same


def test_a_trunk_in_fewer_bits_has_nothing_to_choose() -> None:
    with pytest.raises(UserError, match="precision: nothing to choose beside load_in_4bit"):
        PredictNer(model="ner", text="a.txt", load_in_4bit=True, precision="bfloat16")
