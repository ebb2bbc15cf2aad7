from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers

from swissxmod import (
    ModelCompress,
    UserError,
    XmodForMaskedLM,
    XmodForTokenClassification,
    XmodModel,
    compress_model,
    load,
    load_model,
    load_tokenizer,
)
from swissxmod.xmod.checkpoints import model_hash, read_history, save_checkpoint


@pytest.fixture
def small(model_folder: Path, tmp_path: Path) -> Path:
    told = compress_model(ModelCompress(model=str(model_folder)), tmp_path / "small")
    assert told["bytes"] == sum(file.stat().st_size for file in (tmp_path / "small").iterdir())
    return tmp_path / "small"


def weights_size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


def test_takes_less_room_and_scores_nearly_the_same(model_folder: Path, small: Path) -> None:
    assert weights_size(small) < 0.45 * weights_size(model_folder)  # in a tiny model vectors weigh much
    ids = torch.randint(10, 800, (3, 12))
    with torch.no_grad():
        expected, found = (
            load(folder)(ids, lang_ids=torch.tensor([0, 1, 3])).logits for folder in (model_folder, small)
        )
    assert 0 < (found - expected).std() < 0.02 * expected.std()


def test_loads_as_every_class_and_for_a_new_head(small: Path) -> None:
    whole = load_model(XmodForMaskedLM, small)
    assert whole.lm_head.decoder.weight is whole.roberta.embeddings.word_embeddings.weight
    assert whole.dtype == torch.float32
    encoder = load_model(XmodModel, small, add_pooling_layer=False)
    assert torch.equal(encoder.embeddings.word_embeddings.weight, whole.lm_head.decoder.weight)
    names = {0: "O", 1: "B-PER", 2: "I-PER"}
    tagger = load_model(XmodForTokenClassification, small, new_parts=("classifier.",), id2label=names)
    assert tagger.config.id2label == names
    assert tagger.classifier.weight.shape == (3, 32)


def test_a_new_copy_is_an_ordinary_folder(small: Path, tmp_path: Path) -> None:
    model = load(small)
    save_checkpoint(tmp_path / "copy", model, load_tokenizer(small), [])
    theirs = transformers.XmodForMaskedLM.from_pretrained(tmp_path / "copy")
    assert torch.equal(theirs.lm_head.decoder.weight, model.lm_head.decoder.weight)


def test_the_history_goes_on(model_folder: Path, small: Path) -> None:
    assert read_history(small) == [*(read_history(model_folder) or []), {"step": "compress", "form": "int8"}]
    assert model_hash(small) != model_hash(model_folder)


def test_an_encoder_without_a_pooler_stays_one(model_folder: Path, tmp_path: Path) -> None:
    encoder = load_model(XmodModel, model_folder, add_pooling_layer=False)
    encoder.config.alignment = {"layer": 1, "method": "agreement", "threshold": 0.3}
    save_checkpoint(tmp_path / "encoder", encoder, load_tokenizer(model_folder), [])
    compress_model(ModelCompress(model=str(tmp_path / "encoder")), tmp_path / "small")
    small = load(tmp_path / "small")
    assert isinstance(small, XmodModel)
    assert small.pooler is None
    assert small.config.alignment == encoder.config.alignment


def test_damaged_weights_are_named(small: Path) -> None:
    weights = small / "model.int8.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(UserError, match="cannot be loaded as XmodForMaskedLM"):
        load(small)


def test_a_missing_model_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        compress_model(ModelCompress(model=str(tmp_path / "nothing")), tmp_path / "small")
    assert not (tmp_path / "small").exists()
