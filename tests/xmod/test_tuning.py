from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from swissxmod import (
    EvalNer,
    FinetuneNer,
    FinetuneStance,
    ModelCompress,
    ModelMerge,
    PredictNer,
    Tagger,
    UserError,
    XmodForTokenClassification,
    XmodModel,
    compress_model,
    evaluate_ner,
    finetune_ner,
    finetune_stance,
    load,
    load_model,
    load_tokenizer,
    load_with_tokenizer,
    merge_model,
    peft_config,
    predict_ner,
)
from swissxmod.files import read_json, write_json
from swissxmod.tasks.finetuning import load_head
from swissxmod.xmod.adapters import language_of, part_of
from swissxmod.xmod.checkpoints import model_hash
from swissxmod.xmod.packing import pack_rows

peft = pytest.importorskip("peft", reason="an extra: pip install swissxmod[peft]")

PLACES = ["Chur", "Coira", "Cuira", "Coire"]
MERGED = ["lora", "dora", "ia3"]
VIRTUAL = ["prefix", "prompt"]


def conll(path: Path, sentences: int = 24) -> str:
    """A task a tiny model can learn: what comes after "in" is a place."""
    lines = []
    for i in range(sentences):
        words = [("der", "O"), ("Zug", "O")] * (i % 3) + [("in", "O"), (PLACES[i % 4], "B-LOC"), (".", "O")]
        lines += [*(f"{word}\t{tag}" for word, tag in words), ""]
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> dict[str, Path]:
    """What each method learned, with the base beside it."""
    folder = tmp_path_factory.mktemp("tuned")
    shutil.copytree(model_folder, folder / "base")
    data = conll(folder / "de.conll")
    for method in [*MERGED, *VIRTUAL]:
        settings = FinetuneNer(
            model=str(folder / "base"), train={"de": data, "fr": data}, dev={"de": data}, epochs=8, peft=method,
            precision="float32", dropout=0.0, learning_rate=3e-2 if method in VIRTUAL else 2e-2, virtual_tokens=3,
        )  # fmt: skip
        finetune_ner(settings, folder / method)
    return {method: folder / method for method in ["base", *MERGED, *VIRTUAL]}


def batch(model: torch.nn.Module, per_token: bool = False) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(5, 890, (6, 12), generator=generator)
    mask = torch.arange(12)[None] < torch.tensor([12, 3, 7, 12, 9, 5])[:, None]
    languages = torch.randint(0, 4, (6, 12) if per_token else (6,), generator=generator)
    with torch.no_grad():
        return model(ids, attention_mask=mask.long(), lang_ids=languages).logits[mask]


@pytest.mark.parametrize("method", [*MERGED, *VIRTUAL])
def test_a_method_learns_and_transfers_by_swapping_the_adapter(
    tuned: dict[str, Path], method: str, tmp_path: Path
) -> None:
    data = conll(tmp_path / "test.conll")
    settings = EvalNer(model=str(tuned[method]), data={"de": data, "rm": data})
    summary = evaluate_ner(settings, tmp_path / "scores")
    assert summary["de_CH"]["f1"] > 90
    assert [summary[language]["zero_shot"] for language in ("de_CH", "rm_CH")] == [False, True]
    (tmp_path / "text.txt").write_text("in Chur .\n")
    predict_ner(PredictNer(model=str(tuned[method]), text=str(tmp_path / "text.txt"), language="de"), tmp_path / "out")
    assert '"text": "Chur"' in (tmp_path / "out").read_text()


@pytest.mark.parametrize("method", MERGED)
def test_embeddings_and_language_adapters_stay_bit_for_bit(tuned: dict[str, Path], method: str) -> None:
    before = transformers.XmodForMaskedLM.from_pretrained(tuned["base"]).state_dict()
    after = load_model(XmodForTokenClassification, tuned[method]).state_dict()
    frozen = [key for key in after if part_of(key) in ("embeddings", "adapters")]
    assert len(frozen) > 2 * 4 * 4
    assert all(torch.equal(after[key], before[key]) for key in frozen)
    changed = {key for key, value in after.items() if part_of(key) == "trunk" and not torch.equal(value, before[key])}
    assert len(changed) == 2 * {"lora": 6, "dora": 6, "ia3": 3}[method]


