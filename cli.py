"""The command ``swissxmod``: one verb per step; parse, call, print."""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser, Namespace

from .errors import UserError
from .files import STANDARD
from .processes import is_main, part, world_size
from .recipe import Outcome, run_recipe
from .settings import MINI, EvalSuite
from .verbs import VERBS, one_line

FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130
MINI_NOTE = "swissxmod: with swissxmod-mini, which comes with the package (CC BY-NC-SA 4.0); --model takes another"
SUITE = "suite"
"""What eval measures if it is not told a task."""
REPEATED = {
    "model": "folder or hub name of a model, or label=path",
    "adapter": "rm=de also measures each model with the German adapter reading Romansh",
    "only": "an experiment of the suite to run; all by default",
    "set": "name=value, replaces a value of the suite",
}
"""Options of a suite that are given once for each value."""
TOGETHER = "pretrain"
"""The verb that several processes can do together."""
GARBAGE = 10_000
"""New objects after which Python looks for garbage; its own 700 cost a tenth of the start: libraries make a million."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        the exit code: 0, 1 where a stage failed and others went on, 2 for bad input (one line on stderr says what), 130
        when interrupted.
    """
    gc.set_threshold(GARBAGE)
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger(__package__).setLevel(logging.INFO if is_main() else logging.WARNING)
    words = [_underscored(word) for word in (sys.argv[1:] if arguments is None else arguments)]
    if words[:1] == ["eval"] and words[1:] and words[1].startswith("--") and words[1] != "--help":
        words.insert(1, SUITE)
    try:
        parser = _parser(_verb(words))
        code = _run(parser, parser.parse_args(words))
        part()
        return code
    except BrokenPipeError:
        # Who reads our output has enough of it; what is left must not fail when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (UserError, ArgumentError, OSError) as error:
        print(f"swissxmod: {one_line(error)}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print(
            "swissxmod: stopped; the same command continues a recipe, a suite or pretraining, "
            "and starts other steps again",
            file=sys.stderr,
        )
        return INTERRUPTED


def _underscored(word: str) -> str:
    """``--learning-rate`` is ``--learning_rate``; what follows a dot is a key of the user's and stays."""
    if not word.startswith("--"):
        return word
    name, equals, value = word.partition("=")
    option, dot, key = name.partition(".")
    return "--" + option[2:].replace("-", "_") + dot + key + equals + value


def _verb(words: Sequence[str]) -> str:
    """The verb that a command begins with, as far as it has one."""
    first = [word for word in words if not word.startswith("-")][:2]
    name = " ".join(first)
    return name if name in VERBS or name == f"eval {SUITE}" else "".join(first[:1])


