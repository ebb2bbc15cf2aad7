"""Data sets and suites as declarations: a YAML file each, checked, so that a new one is a file and no code.

``datasets/*.yaml`` say what a data set is, where it is and under which terms, ``suites/*.yaml`` which experiments are
made on which of them. docs/add-a-task.md has an example of both.
"""

from __future__ import annotations

from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from ..errors import UserError, nearest
from ..files import read_yaml
from ..settings import (
    EvalAlignment,
    EvalFill,
    EvalNer,
    EvalSentences,
    EvalStance,
    FinetuneNer,
    FinetuneStance,
    Measuring,
)
from ..xmod.languages import parse_tag

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Place = str | dict[str, str]
"""A file or hub:OWNER/NAME:CONFIG:SPLIT; of a pair of languages the files "source", "target" and, of words, "gold"."""


class Task(NamedTuple):
    """What a task is measured and learned by."""

    metric: str
    evaluate: str
    evaluation: type
    finetune: str | None = None
    finetuning: type | None = None
    parts: tuple[str, ...] = ()
    """Files of a pair of languages; none where each language has one."""


TASKS = {
    "ner": Task("f1", "eval ner", EvalNer, "finetune ner", FinetuneNer),
    "stance": Task("macro_f1", "eval stance", EvalStance, "finetune stance", FinetuneStance),
    "word-alignment": Task("aer", "eval alignment", EvalAlignment, parts=("source", "target", "gold")),
    "sentence-retrieval": Task("accuracy", "eval sentences", EvalSentences, parts=("source", "target")),
    "fill-mask": Task("bits_per_character", "eval fill", EvalFill),
}
_OURS = {"model", "train", "data", "dataset", "baseline_train", *(field.name for field in fields(Measuring))}
"""Settings that the harness gives."""


class DataSet(BaseModel):
    """A data set: what it is, under which terms, and where its parts are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    """What results call it; the name of its file."""
    title: Text
    task: Literal["ner", "stance", "word-alignment", "sentence-retrieval", "fill-mask"]
    licence: Text
    citation: Text
    url: Text
    revision: str = ""
    """Which version it is: a commit or a release."""
    metric: Text
    """Of the task."""
    files: dict[str, dict[str, Place]] = Field(default_factory=dict)
    """For each split and language (or pair, "de-rm") its file, with ${data} for the folder that a user gives."""
    hub: dict[str, dict[str, Place]] = Field(default_factory=dict)
    """The same as data sets of the hub."""
    reading: dict[str, Any] = Field(default_factory=dict)
    """Settings of how it is read, for training and testing alike."""
    scoring: dict[str, Any] = Field(default_factory=dict)
    """Further settings of the test."""
    limits: list[Text] = Field(default_factory=list)
    """What a reader of scores on it must know, such as that its labels were made by machine."""

    @model_validator(mode="after")
    def _fits_its_task(self) -> DataSet:
        task = TASKS[self.task]
        if self.metric != task.metric:
            raise ValueError(f"metric: that of {self.task} is {task.metric}, found {self.metric}")
        if not self.files and not self.hub:
            raise ValueError("expected files or hub, found neither")
        for place in (self.files, self.hub):
            for split, languages in place.items():
                for language, where in languages.items():
                    self._check_place(f"{split}.{language}", language, where)
        for name, settings, kinds in (
            ("reading", self.reading, [kind for kind in (task.evaluation, task.finetuning) if kind]),
            ("scoring", self.scoring, [task.evaluation]),
        ):
            known = set.intersection(*({field.name for field in fields(kind)} for kind in kinds)) - _OURS
            if strange := sorted(settings.keys() - known):
                raise ValueError(f"{name}: no setting {strange[0]!r} of {self.task} (have: {', '.join(sorted(known))})")
        return self

    def _check_place(self, path: str, language: str, where: Place) -> None:
        parts = TASKS[self.task].parts
        if set(where if isinstance(where, dict) else ()) != set(parts):
            expected = f"the files {', '.join(parts)}" if parts else "a file or hub:OWNER/NAME:CONFIG:SPLIT"
            raise ValueError(f"{path}: expected {expected}, found {where!r}")
        for tag in sides(language) if parts else [language]:
            parse_tag(tag)

    def places(self, split: str, source: str) -> dict[str, Place]:
        """Where each language of a split is, in files or on the hub.

        Raises:
            UserError: if there is no such split there.
        """
        found = self.hub if source == "hub" else self.files
        if split not in found:
            raise UserError(
                f"data set {self.name}: no split {split!r} {'on the hub' if source == 'hub' else 'in files'} "
                f"(have: {', '.join(found) or 'none'})"
            )
        return found[split]


class Experiment(BaseModel):
    """What is trained on which languages, and tested on what."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    test: list[Text] = Field(min_length=1)
    """Data sets of one task: names, or paths of declarations."""
    split: Text = "dev"
    """Which part of them is tested."""
    test_on: list[Text] = Field(default_factory=list)
    """Languages to test; all that there are by default."""
    train: Text | None = None
    """Data set to learn from; none for what is measured as it is."""
    train_split: Text = "train"
    train_on: list[list[Text]] = Field(default_factory=list)
    """Which languages are trained on, a tagger for each."""
    dev_split: Text | None = None
    """Part of the same data by which the best epoch is chosen, in the languages trained on; none keeps the last."""
    source: Literal["files", "hub"] = "files"
    baselines: bool = False
    """Whether the most frequent label and TF-IDF stand beside (stance only)."""
    finetune: dict[str, Any] = Field(default_factory=dict)
    """Settings of the training."""
    evaluate: dict[str, Any] = Field(default_factory=dict)
    """Settings of the test."""

    @model_validator(mode="after")
    def _says_what_is_trained(self) -> Experiment:
        if bool(self.train) != bool(self.train_on) or not all(self.train_on):
            raise ValueError("train and train_on belong together: which data, and which languages of it")
        if self.dev_split and self.train is None:
            raise ValueError("dev_split: it chooses the best epoch of a training, and train names none")
        if self.dev_split and self.dev_split == self.train_split:
            raise ValueError(f"dev_split: the best epoch would be chosen by {self.dev_split!r}, which is trained on")
        if self.dev_split == self.split and self.train in self.test:
            raise ValueError(f"dev_split: the best epoch would be chosen by {self.split!r}, which is tested")
        return self


