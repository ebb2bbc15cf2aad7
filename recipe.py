"""Recipes: a YAML file of stages, each a verb with its settings; finished stages are not run again.

A stage is known by the hash of its settings, of the content of its input files, and of the stages it takes from. So a
changed setting reruns exactly what depends on it, and an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path
from time import perf_counter
from typing import Any

import yaml

from .errors import UserError, naming, nearest
from .files import COMPARISON, CURVE, EXAMPLES, RESULTS, fingerprint, publish_folder, read_json, read_yaml, write_json
from .settings import PATHS, AlignWords, Report
from .texts import HUB, as_list
from .verbs import VERBS, Verb, make_settings, one_line

STAMP = "stage.json"
_FOUND = (RESULTS, CURVE, EXAMPLES, COMPARISON)
_STAGE = "stage:"
_REFERENCE = re.compile(r"\$\{([^}]+)\}")
Say = Callable[[str], None]
"""Tells a line of progress."""


@dataclass(frozen=True)
class Stage:
    """A verb with its settings."""

    name: str
    verb: str
    settings: object
    key: str
    """Hash of everything that its result depends on: settings, content of files, earlier stages, our version."""
    needs: frozenset[str]
    """Names of the earlier stages that it takes from."""

    @property
    def call(self) -> Verb:
        """The function behind the verb."""
        return VERBS[self.verb]


@dataclass(frozen=True)
class Outcome:
    """What a run leaves behind."""

    stages: dict[str, Path]
    results: Path | None
    """The records of all evaluation stages; None for a recipe without any."""
    report: Path | None
    failed: dict[str, str] = field(default_factory=dict)
    """Why each stage that has no result has none."""


def run_recipe(
    path: str | Path, overrides: Sequence[str] = (), say: Say = lambda line: None, *, keep_going: bool = False
) -> Outcome:
    """Run all stages of a recipe, then write the results and the report of all of them.

    Args:
        path: the YAML file.
        overrides: "name.of.setting=value" each, the value in YAML.
        say: told a line for each stage.
        keep_going: go on with what does not need it when a stage fails.

    Raises:
        UserError: for a recipe, setting or input that cannot be used. All settings are checked before the first stage.
    """
    recipe = load_recipe(path, overrides)
    out = folder_of(recipe["out"])
    stages = plan_stages(recipe, out)
    failed = run_stages(stages, out, say, keep_going=keep_going)
    page = Report(
        results=str(out / RESULTS),
        title=str(recipe.get("title", recipe.get("name", "swissxmod report"))),
        notes=list(recipe.get("notes", [])),
        command=shlex.join(["swissxmod", "run", str(path), *as_flags("set", overrides)]),
    )
    results, report = write_results(stages, failed, out, out, page)
    return Outcome(
        {stage.name: out / stage.name for stage in stages if stage.name not in failed}, results, report, failed
    )


def folder_of(out: str | Path) -> Path:
    """Where a run writes; a folder that is in use may be an earlier run's, which goes on.

    Raises:
        UserError: if it is a file.
    """
    if Path(out).is_file():
        raise UserError(f"out: expected a folder, found the file {out}")
    return Path(out)


def run_stages(stages: Sequence[Stage], out: Path, say: Say, *, keep_going: bool = False) -> dict[str, str]:
    """Run the stages whose results are not there yet, in order.

    Args:
        stages: as planned.
        out: holds the folder of each.
        say: told a line for each stage.
        keep_going: whether a stage that fails is noted, and those that take from it are left out; else its error ends
            the run.

    Returns:
        why each stage that has no result has none.
    """
    failed: dict[str, str] = {}
    for number, stage in enumerate(stages, 1):
        if lost := sorted(stage.needs & failed.keys()):
            failed[stage.name] = told = f"skipped, as {lost[0]} has no result"
        else:
            try:
                told = run_stage(stage, out)
            except Exception as error:
                if not keep_going:
                    raise
                failed[stage.name] = why = reason_of(error)
                told = f"failed: {why}"
        say(f"[{number}/{len(stages)}] {stage.name}: {told}")
    return failed


def reason_of(error: Exception) -> str:
    """One line; of what is no mistake of the user's also which kind of error it is."""
    line = one_line(error)
    return line if isinstance(error, UserError) else f"{type(error).__name__}: {line}"


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Read a recipe, apply "a.b=c" overrides, and check that nothing is left to be given."""
    recipe = read_yaml(path)
    _check_form(recipe, path)
    for override in overrides:
        override_value(recipe, override, "stages")
        _check_form(recipe, path)
    refuse_missing(recipe, path)
    if not isinstance(recipe.get("out"), str):
        raise UserError(f"{path}: expected out to be the path of a folder, found {recipe.get('out')!r}; quote a number")
    return recipe


def refuse_missing(values: Mapping[str, Any], path: str | Path) -> None:
    """Raise :class:`UserError` if a value is left to be given."""
    if missing := [name for name, value in values.items() if value is None]:
        raise UserError(f"{path} needs {', '.join(missing)}: give " + " ".join(f"--set {name}=..." for name in missing))


def _check_form(recipe: Any, path: str | Path) -> None:  # noqa: ANN401 - YAML is any
    if not isinstance(recipe, dict) or not isinstance(recipe.get("stages"), dict):
        raise UserError(f'{path}: expected a mapping with "stages", itself a mapping')
    strange = [name for name in recipe["stages"] if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z]\w*", name)]
    if strange:
        raise UserError(f"{path}: the name of a stage has letters, digits and _ only, found {strange[0]!r}")
    notes = recipe.get("notes", [])
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise UserError(f"{path}: expected notes to be a list of sentences, found {notes!r}")


def override_value(values: dict[str, Any], text: str, inner: str) -> None:
    """Apply "a.b=c"; the first name is that of a value, or of one in the mapping ``inner``.

    Raises:
        UserError: for a name that is not there, or a value that is not YAML.
    """
    name, separator, value = text.partition("=")
    if not separator:
        raise UserError(f"--set: expected name=value, found {text!r}")
    keys = name.split(".")
    if keys[0] not in values:
        known = [key for key in values if key != inner] + list(values[inner])
        if keys[0] not in values[inner]:
            raise UserError(f"--set {name}: there is no {keys[0]!r}{nearest(keys[0], known)}")
        keys = [inner, *keys]
    place = values
    for key in keys[:-1]:
        if not isinstance(place.get(key), dict):
            raise UserError(f"--set {name}: {key!r} holds no further settings")
        place = place[key]
    try:
        place[keys[-1]] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UserError(f"--set {name}: not a YAML value: {value!r}") from error


def plan_stages(recipe: Mapping[str, Any], out: Path, earlier: Sequence[Stage] = ()) -> list[Stage]:
    """The stages in order, with references resolved and settings checked.

    Args:
        recipe: "stages", and values that they refer to.
        out: holds the folder of each.
        earlier: stages that are planned already, which these may refer to.

    Raises:
        UserError: for a stage that cannot be; the message says which.
    """
    values: dict[str, Any] = {}
    for name, value in recipe.items():
        if name != "stages":
            values[name] = resolve(value, values)
    keys = {stage.name: stage.key for stage in earlier}
    stages = []
    for name, description in recipe["stages"].items():
        found = description.get("do") if isinstance(description, dict) else description
        steps = [verb for verb in VERBS if VERBS[verb].writes]
        if not isinstance(found, str) or found not in steps:
            raise UserError(
                f"stage {name}: expected do: {', '.join(steps)}; found {found!r}{nearest(str(found), steps)}"
            )
        raw = {key: value for key, value in description.items() if key != "do"}
        verb = found
        with naming(f"stage {name}"):
            by_key = make_settings(VERBS[verb].settings, resolve(raw, values | keys))
            _check_files(by_key)
            needs = frozenset(_references(raw) & keys.keys())
            folders = {keys[name]: str(out / name) for name in needs}
            settings = type(by_key)(**{key: _replaced(value, folders) for key, value in vars(by_key).items()})
        parts = [metadata.version("swissxmod"), verb, fingerprint(asdict(by_key), PATHS)]
        keys[name] = _STAGE + hashlib.sha256("\0".join(parts).encode()).hexdigest()
        stages.append(Stage(name, verb, settings, keys[name], needs))
    return stages


def _check_files(settings: Any) -> None:  # noqa: ANN401 - any dataclass
    """Miss a file before the first stage runs, not hours later; models may also be names on the hub."""
    for name in PATHS - {"compare", "model", "source", "tokenizer", "vocab"}:
        value = getattr(settings, name, {})
        for paths in value.values() if isinstance(value, dict) else [value]:
            for path in as_list(paths or []):
                if not path.startswith((_STAGE, HUB)) and not Path(path).exists():
                    raise UserError(f"{name}: {path}: no such file")


def _replaced(value: Any, folders: Mapping[str, str]) -> Any:  # noqa: ANN401 - a setting is any
    """A setting with the folders of stages in the place of their keys."""
    if isinstance(value, dict):
        return {key: _replaced(part, folders) for key, part in value.items()}
    if isinstance(value, list):
        return [_replaced(part, folders) for part in value]
    if isinstance(value, str) and _STAGE in value:
        for key, folder in folders.items():
            value = value.replace(key, folder)
    return value


def resolve(value: Any, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - YAML is any
    """Replace each ``${name}`` by the recipe's earlier value of that name or by the folder of an earlier stage."""
    if isinstance(value, dict):
        return {key: resolve(part, values) for key, part in value.items()}
    if isinstance(value, list):
        return [resolve(part, values) for part in value]
    if not isinstance(value, str):
        return value
    if whole := _REFERENCE.fullmatch(value):
        return _lookup(whole[1], values)
    return _REFERENCE.sub(lambda found: str(_lookup(found[1], values)), value)