def _parser(wanted: str) -> ArgumentParser:
    """A parser that knows all verbs, but of the one that is wanted alone its options: those of all take seconds."""
    parser = ArgumentParser(
        prog="swissxmod",
        description="Modular multilingual encoders: train, extend, fine-tune and evaluate, step by step.",
        exit_on_error=False,
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    commands = parser.add_subcommands(dest="verb", required=False)
    commands.add_subcommand("demo", _demo_parser(), help="the whole way on the bundled sample, a report at the end")
    commands.add_subcommand("run", _run_parser(), help="all stages of a recipe; finished stages are not run again")

    def own(name: str, make: Callable[[str], ArgumentParser]) -> ArgumentParser:
        return make(name) if name == wanted else ArgumentParser(exit_on_error=False)

    groups: dict[str, list[str]] = {}
    for name in VERBS:
        group, _, verb = name.partition(" ")
        groups.setdefault(group, []).append(verb)
    for group, verbs in groups.items():
        if verbs == [""]:
            commands.add_subcommand(group, own(group, _verb_parser), help=_first_line(VERBS[group].settings))
            continue
        inner = ArgumentParser(exit_on_error=False)
        commands.add_subcommand(group, inner, help=", ".join(verbs))
        choices = inner.add_subcommands(dest="what")
        for verb in verbs:
            name = f"{group} {verb}"
            choices.add_subcommand(verb, own(name, _verb_parser), help=_first_line(VERBS[name].settings))
        if group == "eval":
            choices.add_subcommand(SUITE, own(f"eval {SUITE}", _suite_parser), help=_first_line(EvalSuite))
    return parser


def _first_line(settings: type) -> str:
    return (settings.__doc__ or "").splitlines()[0]


def _parser_of(settings: type) -> ArgumentParser:
    """A parser with the description and the example that the settings have, and no argument yet."""
    summary, _, example = (settings.__doc__ or "").partition("Example:")
    return ArgumentParser(
        exit_on_error=False, description=" ".join(summary.split()), epilog="example: " + " ".join(example.split())
    )


def _verb_parser(name: str) -> ArgumentParser:
    verb = VERBS[name]
    parser = _parser_of(verb.settings)
    parser.add_class_arguments(verb.settings, as_group=False)
    if verb.writes:
        kind = "file" if verb.file else "folder"
        told = f"{kind} to write; never over something that is there"
        if verb.streams:
            parser.add_argument("--out", default=STANDARD, help=f"{told}; by default standard output")
        else:
            parser.add_argument("--out", required=True, help=told)
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    return parser


def _demo_parser() -> ArgumentParser:
    parser = ArgumentParser(
        exit_on_error=False,
        description="Names and word links in four languages with the model that comes with the package; a tagger "
        "fine-tuned on the bundled sample in three of them, its zero-shot Romansh, and a report.",
        epilog="example: swissxmod demo --out demo",
    )
    parser.add_argument("--out", default="swissxmod-demo", help="folder to write to (default: swissxmod-demo)")
    return parser


def _run_parser() -> ArgumentParser:
    parser = ArgumentParser(
        exit_on_error=False,
        description="Run all stages of a recipe and write its report.",
        epilog="example: swissxmod run recipes/swiss-mini.yaml --set data=DATA --set trunk=TRUNK --set out=DIR",
    )
    parser.add_argument("recipe", help="YAML file, or the name of a bundled recipe")
    parser.add_argument("--set", action="append", default=[], help="name=value, replaces a value of the recipe")
    parser.add_argument(
        "--keep_going", action="store_true", help="when a stage fails, go on with those that do not need it"
    )
    return parser


def _suite_parser(_: str) -> ArgumentParser:
    parser = _parser_of(EvalSuite)
    parser.add_class_arguments(EvalSuite, as_group=False, skip=set(REPEATED))
    for name, help_ in REPEATED.items():
        parser.add_argument(f"--{name}", action="append", default=[], help=f"{help_}; as often as you like")
    parser.add_argument("--out", required=True, help="folder to write, or of an earlier run, which goes on")
    return parser


def _run(parser: ArgumentParser, given: Namespace) -> int:
    if given.version:
        from importlib.metadata import version

        print(f"swissxmod {version('swissxmod')}")
        return 0
    if given.verb is None:
        parser.print_help()
        return BAD_INPUT
    if world_size() > 1 and given.verb != TOGETHER:
        raise UserError(f"{given.verb} runs in one process, only {TOGETHER} in several; start it without a launcher")
    chosen = given[given.verb]
    if given.verb == "demo":
        return _demo(chosen.out)
    if given.verb == "run":
        return _show(run_recipe(_find_recipe(chosen.recipe), chosen.set, _say, keep_going=chosen.keep_going))
    name = given.verb
    if name == "eval" and chosen.what == SUITE:
        return _suite(chosen[SUITE])
    if name not in VERBS:
        name, chosen = f"{given.verb} {chosen.what}", chosen[chosen.what]
    return _step(name, chosen)


def _step(name: str, given: Namespace) -> int:
    verb = VERBS[name]
    if verb.writes and given.out == STANDARD and not verb.streams:
        raise UserError(f"out: {name} does not write to standard output; name a {'file' if verb.file else 'folder'}")
    if verb.file and Path(given.out).exists():
        raise UserError(f"{given.out}: is there already; give another --out or remove it")
    values = {key: value for key, value in given.as_dict().items() if key not in ("out", "json")}
    if values.get("model") in MINI and is_main():
        _say(MINI_NOTE)
    summary = verb(verb.settings(**values), *([given.out] if verb.writes else []))
    if is_main() and given.get("out") != STANDARD:
        print(json.dumps(summary, ensure_ascii=False) if given.json else _plain(summary))
    return 0


def _demo(out: str) -> int:
    package = Path(__file__).parent
    values = {"out": out, "data": str(package / "sample"), "mini": str(package / "mini")}
    outcome = run_recipe(
        package / "recipes" / "demo.yaml", [f"{name}={json.dumps(value)}" for name, value in values.items()], _say
    )
    _say(MINI_NOTE)
    for line in (outcome.stages["names"] / str(VERBS["predict ner"].file)).read_text(encoding="utf-8").splitlines():
        print(_marked(json.loads(line)))
    return _show(outcome)


def _marked(row: dict[str, Any]) -> str:
    """A text with the labels of its names behind them, and its language before it."""
    text = row["text"]
    for entity in reversed(row["entities"]):
        text = f"{text[: entity['end']]}]{entity['label']}{text[entity['end'] :]}"
        text = f"{text[: entity['start']]}[{text[entity['start'] :]}"
    return f"{row['language']}  {text}"


def _suite(given: Namespace) -> int:
    from .harness import evaluate_suite

    values = given.as_dict()
    out = values.pop("out")
    return _show(evaluate_suite(EvalSuite(**values), out, _say))


def _find_recipe(name: str) -> Path:
    """A path as it is; "NAME" or "recipes/NAME.yaml" also as a bundled recipe, where there is no such file."""
    path = Path(name)
    bundled = Path(str(resources.files(__package__) / "recipes" / f"{path.stem}.yaml"))
    named = str(path) == path.stem or path.parent == Path("recipes")
    return bundled if named and not path.exists() and bundled.is_file() else path


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _show(outcome: Outcome) -> int:
    """Tell what a run left behind, and what failed; returns the exit code."""
    from .eval.records import read_records
    from .eval.report import main_table

    if outcome.results is None:
        print("no evaluation has a result, so there is no report; what is there:")
        print("\n".join(map(str, outcome.stages.values())))
    else:
        print(main_table(read_records(outcome.results)))
        print(f"results: {outcome.results}")
        print(f"report:  {outcome.report}")
    for name, why in outcome.failed.items():
        print(f"swissxmod: {name}: {why}", file=sys.stderr)
    return FAILED if outcome.failed else 0


def _plain(summary: dict[str, Any], indent: str = "") -> str:
    """A summary for people: a line for each value, a table for rows."""
    lines = []
    for key, value in summary.items():
        if isinstance(value, dict):
            lines += [f"{indent}{key}:", _plain(value, indent + "  ")]
        elif isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
            alike = all(row.keys() == value[0].keys() for row in value)
            rows = _table(value) if alike else [_plain(row, indent + "  ") + "\n" for row in value]
            lines += [f"{indent}{key}:", *rows]
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            lines.append(f"{indent}{key}: {shown}")
    return "\n".join(lines)


def _table(rows: list[dict[str, Any]]) -> list[str]:
    cells = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    ]