class SuiteValues(BaseModel):
    """What a suite says besides its experiments and the values that they refer to."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    title: Text
    notes: list[Text] = Field(default_factory=list)
    """What a reader of the scores must know."""
    seed: int = Field(default=1, ge=0)
    """The first seed of training."""
    languages: list[Text] = Field(default_factory=list)
    """Adapters that a plain checkpoint gets."""
    random: bool = False
    """Whether a model of the first one's sizes with random weights stands beside."""


def sides(pair: str) -> list[str]:
    """Both languages of "de-rm"."""
    first, sign, second = pair.partition("-")
    if not sign or not first or not second:
        raise ValueError(f"expected a pair of languages such as de-rm, found {pair!r}")
    return [first, second]


def load_data_set(name: str, beside: Path | None = None) -> DataSet:
    """A bundled data set by its name, or one declared in a file of the user's.

    Args:
        name: name, or path of a YAML file.
        beside: file that names it, which relative paths start from.

    Raises:
        UserError: if there is none, or it is not valid.
    """
    path = _find("datasets", name, beside)
    found: DataSet = parse(DataSet, read_yaml(path), path)
    if found.name != path.stem:
        raise UserError(f"{path}: name: expected that of the file, {path.stem!r}, found {found.name!r}")
    return found


def find_suite(name: str) -> Path:
    """The file of a bundled suite, or of the user's.

    Raises:
        UserError: if there is none.
    """
    return _find("suites", name, None)


def bundled(kind: Literal["datasets", "suites"]) -> dict[str, Path]:
    """Files of the data sets or suites that come with the package, by name."""
    folder = Path(str(resources.files(__package__) / kind))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def _find(kind: Literal["datasets", "suites"], name: str, beside: Path | None) -> Path:
    if name.endswith((".yaml", ".yml")):
        path = Path(name) if beside is None else beside.parent / name
        if not path.is_file():
            raise UserError(f"{path}: no such file")
        return path
    known = bundled(kind)
    if name not in known:
        what = {"datasets": "data set", "suites": "suite"}[kind]
        raise UserError(
            f"there is no {what} {name!r} (have: {', '.join(known)}; a path ends in .yaml){nearest(name, known)}"
        )
    return known[name]


def parse(kind: Any, value: Any, place: str | Path) -> Any:  # noqa: ANN401 - YAML is any
    """``value`` as a declaration.

    Raises:
        UserError: in one line, if it is not one.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = "".join(f"{part}: " for part in first["loc"] if isinstance(part, str))
        raise UserError(f"{place}: {where}{first['msg'].removeprefix('Value error, ')}") from error
