from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from swissxmod import UserError, run_recipe
from swissxmod.recipe import load_recipe, plan_stages
from swissxmod.settings import Report
from swissxmod.verbs import VERBS, Verb

RECIPES = Path(__file__).parents[1] / "recipes"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """vocab and ner stand on their own; model takes from vocab, links from model."""
    stages = {
        "vocab": {"do": "vocab train", "corpora": {"rm": "${data}"}, "size": 300},
        "model": {"do": "model init", "vocab": "${vocab}", "languages": "${languages}"},
        "links": {"do": "align words", "model": "${model}", "source": "${data}", "target": "${data}"},
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(
        yaml.safe_dump(
            {"data": str(tmp_path / "text"), "out": None, "languages": ["rm_CH"], "stages": stages}, sort_keys=False
        )
    )
    (tmp_path / "text").write_text("bun di\n")
    return path


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Verbs that only note that they were called, and leave what they must."""
    made: list[str] = []

    def call(self: Verb, settings: object, out: str | Path) -> dict[str, str]:
        made.append(type(settings).__name__)
        out = Path(out)
        (out.parent if self.file else out).mkdir(parents=True, exist_ok=True)
        (out if self.file else out / "file").write_text(repr(settings))
        return {}

    monkeypatch.setattr(Verb, "__call__", call)
    return made


def run(recipe: Path, *overrides: str) -> Path:
    out = recipe.parent / "out"
    run_recipe(recipe, [f"out={out}", *overrides])
    return out


def test_a_finished_stage_is_not_run_again(recipe: Path, calls: list[str]) -> None:
    run(recipe)
    assert calls == ["VocabTrain", "ModelInit", "AlignWords"]
    calls.clear()
    run(recipe)
    assert not calls


@pytest.mark.parametrize(
    ("override", "again"),
    [
        ("vocab.size=400", ["VocabTrain", "ModelInit", "AlignWords"]),
        ("stages.model.layers=3", ["ModelInit", "AlignWords"]),
        ("links.layer=1", ["AlignWords"]),
        ("languages=[rm_CH, de_CH]", ["ModelInit", "AlignWords"]),
        # Spelling out a default changes nothing.
        ("vocab.alpha=0.3", []),
    ],
)
def test_a_changed_setting_reruns_what_depends_on_it(
    recipe: Path, calls: list[str], override: str, again: list[str]
) -> None:
    run(recipe)
    calls.clear()
    run(recipe, override)
    assert calls == again


def test_changed_data_reruns_and_moved_data_does_not(recipe: Path, calls: list[str]) -> None:
    run(recipe)
    calls.clear()
    moved = (recipe.parent / "text").rename(recipe.parent / "elsewhere")
    run(recipe, f"data={moved}")
    assert not calls
    calls.clear()
    moved.write_text("buna saira\n")
    run(recipe, f"data={moved}")
    assert calls == ["VocabTrain", "ModelInit", "AlignWords"]


def test_sentence_pairs_that_are_counted_are_data_as_well(recipe: Path, calls: list[str]) -> None:
    counts = recipe.parent / "pairs.tsv"
    overrides = ["links.guidance=0.5", f"links.counts={counts}"]
    with pytest.raises(UserError, match=r"stage links: counts: .*pairs\.tsv: no such file"):
        run(recipe, *overrides)
    assert not calls
    counts.write_text("die Brücke\tla punt\n")
    run(recipe, *overrides)
    calls.clear()
    counts.write_text("der Fluss\til flum\n")
    run(recipe, *overrides)
    assert calls == ["AlignWords"]


def test_an_interrupted_stage_is_run_again_and_the_others_are_not(
    recipe: Path, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    works = Verb.__call__

    def breaks(self: Verb, settings: object, out: str | Path) -> dict[str, str]:
        if type(settings).__name__ == "ModelInit":
            Path(out).mkdir(parents=True)
            raise KeyboardInterrupt
        return works(self, settings, out)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Verb, "__call__", breaks)
        run(recipe)
    out = recipe.parent / "out"
    assert not (out / "model").exists()
    calls.clear()
    run(recipe)
    assert calls == ["ModelInit", "AlignWords"]
    assert sorted(path.name for path in out.iterdir()) == ["links", "model", "vocab"]
    assert json.loads((out / "vocab" / "stage.json").read_text())["verb"] == "vocab train"


def test_a_failing_stage_ends_the_run_or_only_what_needs_it(
    recipe: Path, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    works = Verb.__call__

    def breaks(self: Verb, settings: object, out: str | Path) -> dict[str, str]:
        if type(settings).__name__ == "ModelInit":
            raise RuntimeError("no\nmemory")
        return works(self, settings, out)

    content = yaml.safe_load(recipe.read_text())
    content["stages"]["other"] = {"do": "vocab report", "vocab": "${vocab}", "corpora": {"rm": "${data}"}}
    recipe.write_text(yaml.safe_dump(content, sort_keys=False))
    monkeypatch.setattr(Verb, "__call__", breaks)
    with pytest.raises(RuntimeError, match="memory"):
        run(recipe)
    assert calls == ["VocabTrain"]
    said: list[str] = []
    outcome = run_recipe(recipe, [f"out={recipe.parent / 'out'}"], said.append, keep_going=True)
    assert outcome.failed == {"model": "RuntimeError: no memory", "links": "skipped, as model has no result"}
    assert list(outcome.stages) == ["vocab", "other"] and calls == ["VocabTrain", "VocabReport"]
    assert said[:3] == [
        "[1/4] vocab: done before",
        "[2/4] model: failed: RuntimeError: no memory",
        "[3/4] links: skipped, as model has no result",
    ]


def test_a_report_says_what_has_no_result_and_an_old_one_does_not_stay(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    works, broken = Verb.__call__, {"eval fill"}

    def breaks(self: Verb, settings: object, *given: str | Path) -> object:
        if any(VERBS[name] is self for name in broken):
            raise RuntimeError("no memory")
        return works(self, settings, *given)

    monkeypatch.setattr(Verb, "__call__", breaks)
    texts = RECIPES.parent / "sample" / "alignment" / "de-rm"
    sides = {
        "source": str(texts / "dev.de"),
        "source_language": "de",
        "target": str(texts / "dev.rm"),
        "target_language": "rm",
    }
    stages = {
        "sentences": {"do": "eval sentences", "model": str(model_folder), "seed": "${seed}", **sides},
        "text": {"do": "eval fill", "model": str(model_folder), "data": {"de": sides["source"]}},
    }
    recipe, out = tmp_path / "recipe.yaml", tmp_path / "out"
    recipe.write_text(yaml.safe_dump({"out": str(out), "seed": 1, "stages": stages}))
    outcome = run_recipe(recipe, keep_going=True)
    assert "1 of 2 stages have no result: text." in (outcome.report or Path()).read_text()
    broken.add("eval sentences")
    outcome = run_recipe(recipe, ["seed=2"], keep_going=True)
    assert outcome.results is None and sorted(path.name for path in out.iterdir()) == ["sentences"]


def test_a_foreign_folder_is_not_overwritten(recipe: Path, calls: list[str]) -> None:
    mine = recipe.parent / "out" / "vocab"
    mine.mkdir(parents=True)
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="not made by this recipe"):
        run(recipe)
    assert (mine / "thesis.txt").exists() and not calls


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("vocab.siez=400", "stage vocab: .*siez"),
        ("vocab.size=many", "stage vocab: .*size"),
        ("vocab.size=3", "stage vocab: .*size: expected at least 100, found 3"),
        ("vocabulary.size=3", "there is no 'vocabulary'; did you mean 'vocab'"),
        ("vocab.size", "expected name=value"),
        ("vocab.do=vocab trian", "expected do: .* found 'vocab trian'; did you mean 'vocab train'"),
        ("links.model=${modle}", r"\$\{modle\} is neither .* did you mean 'model'"),
        ("data=null", "needs data: give --set data="),
    ],
)
def test_mistakes_are_named_before_anything_runs(recipe: Path, calls: list[str], override: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        run(recipe, override)
    assert not calls


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("out=[a]", "expected out to be the path of a folder, found"),
        ("out=2024-11-21", "quote a number"),
        ("stages=5", 'expected a mapping with "stages"'),
        ("stages={a/b: {do: report}}", "letters, digits and _ only, found 'a/b'"),
        ("stages={1: {do: report}}", "letters, digits and _ only, found 1"),
        ("vocab.do=[x]", r"expected do: .* found \['x'\]"),
        ("data=/nowhere", "stage vocab: corpora: /nowhere: no such file"),
    ],
)
def test_recipes_of_the_wrong_form_are_named(recipe: Path, calls: list[str], override: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        run_recipe(recipe, [f"out={recipe.parent / 'out'}", override])
    assert not calls


def test_a_recipe_without_scores_has_no_report(recipe: Path, calls: list[str]) -> None:
    outcome = run_recipe(recipe, [f"out={recipe.parent / 'out'}"])
    assert outcome.report is None and list(outcome.stages) == ["vocab", "model", "links"]


def test_a_name_that_is_also_a_folder_here_changes_nothing(
    recipe: Path, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(recipe.parent)
    run(recipe, "links.source_language=de")
    calls.clear()
    (recipe.parent / "de").write_text("a file of that name")
    run(recipe, "links.source_language=de")
    assert not calls


def test_needs_an_out(recipe: Path) -> None:
    with pytest.raises(UserError, match=r"needs out: give --set out=\.\.\."):
        run_recipe(recipe)
    (recipe.parent / "file").write_text("")
    with pytest.raises(UserError, match="expected a folder, found the file"):
        run_recipe(recipe, [f"out={recipe.parent / 'file'}"])


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_bundled_recipes_are_valid(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"data": "data", "words": "words", "trunk": "owner/trunk", "adapted": "owner/adapted"}
    values |= {"aligner": "owner/aligner", "mini": "mini", "out": "out"}
    recipe = load_recipe(
        path, [f"{key}={value}" for key, value in values.items() if f"\n{key}: null" in path.read_text()]
    )
    monkeypatch.setattr("swissxmod.recipe._check_files", lambda settings: None)
    stages = plan_stages(recipe, Path("out"))
    assert [stage.name for stage in stages] == list(recipe["stages"])
    assert "${" not in repr(stages)


def test_the_report_shows_what_the_stages_left_to_be_seen(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, Report] = {}

    def call(self: Verb, settings: object, out: str | Path) -> dict[str, str]:
        out = Path(out)
        if isinstance(settings, Report):
            told["report"] = settings
            return {}
        (out.parent if self.file else out).mkdir(parents=True)
        if not self.file:
            (out / "results.jsonl").write_text("\n")  # an evaluation; of what, the report would have to know
            (out / "examples.jsonl").write_text("")
        return {}

    monkeypatch.setattr(Verb, "__call__", call)
    out = run(recipe, "links.format=jsonl")
    assert told["report"].links == {"links": str(out / "links" / "links.align")}
    assert told["report"].examples == [str(out / name / "examples.jsonl") for name in ("vocab", "model")]
    run(recipe, "links.format=pharaoh")
    assert told["report"].links == {}
