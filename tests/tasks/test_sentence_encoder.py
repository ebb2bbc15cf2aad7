from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from swissxmod import UserError, encode, load_with_tokenizer
from swissxmod.xmod.modeling import XmodModel

pytest.importorskip("sentence_transformers", reason="an extra: pip install swissxmod[sentence-transformers]")
datasets = pytest.importorskip("datasets", reason="an extra: pip install swissxmod[data]")

from sentence_transformers import (  # noqa: E402
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.losses import MultipleNegativesRankingLoss  # noqa: E402

from swissxmod import SentenceEncoder  # noqa: E402

TEXTS = ["La vischnanca da Cuira.", "Oui.", "Ella ha ditg: na."]


def make(folder: Path, **settings: str | int) -> SentenceTransformer:
    return SentenceTransformer(modules=[SentenceEncoder(folder, **settings)], device="cpu")


def test_vectors_are_those_of_encode_in_the_language_asked_for(model_folder: Path) -> None:
    model = make(model_folder, language="rm")
    encoder, tokenizer = load_with_tokenizer(XmodModel, str(model_folder), add_pooling_layer=False)
    expected = {name: encode(encoder, tokenizer, TEXTS, name, special=True) for name in ("rm", "fr")}
    assert not torch.allclose(expected["rm"], expected["fr"], atol=1e-3)
    for asked, name in (({}, "rm"), ({"language": "fr"}, "fr"), ({"prompt": "fr"}, "fr")):
        found = torch.from_numpy(model.encode(TEXTS, batch_size=2, **asked))
        torch.testing.assert_close(found, expected[name], atol=1e-5, rtol=1e-4)
    assert model.get_embedding_dimension() == 32


def test_a_saved_model_is_the_same_to_everyone(model_folder: Path, tmp_path: Path) -> None:
    model = make(model_folder, language="it", max_seq_length=20)
    model.save(str(tmp_path / "saved"))
    again = SentenceTransformer(str(tmp_path / "saved"), trust_remote_code=True, device="cpu")
    assert (again[0].language, again[0].max_seq_length) == ("it_CH", 20)
    assert (again.encode(TEXTS) == model.encode(TEXTS)).all()
    encoder, tokenizer = load_with_tokenizer(XmodModel, str(tmp_path / "saved"), add_pooling_layer=False)
    expected = encode(encoder, tokenizer, TEXTS, "it", special=True)
    torch.testing.assert_close(torch.from_numpy(again.encode(TEXTS)), expected, atol=1e-5, rtol=1e-4)
    assert not (tmp_path / "saved" / "swissxmod.json").exists()


def test_a_language_is_asked_for_and_what_is_cut_off_is_told(
    model_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = make(model_folder)
    with pytest.raises(UserError, match=r"in which language are the texts.* one of de_CH, fr_CH, it_CH, rm_CH"):
        model.encode(TEXTS)
    with pytest.raises(UserError, match="gsw"):
        model.encode(TEXTS, language="gsw")
    with pytest.raises(UserError, match="expected texts, found tuple"):
        model.encode([("Oui.", "Na.")], language="fr")
    with caplog.at_level(logging.WARNING):
        model.encode(["Oui. " * 100, "Oui."], language="fr")
    assert "1 of 2 texts are longer than" in caplog.text
    assert make(model_folder, max_seq_length=10_000)[0].max_seq_length < 10_000
    with pytest.raises(UserError, match=r"max_seq_length: expected 3 pieces or more, .* found 0"):
        make(model_folder, max_seq_length=0)


def test_contrastive_training_brings_translations_together(model_folder: Path, tmp_path: Path) -> None:
    words = {"Berg": "munt", "Tal": "val", "Fluss": "flum", "Haus": "chasa", "Brot": "paun", "Wein": "vin"}
    pairs = [(f"{a} {b}", f"{words[b]} {words[a]}") for a in words for b in words if a < b]
    columns = {"de": [pair[0] for pair in pairs], "rm": [pair[1] for pair in pairs]}
    model = make(model_folder, language="de")  # the trainer's model card also reads texts without a prompt

    def right() -> int:
        german, romansh = (model.encode(texts, language=name) for name, texts in columns.items())
        return int((model.similarity(german, romansh).argmax(dim=1) == torch.arange(len(pairs))).sum())

    before = right()
    arguments = SentenceTransformerTrainingArguments(
        str(tmp_path / "work"), prompts={"de": "de", "rm": "rm"}, max_steps=40, learning_rate=3e-3, report_to="none",
        per_device_train_batch_size=len(pairs), save_strategy="no", use_cpu=True, disable_tqdm=True,
    )  # fmt: skip
    SentenceTransformerTrainer(
        model, arguments, train_dataset=datasets.Dataset.from_dict(columns), loss=MultipleNegativesRankingLoss(model)
    ).train()
    assert right() == len(pairs) > before
