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
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from time import perf_counter
from typing import Any

import yaml

from .errors import UserError, nearest
from .files import CURVE, EXAMPLES, RESULTS, existing_file, fingerprint, publish_folder, read_json, write_json
from .settings import PATHS, AlignWords, Report
from .texts import HUB, as_list
from .verbs import VERBS, Verb, make_settings

STAMP = "stage.json"
_STAGE = "stage:"
_REFERENCE = re.compile(r"\$\{([^}]+)\}")


@dataclass(frozen=True)
class Stage:
    """A verb with its settings."""

    name: str
    verb: str
    settings: object
    key: str
    """Hash of everything that its result depends on: settings, content of files, earlier stages, our version."""

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


def run_recipe(
    path: str | Path, overrides: Sequence[str] = (), say: Callable[[str], None] = lambda line: None
) -> Outcome:
    """Run all stages of a recipe, then write the results and the report of all of them.

    Args:
        path: the YAML file.
        overrides: "name.of.setting=value" each, the value in YAML.
        say: told a line for each stage.

    Raises:
        UserError: for a recipe, setting or input that cannot be used. All settings are checked before the first stage.
    """
    recipe = load_recipe(path, overrides)
    out = Path(recipe["out"])
    if out.is_file():
        raise UserError(f"out: expected a folder, found the file {out}")
    stages = plan_stages(recipe, out)
    for number, stage in enumerate(stages, 1):
        say(f"[{number}/{len(stages)}] {stage.name}: {_run_stage(stage, out)}")
    return _finish(recipe, stages, out, ["swissxmod", "run", str(path), *_as_flags(overrides)])


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Read a recipe, apply "a.b=c" overrides, and check that nothing is left to be given."""
    try:
        recipe = yaml.safe_load(existing_file(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a YAML file: {' '.join(str(error).split())}") from error
    _check_form(recipe, path)
    for override in overrides:
        _override(recipe, override)
        _check_form(recipe, path)
    if missing := [name for name, value in recipe.items() if value is None]:
        raise UserError(f"{path} needs {', '.join(missing)}: give " + " ".join(f"--set {name}=..." for name in missing))
    if not isinstance(recipe.get("out"), str):
        raise UserError(f"{path}: expected out to be the path of a folder, found {recipe.get('out')!r}; quote a number")
    return recipe


def _check_form(recipe: Any, path: str | Path) -> None:  # noqa: ANN401 - YAML is any
    if not isinstance(recipe, dict) or not isinstance(recipe.get("stages"), dict):
        raise UserError(f'{path}: expected a mapping with "stages", itself a mapping')
    strange = [name for name in recipe["stages"] if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z]\w*", name)]
    if strange:
        raise UserError(f"{path}: the name of a stage has letters, digits and _ only, found {strange[0]!r}")
    notes = recipe.get("notes", [])
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise UserError(f"{path}: expected notes to be a list of sentences, found {notes!r}")


def _override(recipe: dict[str, Any], text: str) -> None:
    name, separator, value = text.partition("=")
    if not separator:
        raise UserError(f"--set: expected name=value, found {text!r}")
    keys = name.split(".")
    if keys[0] not in recipe:
        known = [key for key in recipe if key != "stages"] + list(recipe["stages"])
        if keys[0] not in recipe["stages"]:
            raise UserError(f"--set {name}: the recipe has no {keys[0]!r}{nearest(keys[0], known)}")
        keys = ["stages", *keys]
    place = recipe
    for key in keys[:-1]:
        if not isinstance(place.get(key), dict):
            raise UserError(f"--set {name}: {key!r} holds no further settings")
        place = place[key]
    try:
        place[keys[-1]] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UserError(f"--set {name}: not a YAML value: {value!r}") from error


def plan_stages(recipe: Mapping[str, Any], out: Path) -> list[Stage]:
    """The stages in order, with references resolved and settings checked."""
    values: dict[str, Any] = {}
    for name, value in recipe.items():
        if name != "stages":
            values[name] = _resolve(value, values)
    keys: dict[str, str] = {}
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
        try:
            settings = make_settings(VERBS[verb].settings, _resolve(raw, values | _folders(keys, out)))
            by_key = make_settings(VERBS[verb].settings, _resolve(raw, values | keys))
            _check_files(by_key)
        except UserError as error:
            raise UserError(f"stage {name}: {error}") from error
        parts = [metadata.version("swissxmod"), verb, fingerprint(asdict(by_key), PATHS)]
        keys[name] = _STAGE + hashlib.sha256("\0".join(parts).encode()).hexdigest()
        stages.append(Stage(name, verb, settings, keys[name]))
    return stages


def _check_files(settings: Any) -> None:  # noqa: ANN401 - any dataclass
    """Miss a file before the first stage runs, not hours later; models may also be names on the hub."""
    for name in PATHS - {"compare", "model", "source", "tokenizer", "vocab"}:
        value = getattr(settings, name, {})
        for paths in value.values() if isinstance(value, dict) else [value]:
            for path in as_list(paths or []):
                if not path.startswith((_STAGE, HUB)) and not Path(path).exists():
                    raise UserError(f"{name}: {path}: no such file")


def _folders(keys: Mapping[str, str], out: Path) -> dict[str, str]:
    return {name: str(out / name) for name in keys}


def _resolve(value: Any, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - YAML is any
    """Replace each ``${name}`` by the recipe's earlier value of that name or by the folder of an earlier stage."""
    if isinstance(value, dict):
        return {key: _resolve(part, values) for key, part in value.items()}
    if isinstance(value, list):
        return [_resolve(part, values) for part in value]
    if not isinstance(value, str):
        return value
    if whole := _REFERENCE.fullmatch(value):
        return _lookup(whole[1], values)
    return _REFERENCE.sub(lambda found: str(_lookup(found[1], values)), value)


def _lookup(name: str, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - YAML is any
    if name not in values:
        raise UserError(
            f"${{{name}}} is neither an earlier value of the recipe nor an earlier stage{nearest(name, values)}"
        )
    return values[name]


def _run_stage(stage: Stage, out: Path) -> str:
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


def _finish(recipe: Mapping[str, Any], stages: Sequence[Stage], out: Path, command: Sequence[str]) -> Outcome:
    folders = {stage.name: out / stage.name for stage in stages}
    found = [folder / RESULTS for folder in folders.values() if (folder / RESULTS).is_file()]
    if not found:
        return Outcome(folders, None, None)
    from .eval.records import read_records, write_records

    write_records(out / RESULTS, [record for path in found for record in read_records(path)])
    settings = Report(
        results=str(out / RESULTS),
        title=str(recipe.get("title", recipe.get("name", "swissxmod report"))),
        notes=list(recipe.get("notes", [])),
        curves={name: str(folder) for name, folder in folders.items() if (folder / CURVE).is_file()},
        examples=[str(folder / EXAMPLES) for folder in folders.values() if (folder / EXAMPLES).is_file()],
        links={stage.name: str(folders[stage.name] / str(stage.call.file)) for stage in stages if _has_links(stage)},
        command=shlex.join(command),
    )
    VERBS["report"](settings, out / "report.html")
    return Outcome(folders, out / RESULTS, out / "report.html")


def _has_links(stage: Stage) -> bool:
    return isinstance(stage.settings, AlignWords) and stage.settings.format == "jsonl"


def _as_flags(overrides: Sequence[str]) -> list[str]:
    return [part for override in overrides for part in ("--set", override)]