@pytest.mark.parametrize("method", MERGED)
@pytest.mark.parametrize("per_token", [False, True])
def test_what_was_learned_merged_and_over_transformers_is_the_same_function(
    tuned: dict[str, Path], method: str, per_token: bool, tmp_path: Path
) -> None:
    merge_model(ModelMerge(model=str(tuned[method])), tmp_path / "merged")
    merged = batch(load(tmp_path / "merged"), per_token)
    beside = batch(load(tuned[method]), per_token)
    config = transformers.AutoConfig.from_pretrained(tuned[method])
    results = []
    for library in (transformers.XmodForTokenClassification, XmodForTokenClassification):
        base = library.from_pretrained(tuned["base"], config=config)
        wrapped = peft.PeftModel.from_pretrained(base, str(tuned[method])).eval()
        if library is XmodForTokenClassification or not per_token:  # transformers has a language for each sentence
            results.append(batch(wrapped, per_token))
        with wrapped.disable_adapter():
            plain = batch(wrapped)
    assert not torch.allclose(plain, batch(load(tuned[method])), atol=0.1)
    for other in (merged, *results):
        torch.testing.assert_close(other, beside, atol=1e-5, rtol=1e-5)


def test_the_language_still_decides(tuned: dict[str, Path]) -> None:
    model = load(tuned["lora"])
    ids = torch.randint(5, 890, (1, 9))
    with torch.no_grad():
        alone = [model(ids, lang_ids=torch.tensor([n])).logits for n in range(4)]
        mixed = model(ids.repeat(4, 1), lang_ids=torch.arange(4)).logits
    for number in range(4):
        torch.testing.assert_close(mixed[number], alone[number][0], atol=1e-5, rtol=1e-5)
        assert not torch.allclose(alone[number], alone[number - 1], atol=1e-4)


def test_a_merged_folder_is_an_ordinary_one(tuned: dict[str, Path], tmp_path: Path) -> None:
    merge_model(ModelMerge(model=str(tuned["lora"])), tmp_path / "merged")
    names = {path.name for path in (tmp_path / "merged").iterdir()}
    assert "model.safetensors" in names and not any(name.startswith("adapter") for name in names)
    stock = transformers.XmodForTokenClassification.from_pretrained(tmp_path / "merged").eval()
    torch.testing.assert_close(batch(stock), batch(load(tuned["lora"])), atol=1e-5, rtol=1e-5)
    with pytest.raises(UserError, match="an ordinary model already"):
        merge_model(ModelMerge(model=str(tmp_path / "merged")), tmp_path / "again")


def test_the_folder_holds_what_was_learned_and_no_more(tuned: dict[str, Path]) -> None:
    from safetensors import safe_open

    with safe_open(tuned["lora"] / "adapter_model.safetensors", "pt") as file:
        keys = list(file.keys())
    assert len(keys) == 2 * 6 * 2 + 2
    assert not any(language_of(key) or "embeddings" in key for key in keys)
    assert not (tuned["lora"] / "model.safetensors").exists()
    assert "base_model" not in (tuned["lora"] / "README.md").read_text()  # a folder on a disk is no name on the hub
    history = read_json(tuned["lora"] / "swissxmod.json")["history"]
    assert {"peft": "lora", "rank": 8, "alpha": 16}.items() <= history[-1].items()
    assert (history[-1]["learned"], history[-1]["frozen"]) == (["trunk", "head"], ["embeddings", "adapters"])


def test_the_encoder_alone_can_be_taken(tuned: dict[str, Path], tmp_path: Path) -> None:
    encoder, _ = load_with_tokenizer(XmodModel, tuned["lora"], add_pooling_layer=False)
    whole = load(tuned["lora"])
    assert all(torch.equal(a, b) for a, b in zip(encoder.parameters(), whole.roberta.parameters(), strict=True))
    with pytest.raises(UserError, match=r"cannot be loaded as XmodForSequenceClassification; .* swissxmod model merge"):
        load_model(swiss_class("XmodForSequenceClassification"), tuned["lora"])
    merge_model(ModelMerge(model=str(tuned["lora"])), tmp_path / "merged")
    other, _ = load_head(swiss_class("XmodForSequenceClassification"), str(tmp_path / "merged"), ["AGAINST", "FAVOR"])
    assert all(torch.equal(a, b) for a, b in zip(other.roberta.parameters(), whole.roberta.parameters(), strict=True))


def swiss_class(name: str) -> type:
    import swissxmod

    return getattr(swissxmod, name)


