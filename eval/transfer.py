"""The transfer matrix: what training in some languages reaches in each language that was tested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

from . import wording
from .records import Record

Column = tuple[str, str]
"""Tested language and data."""


@dataclass(frozen=True)
class Cell:
    """Scores of one kind of training on one language, one for each seed."""

    records: list[Record]
    heat: float
    """From 0 for the lowest score of the matrix to 1 for the highest."""

    @property
    def score(self) -> float:
        """The mean over seeds."""
        return fmean(record.score for record in self.records)

    @property
    def zero_shot(self) -> bool:
        """Whether no training had the language."""
        return all(record.zero_shot is True for record in self.records)

    @property
    def spread(self) -> str:
        """The interval, or the scatter over seeds."""
        first = self.records[0]
        if len(self.records) == 1:
            return wording.interval(first)
        scatter = wording.number(pstdev([record.score for record in self.records]), first.metric)
        return f"± {scatter} over {len(self.records)} seeds"

    @property
    def count(self) -> str:
        """How much was tested."""
        return f"{self.records[0].sentences:,} {'comments' if self.records[0].task == 'stance' else 'sentences'}"


@dataclass(frozen=True)
class Row:
    """One kind of training."""

    trained_on: list[str]
    system: str
    cells: list[Cell | None]
    """In the order of the columns; None where nothing was measured."""


@dataclass(frozen=True)
class Matrix:
    """All scores of a task that was learned in several ways."""

    task: str
    metric: str
    columns: list[Column]
    rows: list[Row]

    def told(self, row: Row, cell: Cell) -> str:
        """All of a cell in words."""
        first = cell.records[0]
        trained = wording.listing(map(wording.language_name, row.trained_on))
        interval = "" if len(cell.records) > 1 else "95% interval "
        return (
            f"{row.system} trained on {trained}, tested on {wording.language_name(first.language)}, "
            f"{wording.data_name(first)}: {wording.METRICS[self.metric]} {wording.number(cell.score, self.metric)}, "
            f"{interval}{cell.spread}, {cell.count}{', zero-shot' if cell.zero_shot else ''}"
        )

    @property
    def several_systems(self) -> bool:
        """Whether rows differ in more than the languages trained on."""
        return len({row.system for row in self.rows}) > 1

    @property
    def several_data(self) -> bool:
        """Whether a language was tested on more than one set."""
        return len({language for language, _ in self.columns}) < len(self.columns)


def matrices(records: Sequence[Record]) -> list[Matrix]:
    """A matrix of each task that was learned in two ways or more and tested in two languages or more.

    Scores with another language's adapter are left out: they answer another question.
    """
    tasks = dict.fromkeys(record.task for record in records)
    found = [_matrix([r for r in records if r.task == task and _counts(r)]) for task in tasks]
    return [matrix for matrix in found if matrix and len(matrix.rows) > 1 and len(matrix.columns) > 1]


def _counts(record: Record) -> bool:
    return bool(record.provenance.finetuned_on) and not record.by_other_adapter


def _matrix(records: Sequence[Record]) -> Matrix | None:
    if not records:
        return None
    columns = list(dict.fromkeys((record.language, wording.data_name(record)) for record in records))
    kinds = list(dict.fromkeys((tuple(record.provenance.finetuned_on), record.system) for record in records))
    scores = [record.score for record in records]
    low, high = min(scores), max(scores)

    def cell(kind: tuple[tuple[str, ...], str], column: Column) -> Cell | None:
        own = [
            record
            for record in records
            if (tuple(record.provenance.finetuned_on), record.system) == kind
            and (record.language, wording.data_name(record)) == column
        ]
        heat = (fmean(record.score for record in own) - low) / (high - low) if own and high > low else 0.0
        return Cell(own, heat) if own else None

    rows = [Row(list(kind[0]), kind[1], [cell(kind, column) for column in columns]) for kind in kinds]
    return Matrix(records[0].task, records[0].metric, columns, sorted(rows, key=lambda row: len(row.trained_on)))
