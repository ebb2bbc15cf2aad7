from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from swissxmod import (
    AdapterExport,
    AdapterImport,
    FinetuneNer,
    Pretrain,
    UserError,
    XmodForMaskedLM,
    XmodForTokenClassification,
    XmodModel,
    export_language,
    finetune_ner,
    import_language,
    load,
    load_model,
    load_tokenizer,
    pretrain,
)
from swissxmod.xmod.checkpoints import languages_seen, read_history, save_checkpoint


@pytest.fixture(scope="module")
def grown(model_folder: Path, corpora: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model with one more language, trained for some steps."""
    out = tmp_path_factory.mktemp("grown") / "model"
    settings = Pretrain(
        model=str(model_folder), corpora={"rm-sursilv": corpora["rm_CH"]}, add_language="rm-sursilv", plan="adapters",
        steps=8, batch_size=4, block_size=16, learning_rate=1e-2, precision="float32",
    )  # fmt: skip
    pretrain(settings, out)
    return out


@pytest.fixture(scope="module")
def tagger(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fine-tuned from the model as it was before it had the language."""
    folder = tmp_path_factory.mktemp("tagger")
    (folder / "de.conll").write_text("Anna\tB-PER\nwohnt\tO\nin\tO\nChur\tB-LOC\n\n" * 4)
    finetune_ner(FinetuneNer(model=str(model_folder), train={"de": str(folder / "de.conll")}, epochs=1), folder / "ner")
    return folder / "ner"


def test_an_added_language_needs_text(model_folder: Path, corpora: dict[str, str], tmp_path: Path) -> None:
    settings = Pretrain(model=str(model_folder), corpora={"rm": corpora["rm_CH"]}, add_language="rm-sursilv", steps=1)
    with pytest.raises(UserError, match=r"there is no text of rm_sursilv; give --corpora\.rm_sursilv"):
        pretrain(settings, tmp_path / "out")


def test_adding_a_language_changes_no_bit_of_the_others(model_folder: Path, grown: Path) -> None:
    before, after = (load_model(XmodForMaskedLM, folder).eval() for folder in (model_folder, grown))
    assert list(after.languages) == [*before.languages, "rm_sursilv"]
    old, new = before.state_dict(), after.state_dict()
    assert all(torch.equal(new[key], value) for key, value in old.items())
    added = {key for key in new if key not in old}
    assert added and all("adapter_modules.rm_sursilv." in key for key in added)
    assert not any(torch.equal(new[key], old[key.replace("rm_sursilv", "rm_CH")]) for key in added if "weight" in key)
    ids = torch.randint(4, 900, (4, 12))
    for number in range(4):
        lang_ids = torch.full((4,), number)
        assert torch.equal(before(ids, lang_ids=lang_ids).logits, after(ids, lang_ids=lang_ids).logits)


def test_the_new_adapter_is_also_a_folder_of_its_own(grown: Path) -> None:
    facts = json.loads((grown / "adapter" / "adapter.json").read_text())
    assert facts["language"] == "rm_sursilv"
    assert [record["step"] for record in facts["history"]] == ["init", "pretrain"]
    weights = load_file(grown / "adapter" / "adapter.safetensors")
    model = load_model(XmodForMaskedLM, grown).state_dict()
    assert len(weights) == 2 * 4
    for key, value in weights.items():
        assert torch.equal(value, model["roberta." + key.replace(".adapter.", ".adapter_modules.rm_sursilv.")])


def test_an_adapter_works_in_what_was_fine_tuned_from_its_model(grown: Path, tagger: Path, tmp_path: Path) -> None:
    settings = AdapterImport(model=str(tagger), adapter=str(grown / "adapter"))
    assert import_language(settings, tmp_path / "out")["languages"][-1] == "rm_sursilv"
    before, after = (load_model(XmodForTokenClassification, folder).eval() for folder in (tagger, tmp_path / "out"))
    assert all(torch.equal(after.state_dict()[key], value) for key, value in before.state_dict().items())
    weights = load_file(grown / "adapter" / "adapter.safetensors")
    found = after.state_dict()["roberta.encoder.layer.1.output.adapter_modules.rm_sursilv.dense2.bias"]
    assert torch.equal(found, weights["encoder.layer.1.output.adapter.dense2.bias"])
    history = read_history(tmp_path / "out")
    assert history is not None
    assert languages_seen(history, "pretrain") == ["rm_sursilv"]
    assert languages_seen(history, "finetune ner") == ["de_CH"]


def test_export_and_import_give_the_language_back(model_folder: Path, tmp_path: Path) -> None:
    summary = export_language(AdapterExport(model=str(model_folder), language="rm"), tmp_path / "rm")
    assert summary["language"] == "rm_CH" and summary["parameters"] == 2 * (32 * 16 + 16 + 16 * 32 + 32)
    settings = AdapterImport(model=str(model_folder), adapter=str(tmp_path / "rm"), language="roh-x")
    import_language(settings, tmp_path / "out")
    model = load_model(XmodForMaskedLM, tmp_path / "out").eval()
    ids = torch.randint(4, 900, (2, 9))
    assert torch.equal(
        model(ids, lang_ids=torch.full((2,), model.language_id("rm_CH"))).logits,
        model(ids, lang_ids=torch.full((2,), model.language_id("roh_x"))).logits,
    )


def spoil_base(model: XmodForMaskedLM) -> None:
    model.roberta.embeddings.word_embeddings.weight[5] += 1


def test_another_base_is_refused_with_the_reason(model_folder: Path, grown: Path, tmp_path: Path) -> None:
    model = load_model(XmodForMaskedLM, model_folder)
    with torch.no_grad():
        spoil_base(model)
    model.save_pretrained(tmp_path / "other")
    settings = AdapterImport(model=str(tmp_path / "other"), adapter=str(grown / "adapter"))
    with pytest.raises(UserError, match="made for another base"):
        import_language(settings, tmp_path / "out")
    model.config.ln_before_adapter = True
    model.save_pretrained(tmp_path / "switched")
    with pytest.raises(UserError, match="made for ln_before_adapter False, the model has True"):
        import_language(AdapterImport(str(tmp_path / "switched"), str(grown / "adapter")), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_odd_adapter_folders_are_named(model_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "rm"
    export_language(AdapterExport(model=str(model_folder), language="rm"), folder)
    settings = AdapterImport(model=str(model_folder), adapter=str(folder), language="xx")
    with pytest.raises(UserError, match="the model has it already"):
        import_language(AdapterImport(model=str(model_folder), adapter=str(folder)), tmp_path / "out")
    weights = load_file(folder / "adapter.safetensors")
    save_file({key: value for key, value in list(weights.items())[:-1]}, folder / "adapter.safetensors")
    with pytest.raises(UserError, match="not those of an adapter for this model"):
        import_language(settings, tmp_path / "out")
    (folder / "adapter.safetensors").write_bytes(b"\x08\x00\x00")
    with pytest.raises(UserError, match="not a whole safetensors file"):
        import_language(settings, tmp_path / "out")
    (folder / "adapter.json").write_text("[]")
    with pytest.raises(UserError, match="not the description of an adapter"):
        import_language(settings, tmp_path / "out")
    with pytest.raises(UserError, match="no such folder"):
        import_language(AdapterImport(model=str(model_folder), adapter=str(tmp_path / "none")), tmp_path / "out")


def test_an_encoder_without_a_pooler_takes_an_adapter(grown: Path, model_folder: Path, tmp_path: Path) -> None:
    encoder = load_model(XmodModel, model_folder, add_pooling_layer=False)
    save_checkpoint(tmp_path / "encoder", encoder, load_tokenizer(model_folder), [])
    assert load(tmp_path / "encoder").pooler is None
    export_language(AdapterExport(model=str(model_folder), language="rm"), tmp_path / "rm")
    taken = AdapterImport(model=str(tmp_path / "encoder"), adapter=str(tmp_path / "rm"), language="rm-puter")
    import_language(taken, tmp_path / "more")
    more = load(tmp_path / "more")
    assert more.languages[-1] == "rm_puter" and more.pooler is None
