from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from swissxmod import Pretrain, VocabTrain, XmodForMaskedLM, load_model, load_tokenizer, train_vocabulary
from swissxmod.xmod.pretraining.data import dev_sets, frame_of
from swissxmod.xmod.pretraining.measure import dev_bits, piece_characters


def test_of_a_character_in_bytes_the_first_one_counts(corpora: dict[str, str], tmp_path: Path) -> None:
    train_vocabulary(VocabTrain(corpora=dict(corpora), size=600, byte_fallback=True), tmp_path / "vocab")
    tokenizer = load_tokenizer(tmp_path / "vocab")
    lengths = piece_characters(tokenizer)
    for text, characters in (("日本", 3), ("🏔", 2)):  # the blank before a word included
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert len(ids) > characters and lengths[ids].sum() == characters


def test_dev_is_measured_a_micro_batch_at_once(
    model_folder: Path, tokenizer: PreTrainedTokenizerFast, corpora: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, bits, sizes = load_model(XmodForMaskedLM, model_folder), [], []
    forward = XmodForMaskedLM.forward

    def noted(self: XmodForMaskedLM, **batch: torch.Tensor) -> object:
        sizes.append(len(batch["input_ids"]))
        return forward(self, **batch)

    monkeypatch.setattr(XmodForMaskedLM, "forward", noted)
    for micro_batch in (None, 3):
        settings = Pretrain(
            model="m", corpora={"rm": "x"}, dev={"rm": corpora["rm_CH"]}, batch_size=16, micro_batch=micro_batch,
            block_size=16, dev_blocks=16, precision="float32",
        )  # fmt: skip
        dev = dev_sets(settings, model, tokenizer, frame_of(settings, model, tokenizer))
        bits.append(dev_bits(model, dev, settings)["rm_CH"])
    assert sizes == [16, 3, 3, 3, 3, 3, 1]
    assert bits[0] == pytest.approx(bits[1], abs=1e-3)
