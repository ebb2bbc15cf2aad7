from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForMaskedLM,
    BertConfig,
    BertForMaskedLM,
    BertModel,
    DistilBertConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForMaskedLM,
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
    XLMRobertaModel,
    XmodConfig,
)

from swissxmod import ModelModularise, UserError, XmodForMaskedLM, load_model, load_tokenizer, modularise_model
from swissxmod.xmod import modularise as module
from swissxmod.xmod.checkpoints import read_history
from swissxmod.xmod.modularise import largest_difference, modularise

SIZES: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
    "max_position_embeddings": 40, "initializer_range": 0.2,
}  # fmt: skip


@pytest.fixture(scope="module")
def bert_tokenizer() -> PreTrainedTokenizerFast:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh", *(f"##{letter}" for letter in "abcdefgh")]
    tokenizer = Tokenizer(models.WordPiece({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]", unk_token="[UNK]",
        mask_token="[MASK]",
    )  # fmt: skip


def saved(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> Path:
    # Biases and norms are zeros and ones at first: a table that mixes them up would go unseen.
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def make(tokenizer: PreTrainedTokenizerFast, bert_tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> Callable:
    """Makes a checkpoint of the kind."""

    def make(kind: str, **changed: Any) -> Path:
        pieces, folder = len(tokenizer), tmp_path / kind
        sizes = SIZES | changed
        if kind.startswith("bert"):
            config = BertConfig(vocab_size=len(bert_tokenizer), **sizes)
            model = BertModel(config) if kind == "bert without a head" else BertForMaskedLM(config)
            return saved(model, bert_tokenizer, folder)
        sizes |= {"type_vocab_size": 1}
        if kind == "roberta":
            return saved(RobertaForMaskedLM(RobertaConfig(vocab_size=pieces, **sizes)), tokenizer, folder)
        xlmr = XLMRobertaConfig(vocab_size=pieces, **sizes)
        without = kind == "xlm-roberta without a head"
        model = XLMRobertaModel(xlmr, add_pooling_layer=False) if without else XLMRobertaForMaskedLM(xlmr)
        return saved(model, tokenizer, folder)

    return make


KINDS = ("roberta", "xlm-roberta", "xlm-roberta without a head", "bert", "bert without a head")


@pytest.mark.parametrize("kind", KINDS)
def test_computes_the_same_function_in_every_language(make: Callable, tmp_path: Path, kind: str) -> None:
    source = make(kind)
    summary = modularise_model(ModelModularise(source=str(source), languages=["de_CH", "rm_CH"]), tmp_path / "out")
    assert summary["largest_difference"] < 1e-12
    assert summary["head"].startswith("new" if "without" in kind else "kept")
    original = AutoModelForMaskedLM.from_pretrained(source).eval()
    model = load_model(XmodForMaskedLM, tmp_path / "out").eval()
    ids = torch.randint(5, original.config.vocab_size, (3, model.roberta.max_tokens))
    types = torch.randint(original.config.type_vocab_size, ids.shape)
    for language in ("de", "rm"):
        model.set_default_language(language)
        with torch.no_grad():
            expected = original.base_model(ids, token_type_ids=types).last_hidden_state
            found = model.roberta(ids, token_type_ids=types).last_hidden_state
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
            if "without" not in kind:
                torch.testing.assert_close(model(ids).logits, original(ids).logits, atol=1e-4, rtol=0)


def test_all_positions_of_bert_are_kept(make: Callable, tmp_path: Path) -> None:
    modularise_model(ModelModularise(source=str(make("bert")), languages=["rm"]), tmp_path / "out")
    model = load_model(XmodForMaskedLM, tmp_path / "out")
    assert model.roberta.max_tokens == 40
    assert model.config.type_vocab_size == 2


def test_a_tokenizer_of_bert_has_the_roles_that_later_steps_need(make: Callable, tmp_path: Path) -> None:
    modularise_model(ModelModularise(source=str(make("bert")), languages=["rm"]), tmp_path / "out")
    tokenizer = load_tokenizer(tmp_path / "out")
    assert (tokenizer.bos_token, tokenizer.eos_token) == ("[CLS]", "[SEP]")
    config = load_model(XmodForMaskedLM, tmp_path / "out").config
    assert (config.pad_token_id, config.bos_token_id, config.eos_token_id) == (0, 2, 3)


def test_a_head_that_xmod_cannot_have_starts_anew(make: Callable, tmp_path: Path) -> None:
    summary = modularise_model(
        ModelModularise(source=str(make("bert", hidden_act="relu")), languages=["rm"]), tmp_path / "out"
    )
    assert summary["head"].startswith("new") and summary["largest_difference"] < 1e-12


@pytest.mark.parametrize("spoiled", ["encoder.layer.1.output.dense.bias", "lm_head.layer_norm.weight"])
def test_a_changed_function_is_not_written(
    make: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoiled: str
) -> None:
    def spoil(*args: Any, **kwargs: Any) -> XmodForMaskedLM:
        model = modularise(*args, **kwargs)
        with torch.no_grad():
            dict(model.named_parameters())[spoiled if "lm_head" in spoiled else f"roberta.{spoiled}"] += 1e-6
        return model

    monkeypatch.setattr(module, "modularise", spoil)
    with pytest.raises(RuntimeError, match="modularising changed the function"):
        modularise_model(ModelModularise(source=str(make("roberta")), languages=["rm"]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def xmod(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> Path:
    config = XmodConfig(
        vocab_size=len(tokenizer), **SIZES, type_vocab_size=1, languages=["en_XX", "de_DE", "fr_XX", "it_IT"],
        ln_before_adapter=True, adapter_reuse_layer_norm=True, default_language="en_XX",
    )  # fmt: skip
    return saved(XmodForMaskedLM(config), tokenizer, tmp_path / "xmod")


def test_xmod_languages_are_copied_averaged_and_pruned(xmod: Path, tmp_path: Path) -> None:
    settings = ModelModularise(
        source=str(xmod), languages=["de_CH", "rm_CH", "fr_CH"], start={"rm": ["de", "fr_XX", "it"], "fr_CH": "it_IT"}
    )
    summary = modularise_model(settings, tmp_path / "out")
    assert summary["languages"] == {
        "de_CH": "de_DE, same function",
        "rm_CH": "average of de_DE, fr_XX, it_IT",
        "fr_CH": "it_IT, same function",
    }
    assert summary["largest_difference"] == 0
    old = load_model(XmodForMaskedLM, xmod).eval()
    new = load_model(XmodForMaskedLM, tmp_path / "out").eval()
    ids = torch.randint(4, old.config.vocab_size, (2, 12))
    for after, before in (("de_CH", "de_DE"), ("fr_CH", "it_IT")):
        new.set_default_language(after)
        old.set_default_language(before)
        assert torch.equal(new(ids).logits, old(ids).logits)
    before, after = old.state_dict(), new.state_dict()
    key = "roberta.encoder.layer.1.output.adapter_modules.{}.dense1.weight"
    mean = sum(before[key.format(name)] for name in ("de_DE", "fr_XX", "it_IT")) / 3
    torch.testing.assert_close(after[key.format("rm_CH")], mean)
    assert not [name for name in after if "en_XX" in name]
    assert list(new.languages) == ["de_CH", "rm_CH", "fr_CH"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"languages": ["rm_CH"]}, r"'rm_CH': the model has none of its language .*--start.rm_CH"),
        ({"languages": ["rm_CH"], "start": {"rm_CH": "es"}}, "no adapter for language 'es'"),
        ({"languages": ["de_CH"], "start": {"gsw": "de_DE"}}, "no adapter for language 'gsw'"),
        ({"languages": ["de_CH", "de-ch"]}, "expected different ones"),
    ],
)
def test_languages_that_cannot_be_are_named(xmod: Path, tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        modularise_model(ModelModularise(source=str(xmod), **changed), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_tokenizer_may_be_elsewhere(make: Callable, vocab: Path, tmp_path: Path) -> None:
    source = make("roberta")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (source / name).unlink()
    with pytest.raises(UserError, match="no tokenizer in the folder"):
        modularise_model(ModelModularise(source=str(source), languages=["rm"]), tmp_path / "out")
    settings = ModelModularise(source=str(source), languages=["rm"], tokenizer=str(vocab))
    modularise_model(settings, tmp_path / "out")
    assert load_tokenizer(tmp_path / "out").get_vocab() == load_tokenizer(vocab).get_vocab()


def test_says_where_the_model_came_from(make: Callable, tmp_path: Path) -> None:
    modularise_model(ModelModularise(source=str(make("roberta")), languages=["rm_CH"]), tmp_path / "out")
    history = read_history(tmp_path / "out")
    assert history is not None
    assert history[0]["step"] == "modularise" and history[0]["source"] == "roberta"


def test_other_checkpoints_are_refused(make: Callable, tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    source = tmp_path / "source"
    DistilBertConfig().save_pretrained(source)
    tokenizer.save_pretrained(source)
    with pytest.raises(UserError, match=r"expected a checkpoint of type bert, .* or xmod, found 'distilbert'"):
        modularise_model(ModelModularise(source=str(source), languages=["rm_CH"]), tmp_path / "out")
    with pytest.raises(UserError, match=r"start: .* is a roberta model and has no adapters to start from"):
        modularise_model(
            ModelModularise(source=str(make("roberta")), languages=["rm"], start={"rm": "de"}), tmp_path / "out"
        )
    assert not (tmp_path / "out").exists()


def test_a_tokenizer_that_does_not_fit_the_rows_is_named(make: Callable, tmp_path: Path) -> None:
    source = make("roberta")
    model = AutoModelForMaskedLM.from_pretrained(source)
    model.resize_token_embeddings(800)
    model.save_pretrained(source)
    with pytest.raises(UserError, match="the tokenizer has 900 pieces, the model only 800 rows"):
        modularise_model(ModelModularise(source=str(source), languages=["rm"]), tmp_path / "out")
    model.resize_token_embeddings(3000)
    model.save_pretrained(source)
    with pytest.raises(UserError, match="the model has 3000 rows, the tokenizer only 900 pieces"):
        modularise_model(ModelModularise(source=str(source), languages=["rm"]), tmp_path / "out")


def test_another_epsilon_is_a_difference(make: Callable) -> None:
    source = AutoModelForMaskedLM.from_pretrained(make("roberta"))
    model = modularise(source, ["rm"])
    for part in model.modules():
        if isinstance(part, torch.nn.LayerNorm):
            part.eps = 1e-7
    assert largest_difference(source, model) > 1e-9
    assert model.dtype == source.dtype == torch.float32


@pytest.mark.parametrize("spoiled", ["de", "rm"])
def test_a_difference_in_any_language_is_one(make: Callable, spoiled: str) -> None:
    source = AutoModelForMaskedLM.from_pretrained(make("roberta"))
    model = modularise(source, ["de", "rm"])
    assert largest_difference(source, model) < 1e-9
    with torch.no_grad():
        model.roberta.encoder.layer[0].output.adapter_modules[spoiled].dense2.bias[0] += 1
    assert largest_difference(source, model) > 1e-3


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta", "xmod"])
def test_a_smaller_model_has_the_layers_that_are_kept(make: Callable, xmod: Path, tmp_path: Path, kind: str) -> None:
    source = xmod if kind == "xmod" else make(kind, num_hidden_layers=3)
    languages = load_model(XmodForMaskedLM, source).languages[:1] if kind == "xmod" else ["rm_CH"]
    layers = [1] if kind == "xmod" else [0, 2]
    modularise_model(ModelModularise(source=str(source), languages=languages, layers=layers), tmp_path / "small")
    small = load_model(XmodForMaskedLM, tmp_path / "small")
    whole = load_model(AutoModelForMaskedLM, source)
    assert small.config.num_hidden_layers == len(small.roberta.encoder.layer) == len(layers)
    for mine, number in zip(small.roberta.encoder.layer, layers, strict=True):
        theirs = whole.base_model.encoder.layer[number]
        assert torch.equal(mine.attention.self.query.weight, theirs.attention.self.query.weight)
        assert torch.equal(mine.output.dense.weight, theirs.output.dense.weight)


@pytest.mark.parametrize(
    ("layers", "message"),
    [([0, 2], "layers: expected numbers from 0 to 1, found 2"), ([-1], "expected numbers from 0 to 1, found -1")],
)
def test_layers_that_there_are_not_are_named(make: Callable, tmp_path: Path, layers: list[int], message: str) -> None:
    settings = ModelModularise(source=str(make("roberta")), languages=["rm_CH"], layers=layers)
    with pytest.raises(UserError, match=message):
        modularise_model(settings, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("layers", [[], [1, 0], [0, 0]])
def test_layers_are_different_and_in_order(layers: list[int]) -> None:
    with pytest.raises(UserError, match="layers: expected different numbers in rising order, found"):
        ModelModularise(source="trunk", languages=["rm_CH"], layers=layers)
