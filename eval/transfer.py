"""The transfer matrix: what training in some languages reaches in each language that was tested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from . import wording
from .records import LOWER_IS_BETTER, Record

Column = tuple[str, str]
"""Tested language and data."""
Kind = tuple[tuple[str, ...], str]
"""Languages trained on, and the system."""


@dataclass(frozen=True)
class Cell:
    """Scores of one kind of training on one language, one for each seed."""

    records: list[Record]
    heat: float
    """From 0 for the worst score of the matrix to 1 for the best."""

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
        scatter = wording.number(stdev([record.score for record in self.records]), first.metric)
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
    """What was measured, and which language another one's adapter read."""
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
    def scale(self) -> str:
        """Of the scores."""
        return "" if self.metric in LOWER_IS_BETTER else " in percent"

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

    Where another language's adapter read a text, as if it had none of its own, the same model has a row more: it
    differs in the scores of that language alone.
    """
    tasks = dict.fromkeys(record.task for record in records)
    found = [_matrix([r for r in records if r.task == task and r.provenance.finetuned_on]) for task in tasks]
    return [matrix for matrix in found if matrix]


def _matrix(records: Sequence[Record]) -> Matrix | None:
    own = [record for record in records if not record.by_other_adapter]
    columns = list(dict.fromkeys(map(_column, own)))
    kinds = list(dict.fromkeys(map(_kind, own)))
    if len(kinds) < 2 or len(columns) < 2:
        return None
    worst, best = (end(record.score for record in records) for end in (min, max))
    if own[0].metric in LOWER_IS_BETTER:
        worst, best = best, worst

    def row(kind: Kind, instead: Sequence[Record] = ()) -> Row:
        cells = []
        for column in columns:
            found = [r for r in instead if _column(r) == column]
            found = found or [r for r in own if _kind(r) == kind and _column(r) == column]
            heat = (fmean(r.score for r in found) - worst) / (best - worst) if found and best != worst else 0.0
            cells.append(Cell(found, heat) if found else None)
        name = wording.read_by_other(instead[0]) if instead else kind[1]
        return Row(list(kind[0]), name, cells)

    rows = [each for kind in kinds for each in (row(kind), *(row(kind, other) for other in _others(records, kind)))]
    return Matrix(own[0].task, own[0].metric, columns, sorted(rows, key=lambda row: len(row.trained_on)))


def _column(record: Record) -> Column:
    return record.language, wording.data_name(record)


def _kind(record: Record) -> Kind:
    return tuple(record.provenance.finetuned_on), record.system


def _others(records: Sequence[Record], kind: Kind) -> list[list[Record]]:
    """The scores of a model with each adapter that read another language."""
    found: dict[tuple[str, str | None], list[Record]] = {}
    for record in records:
        if record.by_other_adapter and _kind(record) == kind:
            found.setdefault((record.language, record.adapter), []).append(record)
    return list(found.values())
