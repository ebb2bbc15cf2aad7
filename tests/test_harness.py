from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from transformers import XLMRobertaConfig, XLMRobertaForMaskedLM

from swissxmod import (
    EvalSuite,
    ModelInit,
    UserError,
    XmodModel,
    evaluate_suite,
    init_model,
    load_model,
    load_tokenizer,
    read_records,
)
from swissxmod.cli import main
from swissxmod.eval.comparison import read_comparisons
from swissxmod.eval.declarations import Experiment, bundled
from swissxmod.harness import load_suite, plan_suite
from swissxmod.verbs import VERBS, Verb
from swissxmod.xmod.checkpoints import save_checkpoint

SUITE = {
    "name": "tiny",
    "title": "A tiny suite",
    "data": "${sample}",
    "languages": ["de_CH", "fr_CH", "it_CH", "rm_CH"],
    "seed": 1,
    "random": False,
    "epochs": 1,
    "experiments": {
        "names": {
            "train": "sample-names",
            "train_on": [["de"], ["fr", "it"]],
            "test": ["sample-names"],
            "finetune": {"epochs": "${epochs}", "sentences": 40, "precision": "float32"},
        },
        "sentences": {"test": ["sample-sentences"]},
    },
}


@pytest.fixture
def suite(tmp_path: Path) -> str:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(SUITE, sort_keys=False))
    return str(path)


