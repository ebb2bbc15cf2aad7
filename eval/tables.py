"""Results for other programs and other pages: CSV with all fields, Markdown with what the report says."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from . import wording
from .records import Record
from .transfer import Matrix

_TRAINING = {True: "zero-shot", False: "trained on", None: ""}


def as_csv(records: Sequence[Record]) -> str:
    """A line for each record under a heading: its fields, those of its provenance, its details; lists with blanks."""
    rows = [_flat(record) for record in records]
    names = list(dict.fromkeys(name for row in rows for name in row))
    file = io.StringIO()
    writer = csv.DictWriter(file, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def _flat(record: Record) -> dict[str, Any]:
    fields = record.model_dump(mode="json")
    inner = {name: fields.pop(name) for name in ("provenance", "details")}
    inner |= {"versions": inner["provenance"].pop("versions")}
    for prefix, values in inner.items():
        fields |= {f"{prefix}.{name}": value for name, value in values.items()}
    return {name: " ".join(value) if isinstance(value, list) else value for name, value in fields.items()}


def scores_table(records: Sequence[Record]) -> list[str]:
    """Lines of a Markdown table with a score in each row."""
    heading = ["task", "data", "language", "system", "score", "95% interval", "n", "training"]
    rows = [
        [
            wording.TASKS[record.task],
            wording.data_name(record),
            wording.language_name(record.language),
            wording.label(record, records),
            f"{wording.METRICS[record.metric]} {wording.number(record.score, record.metric)}",
            wording.interval(record),
            f"{record.sentences:,}",
            _TRAINING[record.zero_shot],
        ]
        for record in records
    ]
    return markdown_table(heading, rows, right={4, 5, 6})


def matrix_table(matrix: Matrix) -> list[str]:
    """Lines of a Markdown table: rows are trained on, columns tested; an asterisk is zero-shot."""
    tested = [wording.language_name(language) for language, _ in matrix.columns]
    if matrix.several_data:
        tested = [f"{name}, {data}" for name, (_, data) in zip(tested, matrix.columns, strict=True)]
    heading = ["trained on", *tested]
    rows = []
    for row in matrix.rows:
        cells = [
            f"{wording.number(cell.score, matrix.metric)}{'*' if cell.zero_shot else ''} ({cell.spread})"
            if cell
            else "–"
            for cell in row.cells
        ]
        name = wording.listing(map(wording.language_name, row.trained_on))
        rows.append([f"{name}, {row.system}" if matrix.several_systems else name, *cells])
    return markdown_table(heading, rows, right=set(range(1, len(heading))))


def markdown_table(heading: Sequence[str], rows: Sequence[Sequence[str]], right: set[int]) -> list[str]:
    """Lines of a Markdown table; the columns ``right`` have their text there."""
    rule = ["---:" if column in right else "---" for column in range(len(heading))]
    return [f"| {' | '.join(map(_cell, row))} |" for row in (heading, rule, *rows)]


def _cell(text: str) -> str:
    """A bar would end the cell, a line the table."""
    return " ".join(text.replace("|", "\\|").split())
