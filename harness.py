"""The evaluation harness: models and a suite become the stages of a recipe, and what they measured one report.

A cell is a stage: a model fine-tuned on some languages with a seed, or what it reaches on a data set. Cells are known
as a recipe's stages are, by the hash of everything their result depends on, so that none is computed twice.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, cast

from .errors import NothingToCompare, UserError
from .eval.declarations import TASKS, DataSet, Experiment, Place, SuiteValues, find_suite, load_data_set, parse, sides
from .files import COMPARISON, COMPARISON_TABLE, RESULTS, new_file, read_json, read_yaml
from .recipe import (
    Outcome,
    Say,
    Stage,
    as_flags,
    folder_of,
    override_value,
    plan_stages,
    reason_of,
    refuse_missing,
    resolve,
    run_stage,
    run_stages,
    write_results,
)
from .settings import EvalSuite, Report
from .xmod.languages import may_mean, resolve_language

CELLS = "cells"
"""Folder of the cells, inside that of the results."""
RANDOM = "random weights"
FILLING = "XmodForMaskedLM"
"""What the config of a model with the head for masked words calls its class."""
MODULAR = "xmod"
"""What the config of a modular model calls its kind."""


@dataclass(frozen=True)
class System:
    """A model to measure."""

    label: str
    """What results call it."""
    model: str
    """Folder, hub name, or "${stage}" that makes it."""
    languages: list[str]
    """Its adapters."""
    fills: bool = True
    """Whether it has the head that predicts masked words."""

    @property
    def slug(self) -> str:
        """The label as a part of names of stages."""
        return re.sub(r"\W+", "_", self.label)


@dataclass
class Plan:
    """A suite with its models, as a recipe."""

    stages: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, **stage: Any) -> str:  # noqa: ANN401 - settings are any
        """Add a stage; returns what refers to it."""
        if name in self.stages:
            raise UserError(f"model: two cells are called {name!r}; give models other labels, label=path")
        self.stages[name] = stage
        return f"${{{name}}}"

    def note(self, text: str) -> None:
        """Say once what a reader must know."""
        if text not in self.notes:
            self.notes.append(text)


def evaluate_suite(settings: EvalSuite, out: str | Path, say: Say = lambda line: None) -> Outcome:
    """Measure models on all data of a suite, compare them, and write records, comparisons and the report.

    The folder may be that of an earlier run: cells that are finished and still the same are not computed again. A cell
    that fails is reported, and the others go on.

    Args:
        settings: the suite, the models, and what to change.
        out: folder with ``results.jsonl``, ``report.html``, ``comparison.jsonl``, ``comparison.md``, and a folder for
            each cell.
        say: told a line for each cell.

    Returns:
        folders of the cells, results and report, and why each cell that has no result has none.

    Raises:
        UserError: for a suite, data set, model or setting that cannot be used; all are checked before the first cell.
    """
    out = folder_of(out)
    suite, path = load_suite(settings)
    plan = plan_suite(settings, suite, path)
    cells = out / CELLS
    stages = plan_stages({"stages": plan.stages}, cells)
    failed = run_stages(stages, cells, say, keep_going=True)
    done = [stage for stage in stages if stage.name not in failed]
    compared, not_compared = _compare(done, out, say)
    page = Report(
        results=str(out / RESULTS),
        title=str(suite["title"]),
        notes=plan.notes,
        command=shlex.join(command_of(settings, out)),
    )
    failed |= not_compared
    results, report = write_results([*stages, *compared], failed, cells, out, page)
    return Outcome({stage.name: cells / stage.name for stage in done}, results, report, failed)


def command_of(settings: EvalSuite, out: Path) -> list[str]:
    """The command that makes the same results again."""
    flags = {"model": settings.model, "adapter": settings.adapter, "only": settings.only, "set": settings.set}
    options = [word for name, values in flags.items() for word in as_flags(name, values)]
    return ["swissxmod", "eval", "--suite", settings.suite, *options, f"--seeds={settings.seeds}", f"--out={out}"]


def load_suite(settings: EvalSuite) -> tuple[dict[str, Any], Path]:
    """A suite as a mapping, with the values that were given, its references resolved, and the experiments chosen.

    Returns:
        the suite, and its file.

    Raises:
        UserError: for a suite that cannot be used, or a value that is missing or not there.
    """
    path = find_suite(settings.suite)
    suite = read_yaml(path)
    _check_form(suite, path)
    for text in settings.set:
        override_value(suite, text, "experiments")
        _check_form(suite, path)
    if strange := [name for name in settings.only if name not in suite["experiments"]]:
        raise UserError(f"only: no experiment {strange[0]!r} (have: {', '.join(suite['experiments'])})")
    experiments = {
        name: each for name, each in suite["experiments"].items() if name in (settings.only or suite["experiments"])
    }
    refuse_missing(suite, path)
    values: dict[str, Any] = {"sample": str(resources.files(__package__) / "sample")}
    for name, value in suite.items():
        if name != "experiments":
            values[name] = resolve(value, values)
    own: SuiteValues = parse(SuiteValues, {"title": path.stem} | values, path)
    return values | own.model_dump() | {"experiments": resolve(experiments, values)}, path


def _check_form(suite: Any, path: Path) -> None:  # noqa: ANN401 - YAML is any
    if not isinstance(suite, dict) or not isinstance(suite.get("experiments"), dict) or not suite["experiments"]:
        raise UserError(f'{path}: expected a mapping with "experiments", itself a mapping')


def plan_suite(settings: EvalSuite, suite: Mapping[str, Any], path: Path) -> Plan:
    """All cells of a suite with its models.

    Args:
        settings: the models, adapters and seeds.
        suite: as :func:`load_suite` returns it.
        path: its file.

    Raises:
        UserError: for a model, data set or experiment that cannot be used.
    """
    plan = Plan()
    for note in suite["notes"]:
        plan.note(note)
    systems = _systems(settings, suite, plan)
    overrides = [_pair(text, "adapter", "rm=de") for text in settings.adapter]
    for name, description in suite["experiments"].items():
        if not re.fullmatch(r"[A-Za-z]\w*", str(name)):
            raise UserError(f"{path}: the name of an experiment has letters, digits and _ only, found {name!r}")
        experiment: Experiment = parse(Experiment, description, f"{path}: {name}")
        _Cells(str(name), experiment, suite, path, overrides, settings.seeds, plan).of(systems)
    for language, other in overrides:
        if not any(stage.get("read_as") == {language: other} for stage in plan.stages.values()):
            raise UserError(
                f"adapter: {language}={other} changes nothing: no test is in {language}, or no model has {other}"
            )
    return plan


def _systems(settings: EvalSuite, suite: Mapping[str, Any], plan: Plan) -> list[System]:
    """The models, those that are not modular made so first."""
    named = [_labelled(text) for text in settings.model]
    labels = [label for label, _ in named]
    if len(set(labels)) < len(labels):
        raise UserError(f"model: expected different names, found {', '.join(labels)}; write label=path")
    systems = [_modular(label, model, suite["languages"], plan) for label, model in named]
    return [*systems, _random(systems[0], named[0][1], suite["seed"], plan)] if suite["random"] else systems


def _labelled(text: str) -> tuple[str, str]:
    """Label and path: "label=path", or a path, of which the last part is the label."""
    if "=" in text and not Path(text).exists():
        return _pair(text, "model", "adapted=DIR")
    return Path(text).name, text


def _pair(text: str, option: str, example: str) -> tuple[str, str]:
    first, sign, second = text.partition("=")
    if not sign or not first or not second:
        raise UserError(f"{option}: expected two names with = between them, such as {example}, found {text!r}")
    return first, second


def _modular(label: str, model: str, languages: list[str], plan: Plan) -> System:
    config = _folder_config(model)
    if (adapters := _adapters(model, config)) is not None:
        # Whether one of the hub has the head is known only when it is measured.
        return System(label, model, adapters, fills=(config.get("architectures") or [FILLING]) == [FILLING])
    if not languages:
        raise UserError(f"{model}: a plain checkpoint; the suite must name the adapters it gets (languages: [...])")
    system = System(label, model, languages)
    made = plan.add(f"model_{system.slug}", do="model modularise", source=model, languages=languages)
    plan.note(f"{label} is a plain checkpoint with adapters that change nothing: every language has the same.")
    return System(label, made, languages)


def _folder_config(model: str) -> dict[str, Any]:
    """That of a folder, read without torch, so that a run of which all cells are there takes seconds."""
    config = read_json(Path(model) / "config.json") if Path(model).is_dir() else {}
    return config if isinstance(config, dict) else {}


def _adapters(model: str, config: Mapping[str, Any]) -> list[str] | None:
    """Those of a modular model; None of a plain one that can be made modular."""
    if config.get("model_type") == MODULAR:
        return [str(language) for language in config.get("languages", [])]
    from .xmod.modularise import known_config

    known = known_config(model)
    return list(known.languages) if known.model_type == MODULAR else None


def _random(like: System, source: str, seed: int, plan: Plan) -> System:
    """A model of the sizes of another one, with fresh weights and its vocabulary."""
    from .xmod.checkpoints import read_config
    from .xmod.inputs import max_tokens

    config = read_config(source)
    made = plan.add(
        "model_random",
        do="model init",
        vocab=source,
        languages=like.languages,
        hidden_size=config.hidden_size,
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        intermediate_size=config.intermediate_size,
        max_tokens=max_tokens(config),
        adapter_reduction_factor=getattr(config, "adapter_reduction_factor", None) or 2,
        seed=seed,
    )
    return System(RANDOM, made, like.languages)


@dataclass(frozen=True)
class _Cells:
    """What an experiment adds to a plan."""

    name: str
    experiment: Experiment
    suite: Mapping[str, Any]
    path: Path
    overrides: Sequence[tuple[str, str]]
    """Languages, and the adapters to read them with in one further measurement each."""
    seeds: int
    plan: Plan

    def of(self, systems: Sequence[System]) -> None:
        """Add the cells of all models."""
        tests = [load_data_set(name, self.path) for name in self.experiment.test]
        tasks = {data.task for data in tests}
        if len(tasks) > 1:
            raise UserError(f"{self.path}: {self.name}: data sets of one task, found {', '.join(sorted(tasks))}")
        for data in tests:
            for limit in data.limits:
                self.plan.note(limit)
        if self.experiment.train is None:
            for system in systems:
                if "fill-mask" in tasks and not system.fills:
                    self.plan.note(f"{system.label} has no head that predicts masked words: not measured there.")
                    continue
                self._measure(system, system.model, tests, f"{self.name}_{system.slug}", {})
            return
        train = load_data_set(self.experiment.train, self.path)
        if train.task not in tasks or TASKS[train.task].finetune is None:
            raise UserError(f"{self.path}: {self.name}: {train.name} ({train.task}) cannot be what is learned here")
        for languages in self.experiment.train_on:
            for number, system in enumerate(systems):
                self._trained(system, train, tests, languages, first=number == 0)

    def _trained(
        self, system: System, train: DataSet, tests: Sequence[DataSet], languages: Sequence[str], *, first: bool
    ) -> None:
        """Fine-tune on some languages with each seed, and test."""
        data = self._in_all(train, self.experiment.train_split, languages, "to train on")
        if missing := [language for language in languages if not _has(system, language)]:
            self.plan.note(f"{system.label} has no adapter for {', '.join(missing)}: not trained there.")
            return
        split = self.experiment.dev_split
        dev = (
            self._in_all(train, split, languages, f"in its part {split!r} to choose the best epoch by")
            if split
            else None
        )
        for seed in range(self.suite["seed"], self.suite["seed"] + self.seeds):
            name = f"{self.name}_{system.slug}_{'_'.join(languages)}_seed{seed}".replace("-", "_")
            tuned = {**train.reading, **self.experiment.finetune, "model": system.model, "train": data, "seed": seed}
            if dev:
                tuned["dev"] = dev
            made = self.plan.add(name, do=TASKS[train.task].finetune, **tuned)
            beside = self._baselines(data, first=first and seed == self.suite["seed"])
            self._measure(system, made, tests, name, beside)

    def _in_all(self, data: DataSet, split: str, languages: Sequence[str], purpose: str) -> dict[str, Place]:
        """Where each of the languages is, which all must be there."""
        places = self._places(data, split)
        if missing := [language for language in languages if language not in places]:
            raise UserError(
                f"{self.path}: {self.name}: {data.name} has no {missing[0]} {purpose} (have: {', '.join(places)})"
            )
        return {language: places[language] for language in languages}

    def _baselines(self, train: Mapping[str, Place], *, first: bool) -> dict[str, Any]:
        """The baselines, once for all models and seeds; what they learn from tells x-stance's settings everywhere."""
        if not self.experiment.baselines:
            return {}
        there = importlib.util.find_spec("sklearn") is not None
        if not there:
            self.plan.note("The baselines of stance were left out: they need pip install 'swissxmod[baselines]'.")
        return {"baseline_train": dict(train), "baselines": first and there}

    def _measure(
        self, system: System, model: str, tests: Sequence[DataSet], name: str, beside: Mapping[str, Any]
    ) -> None:
        for data in tests:
            places = self._places(data, self.experiment.split)
            if self.experiment.test_on:
                places = {key: place for key, place in places.items() if key in self.experiment.test_on}
            own = name if len(tests) == 1 and self.experiment.train is None else f"{name}_on_{_slug(data.name)}"
            common = {
                "do": TASKS[data.task].evaluate,
                **(data.reading | data.scoring | self.experiment.evaluate),
                "model": model,
                "system": system.label,
                "dataset": data.name,
                "split": self.experiment.split,
                "licence": data.licence,
                "revision": data.revision,
            }
            for suffix, chosen, read_as in self._views(system, places):
                extra = dict(beside) | ({"baselines": False} if beside and read_as else {})
                for inner, where in _inputs(data, chosen):
                    self.plan.add(f"{own}{inner}{suffix}", **common, **where, **extra, read_as=read_as)

    def _views(
        self, system: System, places: Mapping[str, Place]
    ) -> Iterator[tuple[str, dict[str, Place], dict[str, str]]]:
        """What to measure with the own adapters, and with another one in the place of each that was asked for."""
        own = {key: place for key, place in places.items() if all(_has(system, tag) for tag in _tags(key, place))}
        if left := [key for key in places if key not in own]:
            self.plan.note(f"{system.label} has no adapter for {', '.join(left)}: not measured there with its own.")
        if own:
            yield "", own, {}
        for language, other in self.overrides:
            chosen = {
                key: place
                for key, place in places.items()
                if any(may_mean(language, tag) for tag in _tags(key, place))
                and all(_has(system, tag) or may_mean(language, tag) for tag in _tags(key, place))
            }
            if chosen and _has(system, other):
                yield f"_{_slug(language)}_as_{_slug(other)}", chosen, {language: other}

    def _places(self, data: DataSet, split: str) -> dict[str, Place]:
        source = "files" if not data.hub else "hub" if not data.files else self.experiment.source
        return resolve(data.places(split, source), self.suite)