@pytest.fixture
def plain(tmp_path: Path, vocab: Path) -> str:
    """A plain XLM-R checkpoint."""
    tokenizer = load_tokenizer(vocab)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    torch.manual_seed(1)
    model = XLMRobertaForMaskedLM(
        XLMRobertaConfig(
            vocab_size=len(tokenizer),
            max_position_embeddings=70,
            pad_token_id=1,
            bos_token_id=0,
            eos_token_id=2,
            **sizes,
        )
    )
    model.save_pretrained(tmp_path / "plain")
    tokenizer.save_pretrained(tmp_path / "plain")
    return str(tmp_path / "plain")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes which verbs run; they do what they do."""
    made: list[str] = []
    works = Verb.__call__

    def call(self: Verb, *given: object) -> object:
        made.append(next(name for name, verb in VERBS.items() if verb is self))
        return works(self, *given)

    monkeypatch.setattr(Verb, "__call__", call)
    return made


def test_a_suite_fills_the_matrix_of_all_models_and_a_second_run_computes_nothing(
    suite: str, model_folder: Path, plain: str, tmp_path: Path, calls: list[str]
) -> None:
    said: list[str] = []
    settings = EvalSuite(suite=suite, model=[f"a={model_folder}", f"b={plain}"], adapter=["rm=de"], seeds=2)
    outcome = evaluate_suite(settings, tmp_path / "out", said.append)
    assert not outcome.failed and outcome.results
    assert said[0].startswith("[1/29] model_b: ") and said[-1].startswith("comparison: ")
    records = read_records(outcome.results)
    names = [record for record in records if record.task == "ner" and not record.by_other_adapter]
    cells = {(r.system, *r.provenance.finetuned_on, r.language, r.provenance.train_seed) for r in names}
    languages = ["de_CH", "fr_CH", "it_CH", "rm_CH"]
    trained = [("de_CH",), ("fr_CH", "it_CH")]
    assert cells == {(s, *t, lang, seed) for s in "ab" for t in trained for lang in languages for seed in (1, 2)}
    assert all(record.zero_shot is (record.language not in record.provenance.finetuned_on) for record in names)
    other = [record for record in records if record.by_other_adapter]
    assert {(r.task, r.language, r.adapter) for r in other} == {
        ("ner", "rm_CH", "de_CH"),
        ("sentence-retrieval", "de_CH-rm_CH", "de_CH-de_CH"),
        ("sentence-retrieval", "de_CH>rm_CH", "de_CH>de_CH"),
        ("sentence-retrieval", "rm_CH>de_CH", "de_CH>de_CH"),
    }
    assert {record.provenance.data_licence for record in records} == {"CC0 1.0"}
    compared = read_comparisons(tmp_path / "out" / "comparison.jsonl")
    assert {(c.task, c.system, c.other, *c.seeds) for c in compared} >= {("ner", "a", "b", 1, 2)}
    # Every adapter of a plain checkpoint is the same, so that another one in its place changes nothing at all.
    (same,) = [c for c in compared if c.task != "ner" and (c.system, c.other, c.language) == ("b", "b", "de_CH-rm_CH")]
    assert (same.difference, same.low, same.high, same.p) == (0, 0, 0, 1)
    page = (outcome.report or Path()).read_text()
    assert "A tiny suite" in page and "Systems side by side" in page and "read as German (de_CH)" in page

    calls.clear()
    before = outcome.results.read_text(), (tmp_path / "out" / "comparison.md").read_text()
    again = evaluate_suite(settings, tmp_path / "out")
    assert calls == ["report"]
    assert again.results
    assert before == (again.results.read_text(), (tmp_path / "out" / "comparison.md").read_text())


def test_a_killed_run_goes_on_where_it_stopped(
    suite: str, model_folder: Path, tmp_path: Path, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = EvalSuite(suite=suite, model=[str(model_folder)])
    works = Verb.__call__

    def breaks(self: Verb, *given: object) -> object:
        if len(calls) == 2:
            raise KeyboardInterrupt
        return works(self, *given)  # type: ignore[arg-type]

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Verb, "__call__", breaks)
        evaluate_suite(settings, tmp_path / "out")
    assert calls == ["finetune ner", "eval ner"]
    calls.clear()
    said: list[str] = []
    outcome = evaluate_suite(settings, tmp_path / "out", said.append)
    assert calls == ["finetune ner", "eval ner", "eval sentences", "eval compare", "report"]
    assert said[-1] == "comparison: there are no two systems to compare" and not outcome.failed


def test_masked_words_are_measured_of_models_that_predict_them(model_folder: Path, plain: str, tmp_path: Path) -> None:
    encoder = load_model(XmodModel, model_folder, add_pooling_layer=False)
    save_checkpoint(tmp_path / "encoder", encoder, load_tokenizer(model_folder), [])
    models = [f"a={model_folder}", f"b={plain}", f"c={tmp_path / 'encoder'}"]
    settings = EvalSuite(suite="mini", model=models, only=["text"], adapter=["rm=de"])
    outcome = evaluate_suite(settings, tmp_path / "out")
    assert not outcome.failed and outcome.results
    found = {(r.system, r.language, r.adapter) for r in read_records(outcome.results)}
    languages = ["de_CH", "fr_CH", "it_CH", "rm_CH"]
    assert found == {(s, x, x) for s in "ab" for x in languages} | {(s, "rm_CH", "de_CH") for s in "ab"}
    assert "c has no head that predicts masked words" in (outcome.report or Path()).read_text()


def test_one_failing_cell_is_reported_and_the_others_go_on(
    suite: str, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    works = Verb.__call__

    def breaks(self: Verb, settings: object, *given: object) -> object:
        if VERBS["finetune ner"] is self and len(settings.train) == 2:  # type: ignore[attr-defined]
            raise RuntimeError("out of\nmemory")
        return works(self, settings, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Verb, "__call__", breaks)
    words = ["eval", "--suite", suite, "--model", f"m={model_folder}", "--out", str(tmp_path / "out")]
    assert main(words) == 1
    error = capsys.readouterr().err
    assert "swissxmod: names_m_fr_it_seed1: RuntimeError: out of memory\n" in error
    assert "swissxmod: names_m_fr_it_seed1_on_sample_names: skipped, as names_m_fr_it_seed1 has no result\n" in error
    assert "Traceback" not in error
    records = read_records(tmp_path / "out" / "results.jsonl")
    assert {record.task for record in records} == {"ner", "sentence-retrieval"}
    assert "2 of 5 stages have no result" in (tmp_path / "out" / "report.html").read_text()


def test_a_comparison_that_fails_is_a_failure(
    suite: str, model_folder: Path, plain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = Verb.__call__

    def breaks(self: Verb, settings: object, *given: object) -> object:
        if VERBS["eval compare"] is self:
            raise RuntimeError("out of memory")
        return works(self, settings, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Verb, "__call__", breaks)
    settings = EvalSuite(suite=suite, model=[f"a={model_folder}", f"b={plain}"], only=["sentences"])
    outcome = evaluate_suite(settings, tmp_path / "out")
    assert outcome.failed == {"comparison": "RuntimeError: out of memory"} and outcome.report


def test_a_model_without_the_language_is_measured_by_another_adapter(suite: str, vocab: Path, tmp_path: Path) -> None:
    sizes = {"hidden_size": 32, "layers": 1, "heads": 2, "intermediate_size": 32, "max_tokens": 66}
    init_model(ModelInit(vocab=str(vocab), languages=["de_CH", "fr_CH", "it_CH"], **sizes), tmp_path / "small")
    settings = EvalSuite(suite=suite, model=[str(tmp_path / "small")], adapter=["rm=de"], only=["names"])
    outcome = evaluate_suite(settings, tmp_path / "out")
    assert not outcome.failed and outcome.results and outcome.report
    romansh = [record for record in read_records(outcome.results) if record.language == "rm"]
    assert {record.adapter for record in romansh} == {"de_CH"} and all(record.zero_shot for record in romansh)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"suite": "lokal"}, "there is no suite 'lokal' .*did you mean 'local'"),
        ({"suite": "local"}, "needs data: give --set data="),
        ({"model": ["MODEL", "x/../MODEL"]}, "expected different names"),
        ({"model": ["MODERN"]}, "expected a checkpoint of type .*, found 'modernbert'"),
        ({"model": ["nowhere"]}, "nowhere: no such folder"),
        ({"adapter": ["rm"]}, "adapter: expected two names with = between them, such as rm=de, found 'rm'"),
        ({"adapter": ["zz=de"]}, "adapter: zz=de changes nothing: no test is in zz"),
        ({"only": ["hipe"]}, "only: no experiment 'hipe'"),
        ({"set": ["names.train_on=[[en]]"]}, "sample-names has no en to train on"),
        ({"set": ["names.test=[sample-nams]"]}, "no data set 'sample-nams' .*did you mean 'sample-names'"),
        ({"set": ["names.test=[sample-words]"]}, "cannot be what is learned here"),
        ({"set": ["names.tset=[sample-names]"]}, "names: tset: Extra inputs"),
        ({"set": ["names.split=test"]}, "no split 'test' in files"),
        ({"set": ["names.dev_split=test"]}, "no split 'test' in files"),
        ({"set": ["names.dev_split=train"]}, "dev_split: the best epoch would be chosen by 'train', which is trained"),
        ({"set": ["names.dev_split=dev"]}, "dev_split: the best epoch would be chosen by 'dev', which is tested"),
        (
            {"set": ["sentences.dev_split=dev"]},
            "dev_split: it chooses the best epoch of a training, and train names no",
        ),
        ({"set": ["names.finetune.epohcs=1"]}, "stage names_.*epohcs"),
        ({"set": ["seed=abc"]}, "tiny.yaml: seed: Input should be a valid integer"),
        ({"set": ["random=maybe"]}, "tiny.yaml: random: Input should be a valid boolean"),
        ({"set": ["languages=de"]}, "tiny.yaml: languages: Input should be a valid list"),
        ({"set": ["experiments=3"], "only": ["names"]}, 'expected a mapping with "experiments"'),
        ({"set": ["data=/nowhere"]}, "/nowhere/ner/de/train.conll: no such file"),
    ],
)
def test_mistakes_are_named_before_anything_runs(
    suite: str, model_folder: Path, tmp_path: Path, change: dict[str, list[str]], message: str
) -> None:
    (tmp_path / "modern").mkdir()
    (tmp_path / "modern" / "config.json").write_text(json.dumps({"model_type": "modernbert"}))
    places = {"MODEL": str(model_folder), "MODERN": str(tmp_path / "modern"), "x/../MODEL": f"{model_folder}/"}
    given = {"suite": suite, "model": ["MODEL"]} | change
    given["model"] = [places.get(name, name) for name in given["model"]]
    with pytest.raises(UserError, match=message):
        evaluate_suite(EvalSuite(**given), tmp_path / "out")  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_a_language_without_an_adapter_is_left_out_and_said(suite: str, tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "config.json").write_text(json.dumps({"model_type": "xmod", "languages": ["de_DE", "fr_XX"]}))
    settings = EvalSuite(suite=suite, model=[str(tmp_path / "small")], adapter=["rm=de"])
    plan = plan_suite(settings, *load_suite(settings))
    assert list(plan.stages) == [
        "names_small_de_seed1",
        "names_small_de_seed1_on_sample_names",
        "names_small_de_seed1_on_sample_names_rm_as_de",
        "sentences_small_rm_as_de",
    ]
    assert list(plan.stages["names_small_de_seed1_on_sample_names"]["data"]) == ["de", "fr"]
    assert "small has no adapter for fr, it: not trained there." not in plan.notes
    assert "small has no adapter for it: not trained there." in plan.notes


def test_the_best_epoch_is_chosen_in_the_languages_trained_on(suite: str, model_folder: Path, tmp_path: Path) -> None:
    def planned(*languages: str) -> dict[str, dict[str, Any]]:
        """Of a suite that tests other data than it learns from and chooses by."""
        files = {"train": dict.fromkeys(["fr", "it"], "t.conll"), "tuning": dict.fromkeys(languages, "d.conll")}
        told = yaml.safe_load(bundled("datasets")["sample-names"].read_text()) | {"name": "own", "files": files}
        (tmp_path / "own.yaml").write_text(yaml.safe_dump(told))
        given = ["names.train=own.yaml", "names.train_on=[[fr, it]]", "names.dev_split=tuning"]
        settings = EvalSuite(suite=suite, model=[f"a={model_folder}"], set=given, only=["names"])
        return plan_suite(settings, *load_suite(settings)).stages

    stages = planned("it", "rm", "fr")
    assert stages["names_a_fr_it_seed1"]["dev"] == {"fr": "d.conll", "it": "d.conll"}
    assert "dev" not in stages["names_a_fr_it_seed1_on_sample_names"]
    with pytest.raises(UserError, match=r"own has no fr in its part 'tuning' to choose .* \(have: it\)"):
        planned("it")


def test_what_chooses_may_be_named_as_what_is_tested_in_other_data() -> None:
    experiment = {"train": "a", "train_on": [["de"]], "dev_split": "dev", "split": "dev"}
    assert Experiment(test=["b"], **experiment).dev_split == "dev"
    with pytest.raises(ValueError, match="would be chosen by 'dev', which is tested"):
        Experiment(test=["b", "a"], **experiment)


@pytest.mark.parametrize("name", bundled("suites"))
def test_bundled_suites_are_valid(name: str, model_folder: Path) -> None:
    given = [] if name == "mini" else ["data=DATA"]
    settings = EvalSuite(suite=name, model=[str(model_folder)], set=[*given, "random=true"], adapter=["rm=de"])
    plan = plan_suite(settings, *load_suite(settings))
    assert {stage["do"].partition(" ")[2] for stage in plan.stages.values()} >= {"ner", "stance", "alignment"}
    assert "${data}" not in repr(plan.stages)