def test_the_base_is_found_beside_the_folder_and_nowhere_else(tuned: dict[str, Path], tmp_path: Path) -> None:
    here = tmp_path / "elsewhere"
    shutil.copytree(tuned["lora"], here / "lora")
    facts = read_json(here / "lora" / "swissxmod.json")
    facts["base"]["model"] = "/gone/base"
    write_json(here / "lora" / "swissxmod.json", facts)
    with pytest.raises(UserError, match=r"was learned beside the model /gone/base, which is not there"):
        load(here / "lora")
    shutil.copytree(tuned["base"], here / "base")
    torch.testing.assert_close(batch(load(here / "lora")), batch(load(tuned["lora"])), atol=0, rtol=0)
    assert model_hash(here / "lora") == model_hash(tuned["lora"])


def test_another_base_is_refused_with_the_reason(tuned: dict[str, Path], tmp_path: Path) -> None:
    for name in ("base", "lora"):
        shutil.copytree(tuned[name], tmp_path / name)
    facts = read_json(tmp_path / "lora" / "swissxmod.json")
    facts["base"]["model"] = str(tmp_path / "base")
    write_json(tmp_path / "lora" / "swissxmod.json", facts)
    load(tmp_path / "lora")
    model, _ = load_with_tokenizer(swiss_class("XmodForMaskedLM"), tmp_path / "base")
    with torch.no_grad():
        model.roberta.encoder.layer[0].output.dense.bias += 1e-3
    model.save_pretrained(tmp_path / "base")
    with pytest.raises(UserError, match=r"was learned beside another model than the one that is at .*base now"):
        Tagger.load(tmp_path / "lora")


def spoil_file(folder: Path) -> None:
    weights = folder / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def spoil_weights(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "adapter_model.safetensors")
    weights.pop(sorted(weights)[3])
    save_file(weights, folder / "adapter_model.safetensors")


def spoil_config(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}")


def spoil_facts(folder: Path) -> None:
    write_json(folder / "swissxmod.json", {"history": []})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_file, "not a whole safetensors file"),
        (spoil_weights, "1 weights are missing or strange, such as 'base_model"),
        (spoil_config, "cannot be loaded over"),
        (spoil_facts, r"does not say beside which model this was learned \('base'\)"),
    ],
)
def test_damage_is_named(tuned: dict[str, Path], spoil, message: str, tmp_path: Path) -> None:
    folder = shutil.copytree(tuned["lora"], tmp_path / "lora")
    spoil(folder)
    with pytest.raises(UserError, match=message) as caught:
        load(folder)
    assert "\n" not in str(caught.value)


def test_training_goes_on_from_what_was_learned(tuned: dict[str, Path], tmp_path: Path) -> None:
    data = {"it": conll(tmp_path / "it.conll")}
    settings = {"train": data, "epochs": 1, "precision": "float32"}
    finetune_ner(FinetuneNer(model=str(tuned["lora"]), **settings), tmp_path / "whole")
    assert (tmp_path / "whole" / "model.safetensors").exists()
    finetune_ner(FinetuneNer(model=str(tuned["lora"]), peft="ia3", **settings), tmp_path / "chain")
    config = transformers.AutoConfig.from_pretrained(tmp_path / "chain")
    assert config.label2id == {"O": 0, "B-LOC": 1, "I-LOC": 2}
    summary = evaluate_ner(EvalNer(model=str(tmp_path / "chain"), data={"de": data["it"], "rm": data["it"]}),
                           tmp_path / "scores")  # fmt: skip
    assert [language["zero_shot"] for language in summary.values()] == [False, True]