def _slug(name: str) -> str:
    return re.sub(r"\W+", "_", name)


def _tags(key: str, place: Place) -> list[str]:
    return sides(key) if isinstance(place, dict) else [key]


def _inputs(data: DataSet, places: Mapping[str, Place]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Settings that say what is read: all languages at once, or a pair each; and what tells the cells apart."""
    if not TASKS[data.task].parts:
        yield "", {"data": dict(places)}
        return
    for pair, files in places.items():
        source, target = sides(pair)
        inner = "" if len(places) == 1 else f"_{_slug(pair)}"
        yield inner, {**cast(dict[str, str], files), "source_language": source, "target_language": target}


def _has(system: System, language: str) -> bool:
    """Whether a model has an adapter for a language; two that fit are a mistake to tell."""
    if any(may_mean(language, adapter) for adapter in system.languages):
        return bool(resolve_language(language, system.languages))
    return False


def _compare(stages: Sequence[Stage], out: Path, say: Say) -> tuple[list[Stage], dict[str, str]]:
    """Compare the systems in a stage of its own, which is not run again as long as the results are the same.

    Returns:
        the stage, if there was something to compare, and why it has no result, if it failed.
    """
    name, cells = "comparison", out / CELLS
    compared: list[Stage] = []
    failed: dict[str, str] = {}
    if measured := [f"${{{stage.name}}}" for stage in stages if stage.verb.startswith("eval ")]:
        stage = {name: {"do": "eval compare", "results": measured}}
        (planned,) = plan_stages({"stages": stage}, cells, stages)
        try:
            told = run_stage(planned, cells)
            compared = [planned]
        except NothingToCompare:
            told = "there are no two systems to compare"
        except Exception as error:  # as of every cell
            compared, failed[name] = [planned], reason_of(error)
            told = f"failed: {failed[name]}"
        say(f"{name}: {told}")
    for file in (COMPARISON, COMPARISON_TABLE):
        if compared and not failed:
            with new_file(out / file) as temporary:
                shutil.copyfile(cells / name / file, temporary)
        else:
            (out / file).unlink(missing_ok=True)
    return compared, failed
