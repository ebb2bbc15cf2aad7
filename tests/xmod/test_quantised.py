from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import XmodForMaskedLM as StockForMaskedLM

from swissxmod import (
    EvalNer,
    FinetuneNer,
    ModelInit,
    PredictNer,
    UserError,
    XmodForMaskedLM,
    XmodForTokenClassification,
    evaluate_ner,
    finetune_ner,
    init_model,
    load_with_tokenizer,
    predict_ner,
    read_records,
)
from swissxmod.xmod.adapters import part_of

bitsandbytes = pytest.importorskip("bitsandbytes", reason="an extra: pip install swissxmod[quantised]")
pytest.importorskip("peft", reason="an extra: pip install swissxmod[peft]")
LANGUAGES = ["de_CH", "fr_CH", "it_CH", "rm_CH"]
KINDS = {4: bitsandbytes.nn.Linear4bit, 8: bitsandbytes.nn.Linear8bitLt}


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory, vocab: Path) -> Path:
    """Four bits share a constant among 64 numbers of a row, so that a row must have as many."""
    out = tmp_path_factory.mktemp("wide") / "model"
    settings = ModelInit(
        vocab=str(vocab), languages=LANGUAGES, hidden_size=64, layers=2, heads=4, intermediate_size=128, max_tokens=20
    )
    init_model(settings, out)
    return out


def test_a_narrow_trunk_is_refused(model_folder: Path) -> None:
    with pytest.raises(UserError, match="load_in_4bit needs rows that 64 divides, hidden_size is 32; try load_in_8bit"):
        load_with_tokenizer(XmodForMaskedLM, model_folder, bits=4)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory, wide: Path) -> tuple[Path, str]:
    """A German tagger that was learned beside a trunk in 4 bits, and its data."""
    folder = tmp_path_factory.mktemp("quantised")
    (folder / "de.conll").write_text("der\tO\nZug\tO\nin\tO\nChur\tB-LOC\n\nin\tO\nChur\tB-LOC\n\n" * 12)
    data = {"de": str(folder / "de.conll")}
    settings = FinetuneNer(
        model=str(wide), train=data, peft="lora", load_in_4bit=True, epochs=8, learning_rate=2e-2, dropout=0.0,
        precision="float32",
    )  # fmt: skip
    finetune_ner(settings, folder / "ner")
    return folder / "ner", data["de"]


@pytest.mark.parametrize("bits", [4, 8])
def test_the_matrices_of_the_trunk_are_small_and_all_else_is_as_it_was(wide: Path, bits: int) -> None:
    model, _ = load_with_tokenizer(XmodForMaskedLM, wide, bits=bits)
    small = {name for name, module in model.named_modules() if isinstance(module, KINDS[bits])}
    linear = {
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and part_of(f"{name}.weight") == "trunk"
    }
    assert small == linear and len(small) == 2 * 6
    before = StockForMaskedLM.from_pretrained(wide).state_dict()
    for name, parameter in model.named_parameters():
        if name.rpartition(".")[0] not in small:
            assert torch.equal(parameter, before[name]), name
    if bits == 4:
        state = model.roberta.encoder.layer[0].output.dense.weight.quant_state
        assert (state.quant_type, state.nested) == ("nf4", True)
    whole, _ = load_with_tokenizer(XmodForMaskedLM, wide)
    ids, lang_ids = torch.randint(5, 890, (4, 9)), torch.randint(0, 4, (4, 9))
    with torch.no_grad():
        found, exact = (m.eval().roberta(ids, lang_ids=lang_ids).last_hidden_state for m in (model, whole))
    assert torch.cosine_similarity(found, exact, dim=-1).min() > 0.9
    assert not torch.equal(found, exact)


def test_what_is_learned_beside_4_bits_works_beside_any(tuned: tuple[Path, str], tmp_path: Path) -> None:
    for name, held in (("32", {}), ("8", {"load_in_8bit": True}), ("4", {"load_in_4bit": True})):
        summary = evaluate_ner(EvalNer(model=str(tuned[0]), data={"de": tuned[1]}, **held), tmp_path / name)
        assert summary["de_CH"]["f1"] > 90, name
        (record,) = read_records(tmp_path / name / "results.jsonl")
        assert record.system == ("model" if name == "32" else f"model in {name} bits")
    (tmp_path / "text").write_text("in Chur\n")
    predict_ner(
        PredictNer(model=str(tuned[0]), text=str(tmp_path / "text"), language="de", load_in_4bit=True), tmp_path / "o"
    )
    assert '"text": "Chur"' in (tmp_path / "o").read_text()


def test_updates_beside_small_matrices_count(tuned: tuple[Path, str]) -> None:
    model, _ = load_with_tokenizer(XmodForTokenClassification, tuned[0], bits=4)
    ids = torch.randint(5, 890, (2, 9))
    with torch.no_grad():
        found = model.eval()(ids, lang_ids=torch.tensor([0, 3])).logits
        for module in model.modules():
            if hasattr(module, "lora_B"):
                assert isinstance(module.base_layer, bitsandbytes.nn.Linear4bit)
                module.lora_B["default"].weight.zero_()
        assert not torch.allclose(found, model(ids, lang_ids=torch.tensor([0, 3])).logits, atol=0.1)


def test_a_missing_extra_is_named(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "bitsandbytes", None)
    with pytest.raises(UserError, match=r"load_in_4bit.* need an extra: pip install 'swissxmod\[quantised\]'"):
        load_with_tokenizer(XmodForMaskedLM, model_folder, bits=4)