def test_stances_are_learned_too(model_folder: Path, tmp_path: Path) -> None:
    rows = [
        {"question": f"Q{i % 3}?", "comment": f"{comment} {i}", "label": label}
        for i in range(20)
        for comment, label in (("Ja", "FAVOR"), ("Nein", "AGAINST"))
    ]
    (tmp_path / "de.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = {"de": str(tmp_path / "de.jsonl")}
    finetune_stance(
        FinetuneStance(model=str(model_folder), train=data, dev=data, peft="lora", epochs=8, learning_rate=3e-2,
                       precision="float32", dropout=0.0),
        tmp_path / "stance",
    )  # fmt: skip
    told = read_json(tmp_path / "stance" / "swissxmod.json")["history"][-1]
    assert max(epoch["mean"] for epoch in told["epochs"]) > 70
    assert load(tmp_path / "stance").config.stance_longest == 20


@pytest.mark.parametrize("method", MERGED)
def test_plain_python_trains_our_classes(model_folder: Path, method: str) -> None:
    model = XmodForTokenClassification.from_pretrained(model_folder, num_labels=3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    wrapped = peft.get_peft_model(model, peft_config(method, type(model), rank=2))
    optimizer = torch.optim.AdamW([p for p in wrapped.parameters() if p.requires_grad], lr=1e-2)
    ids = torch.randint(5, 890, (4, 9))
    for _ in range(2):
        loss = wrapped(input_ids=ids, lang_ids=torch.tensor([0, 3, 1, 0]), labels=ids % 3).loss
        loss.backward()
        optimizer.step()
    after = {name.replace("base_layer.", ""): value for name, value in model.state_dict().items()}
    same = [name for name in before if not name.startswith("classifier")]
    assert all(torch.equal(after[name], before[name]) for name in same)
    learning = [name for name, p in model.named_parameters() if p.requires_grad]
    assert learning and not any(part_of(name) in ("embeddings", "adapters") for name in learning)


@pytest.mark.parametrize("extra", [{"gradient_checkpointing": True}, {"micro_batch": 8}])
def test_less_memory_learns_the_same(tuned: dict[str, Path], extra: dict[str, int], tmp_path: Path) -> None:
    (tmp_path / "de.conll").write_text("in\tO\nChur\tB-LOC\n\n" * 16)
    weights = []
    for number, more in enumerate(({}, extra)):
        settings = FinetuneNer(
            model=str(tuned["base"]), train={"de": str(tmp_path / "de.conll")}, peft="lora", epochs=2,
            precision="float32", dropout=0.0, **more,
        )  # fmt: skip
        finetune_ner(settings, tmp_path / str(number))
        weights.append(batch(load(tmp_path / str(number))))
    torch.testing.assert_close(*weights, atol=1e-4, rtol=0)


def test_what_lora_learns_is_small() -> None:
    """At 12 layers of 384 and a vocabulary of 50,000: less than 2% of the parameters, and less than 5 MB."""
    config = transformers.XmodConfig(
        vocab_size=50_000, hidden_size=384, num_hidden_layers=12, num_attention_heads=12, intermediate_size=1536,
        languages=["de_CH", "fr_CH", "it_CH", "rm_CH"], num_labels=9,
    )  # fmt: skip
    with torch.device("meta"):
        for name in ("XmodForTokenClassification", "XmodForSequenceClassification"):
            model_class = swiss_class(name)
            wrapped = peft.get_peft_model(model_class(config), peft_config("lora", model_class))
            trainable, total = wrapped.get_nb_trainable_parameters()
            assert trainable < 0.02 * total
            saved = peft.get_peft_model_state_dict(wrapped)
            assert sum(value.numel() * value.element_size() for value in saved.values()) < 5e6


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"load_in_4bit": True}, "load_in_4bit: weights in so few bits cannot learn; give --peft lora, dora or ia3"),
        ({"load_in_8bit": True, "peft": "prompt"}, "load_in_8bit: weights in so few bits cannot learn"),
        ({"load_in_8bit": True, "load_in_4bit": True, "peft": "lora"}, "give one of the two"),
        ({"peft": "lora", "freeze": False}, "freeze: with --peft the model's own weights never learn"),
        ({"peft": "lora", "freeze": "adapters"}, "freeze: with --peft the model's own weights never learn"),
        ({"peft": "lora", "rank": 0}, "rank: expected at least 1, found 0"),
        ({"rank": 4}, "rank: it is for --peft, which was not given"),
        ({"alpha": 4}, "alpha: it is for --peft, which was not given"),
        ({"virtual_tokens": 4}, "virtual_tokens: it is for --peft, which was not given"),
        ({"freeze": "adapter"}, "freeze: expected true, false or adapters, found adapter"),
        ({"freeze": None}, "freeze: expected true, false or adapters, found None"),
    ],
)
def test_settings_that_cannot_work_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        FinetuneNer(model="x", train={"de": "y"}, **values)


