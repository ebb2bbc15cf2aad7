"""The report: result records as one HTML page that needs nothing else, and as a table for the terminal."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..files import write_text
from ..pages import templates
from ..settings import Report
from ..tasks import __name__ as tasks_package
from ..tasks.link_files import LinkedLine, read_linked
from ..texts import as_list
from . import charts, wording
from .charts import Point
from .comparison import EXPLAINED, HEADING, NUMBERS, Comparison, by_task, cells, comparison_tables, read_comparisons
from .examples import KINDS, Example, Kind, Segment, read_examples, segments
from .published import Beside, beside
from .records import Record, read_records
from .tables import as_csv, matrix_table, scores_table
from .transfer import Matrix, matrices

TEMPLATE = "page/report.html.jinja"
SCRIPT = "page/script.js"
_LAYER = re.compile(r"layer (\d+)")
_ZERO_SHOT = {True: "yes", False: "no", None: ""}
_SENTENCES = 4
"""Sentences to show of each kind of mistake."""
_PICTURES = 3
"""Sentence pairs to draw of each file of links."""
_WORDS = range(3, 15)
"""How many words the sides of such a pair best have, to fit a screen."""


def write_report(settings: Report, out: str | Path) -> dict[str, Any]:
    """Write the report of result records: an HTML page, Markdown, or a table as CSV.

    Args:
        settings: the results and what to say about them.
        out: file to write.

    Returns:
        number of records in the report, and its path.

    Raises:
        UserError: for results, learning curves, examples or links that are missing, empty or not valid, or examples
            of a tagger that has no record.
    """
    paths = as_list(settings.results)
    told = [record for path in paths for record in read_records(path)]
    if not told:
        raise UserError(f"{', '.join(paths)}: no result records")
    records = different(told)
    page = build_page(settings, records, repeated=len(told) - len(records))
    if settings.format == "csv":
        write_text(out, as_csv(records))
    else:
        write_text(out, render(page) if settings.format == "html" else as_markdown(page))
    return {"records": len(records), "report": str(out)}


def main_table(records: list[Record]) -> str:
    """The scores as aligned plain text, for a terminal: one line per record under a heading."""
    several_sets = _tasks_with_several_sets(records)
    rows = [("task", "language", "system", "score", "95% interval", "n", "zero-shot")]
    for record in records:
        data = f", {wording.data_name(record)}" if record.task in several_sets else ""
        low, high = (wording.number(value, record.metric) for value in (record.low, record.high))
        rows.append(
            (
                record.task + data,
                record.language,
                wording.label(record, records),
                f"{wording.METRICS[record.metric]} {wording.number(record.score, record.metric)}",
                f"{low} to {high}",
                str(record.sentences),
                _ZERO_SHOT[record.zero_shot],
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_aligned(row, widths) for row in rows)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell.rjust(width) if column in (3, 4, 5) else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def _tasks_with_several_sets(records: Iterable[Record]) -> set[str]:
    sets = Counter(task for task, _ in {(record.task, wording.data_name(record)) for record in records})
    return {task for task, count in sets.items() if count > 1}


def different(records: Iterable[Record]) -> list[Record]:
    """The records without those that tell the same result again; when and how fast it was measured do not count."""
    first: dict[str, Record] = {}
    for record in records:
        result = record.model_dump_json(exclude={"zero_shot": True, "provenance": {"created": True, "seconds": True}})
        first.setdefault(result, record)
    return list(first.values())


@dataclass(frozen=True)
class Group:
    """Scores that stand in one table."""

    records: list[Record]
    chart: str | None = None
    """AER by layer, as SVG."""

    @property
    def data(self) -> str:
        """Data sets and splits."""
        return wording.listing(map(wording.data_name, self.records))

    @cached_property
    def several_data(self) -> bool:
        """Whether a row must say which data it is of."""
        return len(set(map(wording.data_name, self.records))) > 1

    @cached_property
    def several_systems(self) -> bool:
        """Whether a row must say whose score it is."""
        return len({self.label(record) for record in self.records}) > 1

    def label(self, record: Record) -> str:
        """The system, and what tells it from the others of the table."""
        return wording.label(record, self.records)

    @property
    def types(self) -> list[str]:
        """Entity types that have an F1 of their own."""
        keys = dict.fromkeys(key for record in self.records for key in record.details)
        return [key.removeprefix("f1 ") for key in keys if key.startswith("f1 ")]

    @staticmethod
    def type_scores(record: Record, kind: str) -> dict[str, float]:
        """F1, precision and recall of a type, those that the record tells."""
        names = {"F1": "f1", "P": "precision", "R": "recall"}
        found = {shown: record.details.get(f"{name} {kind}") for shown, name in names.items()}
        return {shown: value for shown, value in found.items() if value is not None}

    @property
    def layered(self) -> list[Record]:
        """Records with an AER for each layer."""
        return [record for record in self.records if layers(record)]

    @property
    def layers(self) -> list[int]:
        """Numbers of the layers, those of the deepest system."""
        return sorted({layer for record in self.records for layer in layers(record)})

    @property
    def averaged(self) -> bool:
        """Whether every score is that of the mean of all layers."""
        return all(record.details.get("layer mean") == record.score for record in self.records)


def layers(record: Record) -> dict[int, float]:
    """AER of each layer, in order."""
    found = {int(match[1]): value for key, value in record.details.items() if (match := _LAYER.fullmatch(key))}
    return dict(sorted(found.items()))


def best_layer(record: Record) -> tuple[int, float] | None:
    """Number and AER of the best layer, where the record tells both."""
    number = record.details.get("best layer")
    scores = layers(record)
    return (int(number), scores[int(number)]) if number is not None and int(number) in scores else None


@dataclass(frozen=True)
class Curve:
    """A learning curve."""

    name: str
    points: list[Point]
    chart: str | None


@dataclass(frozen=True)
class Mistaken:
    """Sentences that a tagger got wrong."""

    record: Record
    """What it reaches on the same data."""
    kinds: dict[Kind, list[list[Segment]]]


@dataclass(frozen=True)
class Picture:
    """Sentence pairs with their links."""

    name: str
    pairs: list[LinkedLine]


@dataclass(frozen=True)
class Page:
    """All that the template shows."""

    title: str
    notes: list[str]
    command: str
    records: list[Record]
    summary: list[str]
    matrices: list[Matrix]
    ner: Group | None
    stance: Group | None
    alignment: list[Group]
    retrieval: Group | None
    filled: Group | None
    mistaken: list[Mistaken]
    pictures: list[Picture]
    compared: dict[str, list[Comparison]]
    """Pairs of systems, by task."""
    published: list[Beside]
    curves: list[Curve]
    limits: list[str]
    repeated: int
    """Results that were told more than once."""
    can_draw: bool

    @property
    def sections(self) -> dict[str, str]:
        """The headings of the page by their ids, for the list of contents."""
        found = {
            f"transfer-{matrix.task}": f"Transfer: {wording.TASKS[matrix.task].lower()}" for matrix in self.matrices
        }
        parts = [
            ("names", "Finding names", self.ner),
            ("mistakes", "Mistakes", self.mistaken),
            ("words", "Aligning words", self.alignment),
            ("pictures", "Word links", self.pictures),
            ("stance", "For or against", self.stance),
            ("translations", "Finding translations", self.retrieval),
            ("filled", "Masked words", self.filled),
            ("compared", "Systems side by side", self.compared),
            ("published", "Beside published scores", self.published),
            ("training", "What the models were trained on", True),
            ("reading", "What the models could not read at once", True),
            ("curves", "Learning curves", self.curves),
            ("limits", "What this does not show", True),
            ("provenance", "Where the numbers come from", True),
        ]
        return found | {key: title for key, title, there in parts if there}

    def label(self, record: Record) -> str:
        """The system, and what tells it from the others of its task."""
        return wording.label(record, self.records)

    @property
    def languages(self) -> list[str]:
        """Every tested language, those of pairs one by one."""
        return list(dict.fromkeys(side for record in self.records for side in wording.sides(record.language)))


def build_page(settings: Report, records: list[Record], *, repeated: int = 0) -> Page:
    """Sort records into tables, draw what can be drawn, and read what else is to be shown.

    Raises:
        UserError: for files that cannot be read, or examples of a tagger that has no record.
    """
    curves = {name: charts.read_curve(path) for name, path in settings.curves.items()}
    can_draw = charts.can_draw()
    ner = [record for record in records if record.task == "ner"]
    stance = [record for record in records if record.task == "stance"]
    aligned = [record for record in records if record.task == "word-alignment"]
    retrieval = [record for record in records if record.task == "sentence-retrieval"]
    filled = [record for record in records if record.task == "fill-mask"]
    return Page(
        title=settings.title,
        notes=settings.notes,
        command=settings.command,
        records=records,
        summary=wording.summary(records),
        matrices=matrices(records),
        ner=Group(_languages_together(ner)) if ner else None,
        stance=Group(_languages_together(stance)) if stance else None,
        alignment=[
            _alignment_group(group, f"layers-{i}", can_draw=can_draw)
            for i, group in enumerate(wording.by_text(aligned))
        ],
        retrieval=Group(_languages_together(retrieval)) if retrieval else None,
        filled=Group(_languages_together(filled)) if filled else None,
        mistaken=_mistaken(ner, settings.examples),
        pictures=[Picture(name, _legible(list(read_linked(path)))) for name, path in settings.links.items()],
        compared=by_task([each for path in settings.comparisons for each in read_comparisons(path)]),
        published=beside(records),
        curves=[
            Curve(name, points, charts.loss_chart(points, name=f"curve-{i}") if can_draw else None)
            for i, (name, points) in enumerate(curves.items())
        ],
        limits=wording.limits(records, compared=bool(settings.comparisons)),
        repeated=repeated,
        can_draw=can_draw,
    )


def _mistaken(records: Sequence[Record], paths: Sequence[str]) -> list[Mistaken]:
    """Of each text what its best tagger gets wrong, among those with examples."""
    kept: dict[tuple[str, str, str, str], list[Example]] = {}
    for path in paths:
        for example in read_examples(path):
            kept.setdefault((example.model_hash, *_text(example)), []).append(example)
    own = {(record.provenance.model_hash, *_text(record)): record for record in records if not record.by_other_adapter}
    if strange := [key for key in kept if key not in own]:
        _, dataset, split, language = strange[0]
        raise UserError(
            f"examples: no record of the tagger that made the mistakes in {dataset} ({split}), {language}; give the "
            "results.jsonl that eval ner wrote beside them"
        )
    best = [ranked[0] for ranked in map(wording.ranking, wording.by_text(own[key] for key in kept))]
    return [Mistaken(record, _by_kind(kept[record.provenance.model_hash, *_text(record)])) for record in best]


def _text(of: Record | Example) -> tuple[str, str, str]:
    return of.dataset, of.split, of.language


def _by_kind(examples: Iterable[Example]) -> dict[Kind, list[list[Segment]]]:
    """The shortest sentences of each kind of mistake, none of them twice."""
    once = {example.model_dump_json(): example for example in examples}
    left = sorted(once.values(), key=lambda example: len(example.words))
    found: dict[Kind, list[list[Segment]]] = {}
    for kind in KINDS:
        chosen = [example for example in left if kind in {each.kind for each in example.mistakes}][:_SENTENCES]
        left = [example for example in left if example not in chosen]
        if chosen:
            found[kind] = [list(segments(example)) for example in chosen]
    return found


def _legible(pairs: list[LinkedLine]) -> list[LinkedLine]:
    """The first pairs of a length that fits a screen, else the shortest with words on both sides."""
    full = [pair for pair in pairs if pair.source and pair.target]
    fitting = [pair for pair in full if len(pair.source) in _WORDS and len(pair.target) in _WORDS]
    return (fitting or sorted(full, key=lambda pair: len(pair.source) + len(pair.target)))[:_PICTURES]


def _languages_together(records: Sequence[Record]) -> list[Record]:
    order = list(dict.fromkeys(record.language for record in records))
    return sorted(records, key=lambda record: order.index(record.language))


def _alignment_group(records: list[Record], name: str, *, can_draw: bool) -> Group:
    series = [layers(record) for record in records if layers(record)]
    return Group(records, charts.layer_chart(series, name=name) if can_draw and series else None)


def render(page: Page) -> str:
    """The page as HTML; every text of the user's is escaped, only our own drawings and script are not."""
    environment = templates(__package__, tasks_package)
    environment.globals.update(
        best_layer=best_layer,
        compared={"heading": HEADING, "numbers": NUMBERS, "explained": EXPLAINED, "cells": cells},
        distinct=distinct,
        kinds=KINDS,
        layers=layers,
        metrics=wording.METRICS,
        series_style=charts.series_style,
        sides=wording.sides,
        tasks=wording.TASKS,
    )
    environment.filters.update(
        attributes=_attributes,
        begun=wording.begun,
        data=wording.data_name,
        count=lambda value: f"{value:,}" if value else "none",
        interval=wording.interval,
        language=wording.language_name,
        languages=lambda keys: wording.listing(map(wording.language_name, keys)) if keys else "none recorded",
        lang=lambda key: key.replace("_", "-"),
        number=wording.number,
    )
    script = environment.get_template(SCRIPT).render()
    # The browser runs this script and no other, and asks for nothing, whatever the page has come to hold.
    checksum = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template(TEMPLATE).render(page=page, script=script, checksum=checksum)


