from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from types import ModuleType

import pytest
import torch
import transformers

import swissxmod
from swissxmod import (
    ModelInit,
    UserError,
    XmodForMaskedLM,
    XmodForTokenClassification,
    XmodModel,
    init_model,
    load,
    load_model,
    load_tokenizer,
    load_with_tokenizer,
)
from swissxmod.files import new_folder, read_json, write_json
from swissxmod.tokenizer.folders import is_hub_name
from swissxmod.xmod.checkpoints import CLASSES, languages_seen, model_hash, save_checkpoint


@pytest.fixture
def folder(model_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model_folder, tmp_path / "model"))


def test_a_missing_folder_and_a_file_in_its_place_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        load_model(XmodForMaskedLM, tmp_path / "nothing")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="expected a folder, found a file"):
        load_model(XmodForMaskedLM, tmp_path / "file")


@pytest.mark.parametrize("keep", [0, 4, 100, 5000])
def test_truncated_weights_are_named(folder: Path, keep: int) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    with pytest.raises(UserError, match="cannot be loaded as XmodForMaskedLM") as caught:
        load_model(XmodForMaskedLM, folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", "{"),
        ("config.json", ""),
        ("config.json", "[]"),
        ("config.json", '{"model_type": "xmod", "hidden_size": "wide"}'),
        ("config.json", '{"model_type": "xmod", "hidden_act": "none"}'),
        ("config.json", '{"model_type": "xmod", "vocab_size": 7}'),
        ("tokenizer.json", "{}"),
    ],
)
def test_broken_files_are_named(folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(content)
    with pytest.raises(UserError, match=str(folder)):
        load_with_tokenizer(XmodForMaskedLM, folder)


def test_a_missing_head_is_an_error_unless_it_is_to_be_trained(folder: Path) -> None:
    with pytest.raises(UserError, match=r"2 weights of XmodForTokenClassification are missing, such as 'classifier"):
        load_model(XmodForTokenClassification, folder)
    load_model(XmodForTokenClassification, folder, new_parts=("classifier.",))


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("writer", [transformers, swissxmod])
def test_load_picks_the_class_that_the_folder_names(name: str, writer: ModuleType, folder: Path) -> None:
    config = load(folder).config
    config.num_labels = 2
    written = getattr(writer, name)(config).eval()
    written.save_pretrained(folder)
    model = load(folder)
    assert type(model) is getattr(swissxmod, name) and not model.training
    ids, lang_ids = torch.randint(5, 90, (2, 9)), torch.tensor([3, 0])
    with torch.no_grad():
        torch.testing.assert_close(
            model(ids, lang_ids=lang_ids)[0], written(ids, lang_ids=lang_ids)[0], atol=1e-5, rtol=0
        )


def test_load_names_what_it_cannot_load(folder: Path, tmp_path: Path) -> None:
    config = read_json(folder / "config.json")
    write_json(folder / "config.json", config | {"architectures": ["XmodForCausalLM"]})
    with pytest.raises(UserError, match="no class for its head, XmodForCausalLM"):
        load(folder)
    write_json(folder / "config.json", config | {"model_type": "xlm-roberta"})
    with pytest.raises(UserError, match=r"found a 'xlm-roberta' one; .* modularise"):
        load(folder)
    write_json(folder / "config.json", {"model_type": "made-up"})
    with pytest.raises(UserError, match="the config cannot be read"):
        load(folder)
    with pytest.raises(UserError, match="no such folder"):
        load(tmp_path / "nothing")


def test_bfloat16_weights_stay_close(folder: Path) -> None:
    ids, lang_ids = torch.randint(5, 90, (8, 17)), torch.randint(0, 4, (8,))
    exact, rounded = (load(folder, dtype=dtype) for dtype in (torch.float32, torch.bfloat16))
    assert {parameter.dtype for parameter in rounded.parameters()} == {torch.bfloat16}
    with torch.no_grad():
        expected, found = (
            model.roberta(ids, lang_ids=lang_ids).last_hidden_state.float() for model in (exact, rounded)
        )
    assert torch.cosine_similarity(expected, found, dim=-1).min() > 0.999


def test_a_tokenizer_with_more_pieces_than_rows_is_refused(folder: Path) -> None:
    model, tokenizer = load_with_tokenizer(XmodForMaskedLM, folder)
    tokenizer.add_tokens(["Graubünden"])
    tokenizer.save_pretrained(folder)
    with pytest.raises(UserError, match=f"{len(tokenizer)} pieces, the model only {model.config.vocab_size} rows"):
        load_with_tokenizer(XmodForMaskedLM, folder)


def test_only_owner_and_name_are_looked_up_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    assert is_hub_name("ZurichNLP/swissbert")
    for path in ("swissbert", "models/swissbert", "./x/y", "/x/y", "a/b/c", ""):
        assert not is_hub_name(path)


def test_nothing_is_left_when_saving_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), new_folder(tmp_path / "out") as folder:
        (folder / "half").write_text("x")
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_languages_are_told_in_order_and_once() -> None:
    history = [
        {"step": "pretrain", "languages": ["de_CH", "rm_CH"]},
        {"step": "finetune ner", "languages": ["fr_CH"]},
        {"step": "pretrain", "languages": ["rm_CH", "it_CH"]},
    ]
    assert languages_seen(history, "pretrain") == ["de_CH", "rm_CH", "it_CH"]


