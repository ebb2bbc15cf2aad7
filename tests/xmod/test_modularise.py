from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import BertConfig, PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaForMaskedLM, XLMRobertaModel

from swissxmod import ModelInit, ModelModularise, UserError, XmodForMaskedLM, init_model, load_model, modularise_model
from swissxmod.xmod.checkpoints import read_history


def xlmr(tokenizer: PreTrainedTokenizerFast, folder: Path, with_head: bool = True) -> Path:
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
        max_position_embeddings=40, type_vocab_size=1, initializer_range=0.2, pad_token_id=1,
    )  # fmt: skip
    model = XLMRobertaForMaskedLM(config) if with_head else XLMRobertaModel(config, add_pooling_layer=False)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("with_head", [True, False])
def test_computes_the_same_function_in_every_language(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path, with_head: bool
) -> None:
    source = xlmr(tokenizer, tmp_path / "source", with_head)
    settings = ModelModularise(source=str(source), languages=["de_CH", "rm_CH"])
    summary = modularise_model(settings, tmp_path / "out")
    assert summary["largest_difference"] < 1e-5
    original = XLMRobertaForMaskedLM.from_pretrained(source).eval()
    model = load_model(XmodForMaskedLM, tmp_path / "out").eval()
    ids = torch.randint(4, len(tokenizer), (3, 12))
    for language in ("de", "rm"):
        model.set_default_language(language)
        with torch.no_grad():
            states = original.roberta(ids).last_hidden_state
            torch.testing.assert_close(model.roberta(ids).last_hidden_state, states, atol=1e-5, rtol=0)
            if with_head:
                torch.testing.assert_close(model(ids).logits, original(ids).logits, atol=1e-4, rtol=0)


def test_says_where_the_model_came_from(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    modularise_model(
        ModelModularise(source=str(xlmr(tokenizer, tmp_path / "my-trunk")), languages=["rm_CH"]), tmp_path / "out"
    )
    history = read_history(tmp_path / "out")
    assert history is not None
    assert history[0]["step"] == "modularise"
    assert history[0]["source"] == "my-trunk"


def test_random_models_are_repeatable(vocab: Path, tmp_path: Path) -> None:
    settings = ModelInit(vocab=str(vocab), languages=["rm_CH"], hidden_size=16, layers=1, heads=2, intermediate_size=16)
    for name in ("a", "b"):
        init_model(settings, tmp_path / name)
    first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("a", "b"))
    assert first == second


def test_a_model_has_room_for_the_tokens_asked_for(vocab: Path, tmp_path: Path) -> None:
    settings = ModelInit(
        vocab=str(vocab), languages=["rm_CH"], hidden_size=16, layers=1, heads=2, intermediate_size=16, max_tokens=12
    )
    init_model(settings, tmp_path / "model")
    model = load_model(XmodForMaskedLM, tmp_path / "model").eval()
    model(torch.full((1, 12), 5), lang_ids=torch.tensor([0]))
    with pytest.raises(UserError, match="longer than the 12 positions"):
        model(torch.full((1, 13), 5), lang_ids=torch.tensor([0]))


@pytest.mark.parametrize("languages", [["rm_CH", "rm-ch"], ["de.CH"], ["de CH"]])
def test_impossible_languages_are_refused(vocab: Path, tmp_path: Path, languages: list[str]) -> None:
    with pytest.raises(UserError, match="language"):
        init_model(ModelInit(vocab=str(vocab), languages=languages), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_another_architecture_is_refused(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    source = tmp_path / "source"
    BertConfig().save_pretrained(source)
    tokenizer.save_pretrained(source)
    with pytest.raises(UserError, match="expected a checkpoint of type roberta or xlm-roberta, found 'bert'"):
        modularise_model(ModelModularise(source=str(source), languages=["rm_CH"]), tmp_path / "out")
    assert not (tmp_path / "out").exists()