def _attributes(record: Record) -> Mapping[str, str]:
    """What the page's script filters the record's rows by."""
    languages = " ".join(wording.sides(record.language))
    return {"data-task": record.task, "data-languages": languages, "data-system": record.system}


def as_markdown(page: Page) -> str:
    """The page for a README or an issue: what was found, every score, and what the scores do not show."""
    overview, *findings = page.summary
    found = "\n".join(f"- {finding}" for finding in findings)
    parts = [[f"# {page.title}", overview], [found] if found else [], [f"> {note}" for note in page.notes]]
    for matrix in page.matrices:
        metric = wording.begun(wording.METRICS[matrix.metric])
        legend = f"{metric}{matrix.scale} with its 95% interval; an asterisk is zero-shot."
        parts += [[f"## Transfer: {wording.TASKS[matrix.task].lower()}", legend], ["\n".join(matrix_table(matrix))]]
    parts += [["## Scores"], ["\n".join(scores_table(page.records))]]
    if page.compared:
        parts += [["## Systems side by side", EXPLAINED], list(comparison_tables(page.compared, "###"))]
    parts += [["## What this does not show"], ["\n".join(f"- {limit}" for limit in page.limits)]]
    if page.command:
        parts.append(["## How to make it again", f"```sh\n{page.command}\n```"])
    return "\n\n".join(text for part in parts for text in part) + "\n"


def distinct(records: Iterable[Record], *names: str) -> list[list[Any]]:
    """Different combinations of the named fields of records and their provenance, in order of appearance."""
    rows = []
    for record in records:
        row = [getattr(record if hasattr(record, name) else record.provenance, name) for name in names]
        if row not in rows:
            rows.append(row)
    return rows