@pytest.mark.parametrize("pooled", [True, False])
def test_an_encoder_loads_with_and_without_a_pooler(folder: Path, tmp_path: Path, pooled: bool) -> None:
    encoder = XmodModel(load(folder).config, add_pooling_layer=pooled)
    encoder.save_pretrained(tmp_path / "encoder")
    found = load(tmp_path / "encoder")
    assert isinstance(found, XmodModel)
    assert found.state_dict().keys() == encoder.state_dict().keys()


def test_a_model_whose_output_rows_are_its_own_is_read_as_it_was_written(folder: Path, tmp_path: Path) -> None:
    tied = load_model(XmodForMaskedLM, folder)
    config = copy.deepcopy(tied.config)
    config.tie_word_embeddings = False
    torch.manual_seed(1)
    model = XmodForMaskedLM(config).eval()
    torch.nn.init.normal_(model.lm_head.bias)
    save_checkpoint(tmp_path / "out", model, load_tokenizer(folder), [])
    again = load_model(XmodForMaskedLM, tmp_path / "out").eval()
    assert again.lm_head.decoder.weight is not again.roberta.embeddings.word_embeddings.weight
    ids = torch.randint(4, 100, (2, 7))
    lang_ids = torch.tensor([0, 3])
    torch.testing.assert_close(again(ids, lang_ids=lang_ids).logits, model(ids, lang_ids=lang_ids).logits)


def test_a_tokenizer_cuts_to_what_the_model_can_read(vocab: Path, tmp_path: Path) -> None:
    sizes = {"hidden_size": 32, "layers": 1, "heads": 2, "intermediate_size": 32, "max_tokens": 66}
    init_model(ModelInit(vocab=str(vocab), languages=["rm_CH"], **sizes), tmp_path / "out")
    model, tokenizer = load_with_tokenizer(XmodForMaskedLM, tmp_path / "out")
    batch = tokenizer("La vischnanca da Cuira. " * 100, truncation=True, return_tensors="pt")
    assert batch["input_ids"].shape == (1, 66) == (1, model.base_model.max_tokens)
    assert model(**batch, lang_ids=torch.tensor([0])).logits.shape[1] == 66
    assert load_tokenizer(vocab).model_max_length == 512  # that of the vocabulary itself stays


def test_another_tokenizer_is_another_model(folder: Path) -> None:
    before = model_hash(folder)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["normalizer"] = None
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert model_hash(folder) != before
