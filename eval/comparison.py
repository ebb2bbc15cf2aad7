"""What a comparison of two systems found: the record, its file, and the table of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ..checked import checked
from ..files import read_lines
from . import wording
from .records import LOWER_IS_BETTER
from .tables import markdown_table

LEVEL = 0.05
EXPLAINED = (
    "Each line is two systems on the same items. The interval of the difference is that of a paired bootstrap over "
    "documents (sentences, where documents are not known), p of approximate randomisation, adjusted by Holm's method "
    "for all comparisons of a task. Where there are several seeds, scores are means, ± is the standard deviation over "
    "seeds, and the interval says nothing of the chance of training."
)
HEADING = (
    *("data", "language", "trained on", "system", "other", "score", "other's", "difference", "95% interval"),
    *("p", "better"),
)
NUMBERS = {5, 6, 7, 8, 9}
"""Columns of numbers."""


class Comparison(BaseModel):
    """Two systems on the same items."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    dataset: str
    split: str
    language: str
    metric: str
    trained_on: list[str]
    """Languages of the task's training data, the same for both systems."""
    system: str
    other: str
    adapter: str | None
    """The adapter that read the text for the first system."""
    other_adapter: str | None
    score: float
    """Mean over ``seeds``, as the records have it: in percent, AER from 0 to 1."""
    other_score: float
    spread: float | None
    """Standard deviation over ``seeds`` (that of a sample); None of one."""
    other_spread: float | None
    seeds: list[int]
    """Seeds of training that both have; none where neither was trained."""
    difference: float
    """``score`` minus ``other_score``, over these seeds; of AER less is better."""
    low: float
    high: float
    """Ends of the 95% interval of the difference, over the choice of test items."""
    p: float
    """Of approximate randomisation, two-sided."""
    p_holm: float
    """Adjusted for all comparisons of the task that were made together (Holm 1979)."""
    clusters: int
    """Units that were drawn: documents where they are known, else sentences."""

    @property
    def better(self) -> str | None:
        """Name of the better system, where the adjusted p-value is below 0.05."""
        if self.p_holm >= LEVEL or not self.difference:
            return None
        first = (self.difference > 0) != (self.metric in LOWER_IS_BETTER)
        return self.first if first else self.second

    @property
    def first(self) -> str:
        """The system, and whose adapter read the text where it was another language's."""
        return wording.named(self.system, self.adapter, self.language)

    @property
    def second(self) -> str:
        """The same of the other one."""
        return wording.named(self.other, self.other_adapter, self.language)


def read_comparisons(path: str | Path) -> list[Comparison]:
    """Read and check ``comparison.jsonl``.

    Raises:
        UserError: for a line that is not a comparison.
    """
    return [
        checked(Comparison, line, f"{path}:{number}", "a comparison", "comparison")
        for number, line in enumerate(read_lines(path), 1)
    ]


def by_task(found: Sequence[Comparison]) -> dict[str, list[Comparison]]:
    """The comparisons of each task."""
    return {task: [each for each in found if each.task == task] for task in dict.fromkeys(each.task for each in found)}


def comparison_page(found: Sequence[Comparison]) -> str:
    """The comparisons as Markdown: what the numbers are, and a table of each task."""
    return "\n\n".join(["# Systems compared", EXPLAINED, *comparison_tables(by_task(found), "##")]) + "\n"


def comparison_tables(found: Mapping[str, Sequence[Comparison]], level: str) -> Iterator[str]:
    """For each task a heading of Markdown, ``level`` before it, and a table."""
    for task, of_task in found.items():
        yield f"{level} {wording.TASKS[task]}"
        yield "\n".join(markdown_table(HEADING, list(map(cells, of_task)), right=NUMBERS))


def cells(each: Comparison) -> list[str]:
    """What stands under the :data:`HEADING`."""

    def score(value: float, spread: float | None) -> str:
        number = wording.number(value, each.metric)
        return number if spread is None else f"{number} ± {wording.number(spread, each.metric)}"

    low, high, difference = (_signed(value, each.metric) for value in (each.low, each.high, each.difference))
    return [
        f"{each.dataset} ({each.split})",
        wording.language_name(each.language),
        wording.listing(map(wording.language_name, each.trained_on)) if each.trained_on else "–",
        each.first,
        each.second,
        f"{wording.METRICS[each.metric]} {score(each.score, each.spread)}",
        score(each.other_score, each.other_spread),
        difference,
        f"{low} to {high}",
        "< 0.001" if each.p_holm < 0.001 else f"{each.p_holm:.3f}",
        each.better or "–",
    ]


def _signed(value: float, metric: str) -> str:
    return ("+" if value > 0 else "") + wording.number(value, metric)
