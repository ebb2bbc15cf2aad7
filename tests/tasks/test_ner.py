from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import transformers

from swissxmod import (
    EvalNer,
    FinetuneNer,
    UserError,
    XmodForTokenClassification,
    evaluate_ner,
    finetune_ner,
    load_model,
    load_with_tokenizer,
    read_records,
    tag_sentences,
)
from swissxmod.eval.examples import read_examples
from swissxmod.settings import Freeze
from swissxmod.xmod.adapters import part_of

PLACES = ["Chur", "Coira", "Cuira", "Coire"]


def conll(path: Path, sentences: int = 24) -> str:
    """A task a tiny model can learn: what comes after "in" is a place."""
    lines = []
    for i in range(sentences):
        words = [("der", "O"), ("Zug", "O")] * (i % 3) + [("in", "O"), (PLACES[i % 4], "B-LOC"), (".", "O")]
        lines += [f"# source = d{i // 2} s{i}", *(f"{word}\t{tag}" for word, tag in words), ""]
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Path:
    folder = tmp_path_factory.mktemp("ner")
    data = conll(folder / "de.conll")
    settings = FinetuneNer(
        model=str(model_folder), train={"de": data, "fr": data}, dev={"de": data}, epochs=6, learning_rate=5e-3
    )
    finetune_ner(settings, folder / "ner")
    return folder / "ner"


def test_learns_and_transfers_by_swapping_the_adapter(tagger: Path, tmp_path: Path) -> None:
    data = conll(tmp_path / "test.conll")
    settings = EvalNer(model=str(tagger), data={"de": data, "rm": data}, system="tiny", dataset="made-up")
    summary = evaluate_ner(settings, tmp_path / "scores")
    assert summary["de_CH"]["f1"] > 90
    german, romansh = read_records(tmp_path / "scores" / "results.jsonl")
    assert (german.language, german.zero_shot) == ("de_CH", False)
    assert (romansh.language, romansh.zero_shot) == ("rm_CH", True)
    assert german.low <= german.score <= german.high
    assert (german.sentences, german.items, german.clusters) == (24, 24, 12)
    assert german.provenance.finetuned_on == ["de_CH", "fr_CH"]


def test_another_adapter_is_compared_with_the_own_on_the_same_documents(tagger: Path, tmp_path: Path) -> None:
    data = conll(tmp_path / "test.conll")
    settings = EvalNer(model=str(tagger), data={"rm": data}, other_adapters={"rm": ["de"]})
    summary = evaluate_ner(settings, tmp_path / "scores")
    assert list(summary) == ["rm_CH", "rm_CH by de_CH"]
    own, german = read_records(tmp_path / "scores" / "results.jsonl")
    assert [r.adapter for r in (own, german)] == ["rm_CH", "de_CH"]
    assert german.language == "rm_CH" and german.zero_shot
    assert german.details["difference"] == pytest.approx(german.score - own.score, abs=0.011)
    assert summary["rm_CH by de_CH"]["difference"] == german.details["difference"]
    assert "difference" not in own.details