def test_a_missing_extra_is_named(model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "peft", None)
    settings = FinetuneNer(model=str(model_folder), train={"de": conll(tmp_path / "de.conll")}, peft="lora")
    with pytest.raises(UserError, match=r"need an extra: pip install 'swissxmod\[peft\]'"):
        finetune_ner(settings, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("method", VIRTUAL)
def test_virtual_tokens_are_those_of_transformers(tuned: dict[str, Path], method: str) -> None:
    """Padded, packed, by our class with and without ``peft`` around it, and by the class of ``transformers``."""
    config = transformers.AutoConfig.from_pretrained(tuned[method])
    ours = load(tuned[method])
    assert ours.roberta.max_tokens == 20 - 3
    found = batch(ours)
    for library in (transformers.XmodForTokenClassification, XmodForTokenClassification):
        wrapped = peft.PeftModel.from_pretrained(library.from_pretrained(tuned["base"], config=config), tuned[method])
        expected = batch_with_virtual(wrapped.eval(), 3 if method == "prompt" else 0)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    ids, lang_ids = torch.randint(5, 890, (3, 9)), torch.tensor([2, 0, 2])
    rows = [row[:length] for row, length in zip(ids.tolist(), (9, 4, 6), strict=True)]
    flat, packed = pack_rows(rows, lang_ids.tolist())
    with torch.no_grad():
        parts = packed.split(ours(flat, packed=packed).logits)
        for part, row, language in zip(parts, rows, lang_ids, strict=True):
            alone = ours(torch.tensor([row]), lang_ids=language[None]).logits[0]
            torch.testing.assert_close(part, alone, atol=1e-5, rtol=1e-5)


def batch_with_virtual(model: torch.nn.Module, virtual: int) -> torch.Tensor:
    """:func:`batch` of a model that also returns what it says of virtual tokens."""

    def own(*args: object, **kwargs: object) -> object:
        output = model(*args, **kwargs)
        output.logits = output.logits[:, virtual:]
        return output

    return batch(own)


@pytest.mark.parametrize("method", VIRTUAL)
def test_virtual_tokens_take_the_language_of_the_first_token(tuned: dict[str, Path], method: str) -> None:
    model = load(tuned[method])
    ids = torch.randint(5, 890, (4, 9))
    mask = torch.arange(9)[None] < torch.tensor([9, 3, 6, 9])[:, None]
    per_token = torch.tensor([0, 3, 1, 3])[:, None].expand(4, 9).contiguous()
    with torch.no_grad():
        plain = model(ids, attention_mask=mask, lang_ids=per_token[:, 0]).logits
        torch.testing.assert_close(model(ids, attention_mask=mask, lang_ids=per_token).logits, plain, atol=1e-5, rtol=0)
        per_token[0, 1:] = 2
        mixed = model(ids, attention_mask=mask, lang_ids=per_token).logits
    torch.testing.assert_close(mixed[1:], plain[1:], atol=1e-5, rtol=0)
    assert not torch.allclose(mixed[0], plain[0], atol=1e-3)


@pytest.mark.parametrize("method", VIRTUAL)
def test_virtual_tokens_learn_with_a_sentence_class_too(model_folder: Path, method: str, tmp_path: Path) -> None:
    rows = [{"question": "Q?", "comment": word, "label": label} for word, label in (("Ja", "F"), ("Nein", "A"))] * 6
    (tmp_path / "de.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = FinetuneStance(
        model=str(model_folder), train={"de": str(tmp_path / "de.jsonl")}, peft=method, epochs=2, virtual_tokens=2,
        precision="float32",
    )  # fmt: skip
    finetune_stance(settings, tmp_path / "out")
    ours, config = load(tmp_path / "out"), transformers.AutoConfig.from_pretrained(tmp_path / "out")
    stock = transformers.XmodForSequenceClassification.from_pretrained(model_folder, config=config)
    wrapped = peft.PeftModel.from_pretrained(stock, tmp_path / "out").eval()
    ids, lang_ids = torch.randint(5, 890, (3, 9)), torch.tensor([2, 0, 1])
    mask = (torch.arange(9)[None] < torch.tensor([9, 4, 6])[:, None]).long()
    given = {"input_ids": ids, "attention_mask": mask, "lang_ids": lang_ids}
    with torch.no_grad():
        torch.testing.assert_close(ours(**given).logits, wrapped(**given).logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("method", VIRTUAL)
def test_what_cannot_be_done_with_virtual_tokens_is_named(tuned: dict[str, Path], method: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"{method} puts tokens before every sentence, which no matrix can hold"):
        merge_model(ModelMerge(model=str(tuned[method])), tmp_path / "out")
    settings = FinetuneNer(model=str(tuned[method]), train={"de": conll(tmp_path / "de.conll")}, epochs=1)
    with pytest.raises(UserError, match="start from the model it was learned beside"):
        finetune_ner(settings, tmp_path / "out")
    ids = torch.randint(5, 890, (1, 18))
    with pytest.raises(UserError, match="18 tokens is longer than the 20 positions of the model, of which 3 are for"):
        load(tuned[method])(ids, lang_ids=torch.tensor([0]))


def test_lora_needs_no_extra_to_be_used(tuned: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    expected = batch(load(tuned["lora"]))
    through_peft = peft.PeftModel.from_pretrained(
        XmodForTokenClassification.from_pretrained(tuned["base"], num_labels=3), str(tuned["lora"])
    )
    monkeypatch.setitem(sys.modules, "peft", None)
    torch.testing.assert_close(batch(load(tuned["lora"])), batch(through_peft.eval()), atol=1e-5, rtol=1e-5)
    assert torch.equal(batch(load(tuned["lora"])), expected)
    with pytest.raises(UserError, match=r"need an extra: pip install 'swissxmod\[peft\]'"):
        load(tuned["ia3"])


def test_compressed_it_takes_half_the_space_and_moves_along_with_its_base(
    tuned: dict[str, Path], tmp_path: Path
) -> None:
    small = tuned["lora"].parent / "lora-small"
    compress_model(ModelCompress(model=str(tuned["lora"])), small)
    before, after = ((folder / "adapter_model.safetensors").stat().st_size for folder in (tuned["lora"], small))
    assert after < 0.7 * before
    for name in ("base", "lora-small"):
        shutil.copytree(tuned["base"].parent / name, tmp_path / name)
    for file in ("swissxmod.json", "adapter_config.json"):
        assert str(small.parent) not in (small / file).read_text()
    moved = batch(load(tmp_path / "lora-small"))
    torch.testing.assert_close(moved, batch(load(tuned["lora"])), atol=1e-2, rtol=1e-2)
    assert not (small / "tokenizer.json").exists()
    assert load_tokenizer(tmp_path / "lora-small").get_vocab() == load_tokenizer(tuned["base"]).get_vocab()
    shutil.rmtree(tmp_path / "base")
    with pytest.raises(
        UserError, match=r"no tokenizer in the folder.*the model \.\./base, beside which it was learned"
    ):
        load_tokenizer(tmp_path / "lora-small")
    assert [record["step"] for record in read_json(small / "swissxmod.json")["history"]][-2:] == [
        "finetune ner",
        "compress",
    ]


def test_compressed_away_from_its_base_it_keeps_its_tokenizer(tuned: dict[str, Path], tmp_path: Path) -> None:
    compress_model(ModelCompress(model=str(tuned["lora"])), tmp_path / "small")
    assert (tmp_path / "small" / "tokenizer.json").is_file()
    assert batch(load(tmp_path / "small")).isfinite().all()


@pytest.mark.parametrize("change", ["lost", "strange", "shape"])
def test_damaged_updates_are_named(tuned: dict[str, Path], tmp_path: Path, change: str) -> None:
    for name in ("base", "lora"):
        shutil.copytree(tuned[name], tmp_path / name)
    path = tmp_path / "lora" / "adapter_model.safetensors"
    weights = load_file(path)
    name = next(name for name in weights if name.endswith("lora_A.weight"))
    if change == "lost":
        del weights[name]
    elif change == "strange":
        weights["strange"] = weights[name].clone()
    else:
        weights[name] = weights[name][:, :5].clone()
    save_file(weights, path)
    with pytest.raises(
        UserError, match=r"adapter_model.safetensors: (1 weights are missing or strange|a weight has the wr)"
    ):
        load(tmp_path / "lora")


def test_a_base_in_eight_bits_on_disk_is_one_as_any(tuned: dict[str, Path], tmp_path: Path) -> None:
    compress_model(ModelCompress(model=str(tuned["base"])), tmp_path / "base")
    data = conll(tmp_path / "de.conll")
    settings = FinetuneNer(model=str(tmp_path / "base"), train={"de": data}, epochs=1, peft="lora", precision="float32")
    finetune_ner(settings, tmp_path / "ner")
    compress_model(ModelCompress(model=str(tmp_path / "ner")), tmp_path / "small")
    tagger = load(tmp_path / "small")
    assert tagger.config.id2label == {0: "O", 1: "B-LOC", 2: "I-LOC"}
    before, after = load(tmp_path / "base").state_dict(), tagger.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in after if part_of(key) in ("embeddings", "adapters"))
    assert not (tmp_path / "small" / "training.json").exists()
