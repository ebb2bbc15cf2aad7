"""Settings of the pages that are read in a browser."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ..errors import UserError
from ..texts import Paths
from .shared import MINI_NER, check_given, check_minima

LAST_PORT = 65_535
ReportFormat = Literal["html", "markdown", "csv"]


@dataclass(frozen=True)
class App:
    """Show names in a text and word links of two on a page of this computer, until Ctrl-C.

    Example: swissxmod app --model ner --aligner aligner
    """

    model: str = MINI_NER
    """Folder of a fine-tuned tagger, or a hub name; by default swissxmod-mini, which comes with the package."""
    aligner: str | None = None
    """Folder or hub name of the encoder that links words; by default swissxmod-mini's, with another tagger its own."""
    port: int = 0
    """Port of 127.0.0.1, which no other computer reaches; 0 is any that is free."""
    limit: int = 20_000
    """Most characters to read at once, of two texts together."""
    open_browser: bool = False
    """Whether to open the page in the browser."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        check_minima(self, port=0, limit=1)
        if self.port > LAST_PORT:
            raise UserError(f"port: expected at most {LAST_PORT}, found {self.port}")


@dataclass(frozen=True)
class Report:
    """Write the report of results, as a page, Markdown or CSV.

    Example: swissxmod report --results out/results.jsonl --out report.html
    """

    results: Paths
    """Files of result records (JSON Lines)."""
    title: str = "swissxmod report"
    """Heading of the page."""
    notes: list[str] = field(default_factory=list)
    """Sentences to print under the heading, such as the limits of the data."""
    curves: dict[str, str] = field(default_factory=dict)
    """Learning curves to draw: a name and a model folder or training.json each."""
    examples: list[str] = field(default_factory=list)
    """Files of sentences that a tagger got wrong (examples.jsonl of eval ner), to show some of them."""
    links: dict[str, str] = field(default_factory=dict)
    """Word links to draw: a name and a file of align words --format jsonl each."""
    comparisons: list[str] = field(default_factory=list)
    """Files of systems that were compared (comparison.jsonl of eval compare), to show all of them."""
    command: str = ""
    """The command that makes these results again."""
    format: ReportFormat = "html"
    """"html" is a page that needs nothing else, "markdown" its scores and words, "csv" a line for each record."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        check_given(self, "results")