def test_only_mistakes_of_the_languages_own_adapter_are_kept(tagger: Path, tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text("in\tO\nChur\tO\n\n" * 4)
    kept = {}
    for name, how in (("own", {}), ("others", {"other_adapters": {"rm": ["de"]}}), ("as", {"read_as": {"rm": "de"}})):
        evaluate_ner(EvalNer(model=str(tagger), data={"rm": str(tmp_path / "a.conll")}, **how), tmp_path / name)
        kept[name] = read_examples(tmp_path / name / "examples.jsonl")
    assert kept["own"] == kept["others"] != [] == kept["as"]


def test_other_adapters_of_a_language_that_is_not_tested_are_refused(tagger: Path, tmp_path: Path) -> None:
    settings = EvalNer(model=str(tagger), data={"de": conll(tmp_path / "a")}, other_adapters={"rm": ["de"]})
    with pytest.raises(UserError, match=r"there is no data of rm_CH; give --data\.rm_CH"):
        evaluate_ner(settings, tmp_path / "scores")


def test_only_the_types_asked_for_are_scored(model_folder: Path, tmp_path: Path) -> None:
    sentences = "in\tO\nChur\tB-LOC\n\nvon\tO\nAnna\tB-PER\n\n"
    (tmp_path / "a.conll").write_text(sentences * 8)
    data = {"de": str(tmp_path / "a.conll")}
    finetune_ner(FinetuneNer(model=str(model_folder), train=data, epochs=2), tmp_path / "ner")
    items = {}
    for name, only in (("all", []), ("one", ["PER"])):
        evaluate_ner(EvalNer(model=str(tmp_path / "ner"), data=data, only=only), tmp_path / name)
        (record,) = read_records(tmp_path / name / "results.jsonl")
        items[name] = record.items, sorted(key for key in record.details if key.startswith("f1 "))
    assert items == {"all": (16, ["f1 LOC", "f1 PER"]), "one": (8, ["f1 PER"])}
    # Untrained as it is, the tagger is wrong somewhere; of what is not scored nothing is kept.
    kept = {name: read_examples(tmp_path / name / "examples.jsonl") for name in items}
    assert kept["all"] and not any("LOC" in tag for each in kept["one"] for tag in each.gold + each.predicted)
    assert {each.model_hash for each in kept["all"]} == {record.provenance.model_hash}
    with pytest.raises(UserError, match=r"only: DATE are not the model's types \(LOC, PER\)"):
        evaluate_ner(EvalNer(model=str(tmp_path / "ner"), data=data, only=["DATE"]), tmp_path / "no")


def test_types_to_leave_out_are_the_models(tagger: Path, tmp_path: Path) -> None:
    settings = EvalNer(model=str(tagger), data={"de": conll(tmp_path / "a")}, skip_lower_case=["XYZ"])
    with pytest.raises(UserError, match="skip_lower_case: XYZ are not the model's types"):
        evaluate_ner(settings, tmp_path / "scores")


def test_names_in_lower_case_can_be_left_out(tagger: Path, tmp_path: Path) -> None:
    """The tiny tagger finds every place, here also those that are written in lower case and those that are none."""
    (tmp_path / "a.conll").write_text("in\tO\nChur\tB-LOC\n\nin\tO\ncuira\tB-LOC\n\nin\tO\nchur\tO\n")
    for skipped, items in (([], 2), (["LOC"], 1)):
        settings = EvalNer(model=str(tagger), data={"de": str(tmp_path / "a.conll")}, skip_lower_case=skipped)
        evaluate_ner(settings, tmp_path / f"scores{items}")
        (record,) = read_records(tmp_path / f"scores{items}" / "results.jsonl")
        assert record.items == items
    assert record.score == record.details["precision"] == 100


def test_a_draw_of_whole_documents_is_measured(tagger: Path, tmp_path: Path) -> None:
    data = {"de": conll(tmp_path / "test.conll")}
    drawn = set()
    for number, seed in enumerate((1, 1, 2)):
        out = tmp_path / str(number)
        evaluate_ner(EvalNer(model=str(tagger), data=data, documents=5, seed=seed), out)
        (record,) = read_records(out / "results.jsonl")
        assert (record.sentences, record.clusters) == (10, 5)
        drawn.add(tuple(json.loads((out / "counts.jsonl").read_text())["clusters"]))
    assert len(drawn) == 2  # the same documents with the same seed
    evaluate_ner(EvalNer(model=str(tagger), data=data, documents=500), tmp_path / "all")
    (record,) = read_records(tmp_path / "all" / "results.jsonl")
    assert record.sentences == 24


@pytest.mark.parametrize(
    ("freeze", "learned"),
    [(True, {"trunk"}), ("adapters", {"trunk", "embeddings"}), (False, {"trunk", "embeddings", "adapters"})],
)
def test_what_is_frozen_stays_as_it_was(freeze: Freeze, learned: set[str], model_folder: Path, tmp_path: Path) -> None:
    data = {"de": conll(tmp_path / "de.conll")}
    finetune_ner(FinetuneNer(model=str(model_folder), train=data, freeze=freeze, epochs=1), tmp_path / "ner")
    before = transformers.XmodForMaskedLM.from_pretrained(model_folder).state_dict()
    after = load_model(XmodForTokenClassification, tmp_path / "ner").state_dict()
    changed = {key for key, value in after.items() if key in before and not torch.equal(value, before[key])}
    assert set(map(part_of, changed)) == learned


def test_stock_transformers_gives_the_same_tags(tagger: Path) -> None:
    model, tokenizer = load_with_tokenizer(XmodForTokenClassification, tagger)
    stock = transformers.XmodForTokenClassification.from_pretrained(tagger).eval()
    words = ["der", "Zug", "in", "Cuira", "."]
    ours = tag_sentences(model, tokenizer, [words], "rm").tags[0]
    encoded = tokenizer(words, is_split_into_words=True, return_tensors="pt")
    with torch.no_grad():
        best = stock(**encoded, lang_ids=torch.tensor([3])).logits.argmax(-1)[0].tolist()
    first = {word: place for place, word in reversed(list(enumerate(encoded.word_ids()))) if word is not None}
    assert ours == [stock.config.id2label[best[first[i]]] for i in range(len(words))]


def test_long_sentences_and_invisible_words_are_tagged_and_counted(tagger: Path) -> None:
    model, tokenizer = load_with_tokenizer(XmodForTokenClassification, tagger)
    long = ["der", "Zug"] * 30 + ["in", "Chur", "."]
    tagging = tag_sentences(model, tokenizer, [long, [" "], []], "de")
    assert [len(tags) for tags in tagging.tags] == [63, 1, 0]
    assert tagging.tags[0][61] == "B-LOC"
    assert tagging.windowed == 1
    assert tagging.tags[1] == ["O"]


def test_a_part_of_a_word_has_the_tag_of_the_whole(tagger: Path) -> None:
    model, tokenizer = load_with_tokenizer(XmodForTokenClassification, tagger)
    whole = ["der", "Zug", "in", "Chur", "."]
    parts = ["", "der", "", "Zug", "in", "Chur", "", "", "."]
    plain, parted = tag_sentences(model, tokenizer, [whole, parts], "de").tags
    assert plain == ["O", "O", "O", "B-LOC", "O"]
    assert parted == ["O", "O", "O", "O", "O", "B-LOC", "I-LOC", "I-LOC", "O"]
    assert tag_sentences(model, tokenizer, [parts], "de").dropped == 0


def test_long_training_sentences_are_windowed_and_counted(model_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "long.conll"
    path.write_text("\n".join(["der\tO"] * 60 + ["Chur\tB-LOC"]) + "\n\n" + "Chur\tB-LOC\n")
    settings = FinetuneNer(model=str(model_folder), train={"de": str(path)}, epochs=1)
    assert finetune_ner(settings, tmp_path / "out")["windowed"] == 1


def test_several_seeds_are_trained_and_measured_in_one_command_each(model_folder: Path, tmp_path: Path) -> None:
    data = conll(tmp_path / "de.conll")
    several = FinetuneNer(model=str(model_folder), train={"de": data}, epochs=1, sentences=10, seed=9, seeds=2)
    assert list(finetune_ner(several, tmp_path / "several")) == ["seed-9", "seed-10"]
    finetune_ner(replace(several, seed=10, seeds=1), tmp_path / "one")
    for name in ("model.safetensors", "swissxmod.json"):
        assert (tmp_path / "several" / "seed-10" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    settings = EvalNer(model=str(tmp_path / "several"), data={"rm": data})
    told = evaluate_ner(settings, tmp_path / "scores")["rm_CH"]
    records = read_records(tmp_path / "scores" / "results.jsonl")
    assert [record.provenance.train_seed for record in records] == [9, 10]
    assert told["of_each_seed"] == [record.score for record in records]
    assert told["f1"] == pytest.approx(sum(told["of_each_seed"]) / 2, abs=0.01)


def test_two_runs_with_a_seed_agree(model_folder: Path, tmp_path: Path) -> None:
    data = conll(tmp_path / "de.conll")
    settings = FinetuneNer(model=str(model_folder), train={"de": data}, epochs=1, sentences=10)
    for name in ("a", "b"):
        finetune_ner(settings, tmp_path / name)
    first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("a", "b"))
    assert first == second


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dev": {"rm": "DATA"}}, "rm_CH is not trained on; choosing by it would spoil its zero-shot score"),
        ({"train": {"en": "DATA"}}, "no adapter for language 'en'"),
        ({"train": {"de": "PLAIN"}}, "no entity in the training data"),
        ({"train": {"de": "NOTHING"}}, "NOTHING: no such file"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    model_folder: Path, tmp_path: Path, changes: dict[str, dict[str, str]], message: str
) -> None:
    (tmp_path / "PLAIN").write_text("der\tO\n")
    data = conll(tmp_path / "DATA")
    values = {"train": {"de": data}} | {
        name: {language: str(tmp_path / path) for language, path in files.items()} for name, files in changes.items()
    }
    with pytest.raises(UserError, match=message):
        finetune_ner(FinetuneNer(model=str(model_folder), **values), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_tagger_of_unknown_history_cannot_become_zero_shot(tagger: Path, tmp_path: Path) -> None:
    model, tokenizer = load_with_tokenizer(XmodForTokenClassification, tagger)
    model.save_pretrained(tmp_path / "foreign")
    tokenizer.save_pretrained(tmp_path / "foreign")
    settings = FinetuneNer(model=str(tmp_path / "foreign"), train={"de": conll(tmp_path / "de.conll")}, epochs=1)
    with pytest.raises(UserError, match="which languages it was trained on is unknown"):
        finetune_ner(settings, tmp_path / "out")


def test_training_again_adds_to_what_was_seen(tagger: Path, tmp_path: Path) -> None:
    data = conll(tmp_path / "it.conll")
    finetune_ner(FinetuneNer(model=str(tagger), train={"it": data}, epochs=1), tmp_path / "out")
    evaluate_ner(EvalNer(model=str(tmp_path / "out"), data={"de": data, "rm": data}), tmp_path / "scores")
    assert [record.zero_shot for record in read_records(tmp_path / "scores" / "results.jsonl")] == [False, True]
    (tmp_path / "other.conll").write_text("Anna\tB-PER\n")
    with pytest.raises(UserError, match=r"a model for the labels B-LOC, I-LOC, O; the training data has O, B-PER"):
        finetune_ner(
            FinetuneNer(model=str(tagger), train={"it": str(tmp_path / "other.conll")}, epochs=1), tmp_path / "no"
        )


def test_one_adapter_under_two_names_is_refused(tagger: Path, tmp_path: Path) -> None:
    data = conll(tmp_path / "de.conll")
    with pytest.raises(UserError, match="de_CH is given twice"):
        evaluate_ner(EvalNer(model=str(tagger), data={"de": data, "de_CH": data}), tmp_path / "out")


def test_a_model_of_unknown_history_is_not_scored(tagger: Path, tmp_path: Path) -> None:
    model, tokenizer = load_with_tokenizer(XmodForTokenClassification, tagger)
    model.save_pretrained(tmp_path / "foreign")
    tokenizer.save_pretrained(tmp_path / "foreign")
    data = conll(tmp_path / "de.conll")
    with pytest.raises(UserError, match="which languages the model has seen is unknown"):
        evaluate_ner(EvalNer(model=str(tmp_path / "foreign"), data={"de": data}), tmp_path / "out")


def test_entity_types_the_model_does_not_know_are_named(tagger: Path, tmp_path: Path) -> None:
    (tmp_path / "x.conll").write_text("Anna\tB-pers\n")
    with pytest.raises(UserError, match=r"entity types pers are not the model's \(LOC\)"):
        evaluate_ner(EvalNer(model=str(tagger), data={"de": str(tmp_path / "x.conll")}), tmp_path / "out")
    assert not (tmp_path / "out").exists()