def _references(value: Any) -> set[str]:  # noqa: ANN401 - YAML is any
    """Names that a value refers to."""
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return {name for part in parts for name in _references(part)}
    return set(_REFERENCE.findall(value)) if isinstance(value, str) else set()


def _lookup(name: str, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - YAML is any
    if name not in values:
        raise UserError(
            f"${{{name}}} is neither an earlier value of the recipe nor an earlier stage{nearest(name, values)}"
        )
    return values[name]


def run_stage(stage: Stage, out: Path) -> str:
    """Run a stage unless its result is there already; returns what to tell."""
    folder = out / stage.name
    stamp = folder / STAMP
    if stamp.is_file() and read_json(stamp).get("key") == stage.key:
        return "done before"
    if folder.exists() and not stamp.is_file():
        raise UserError(f"{folder}: not made by this recipe; remove it or give another out")
    partial = out / f".{stage.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    start = perf_counter()
    file = stage.call.file
    summary = stage.call(stage.settings, partial / file if file else partial)
    seconds = round(perf_counter() - start, 1)
    write_json(partial / STAMP, {"key": stage.key, "verb": stage.verb, "seconds": seconds, "summary": summary})
    shutil.rmtree(folder, ignore_errors=True)
    publish_folder(partial, folder)
    for stale in out.glob(f".{partial.name}-*.work"):
        shutil.rmtree(stale, ignore_errors=True)
    return f"{seconds:.0f} s"


def write_results(
    stages: Sequence[Stage], failed: Mapping[str, str], where: Path, out: Path, page: Report
) -> tuple[Path, Path] | tuple[None, None]:
    """Write the records of all stages, and their report, into ``out``.

    Args:
        stages: of the run.
        failed: those that have no result, and why.
        where: holds the folder of each.
        out: where to write.
        page: what the report says besides what the stages have, and which have nothing.

    Returns:
        both files; None where no stage has a record, and if stages failed, those of an earlier run are removed.
    """
    results, report = out / RESULTS, out / "report.html"
    done = [stage for stage in stages if stage.name not in failed]
    folders = {stage.name: where / stage.name for stage in done}
    found = {name: [folder / name for folder in folders.values() if (folder / name).is_file()] for name in _FOUND}
    if not found[RESULTS]:
        for stale in (results, report) if failed else ():
            stale.unlink(missing_ok=True)
        return None, None
    from .eval.records import read_records, write_records

    write_records(results, [record for path in found[RESULTS] for record in read_records(path)])
    lost = f"{len(failed)} of {len(stages)} stages have no result: {', '.join(failed)}."
    page = replace(
        page,
        notes=[*page.notes, lost] if failed else page.notes,
        curves={path.parent.name: str(path.parent) for path in found[CURVE]},
        examples=list(map(str, found[EXAMPLES])),
        comparisons=list(map(str, found[COMPARISON])),
        links={stage.name: str(folders[stage.name] / str(stage.call.file)) for stage in done if _has_links(stage)},
    )
    VERBS["report"](page, report)
    return results, report


def _has_links(stage: Stage) -> bool:
    return isinstance(stage.settings, AlignWords) and stage.settings.format == "jsonl"


def as_flags(option: str, values: Sequence[str]) -> list[str]:
    """``--option value`` for each value."""
    return [part for value in values for part in (f"--{option}", value)]
