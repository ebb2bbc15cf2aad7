"""Word links as files: Pharaoh lines for programs, JSONL with the words, a page of pictures for eyes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, model_validator

from ..checked import checked
from ..files import read_lines
from ..pages import templates
from ..settings import LinkFormat
from ..texts import json_line
from .links import Links

TEMPLATE = "links.html.jinja"


class Linked(NamedTuple):
    """A sentence pair and the links between its words."""

    source: Sequence[str]
    target: Sequence[str]
    links: Links


def as_text(pairs: Iterable[Linked], form: LinkFormat, languages: tuple[str, str]) -> Iterator[str]:
    """The text of a file, piece by piece, so that a long one is never in memory as a whole.

    Args:
        pairs: in the order of the file.
        form: "pharaoh" is a line of links such as "0-0 1-2" for each pair, "jsonl" an object with the words of both
            sides, the links and the languages, "html" a page with a table for each pair, links are filled squares.
        languages: of both sides.
    """
    if form == "html":
        tags = [language.replace("_", "-") for language in languages]
        title = f"Word links, {tags[0]} and {tags[1]}"
        yield from templates(__package__).get_template(TEMPLATE).generate(title=title, languages=tags, pairs=pairs)
        return
    for pair in pairs:
        links = sorted(pair.links)
        if form == "pharaoh":
            yield " ".join(f"{i}-{j}" for i, j in links) + "\n"
        else:
            words = {"source": list(pair.source), "target": list(pair.target)}
            yield json_line(words | {"links": links, "languages": list(languages)})


class LinkedLine(BaseModel):
    """A line of a file of the form "jsonl"."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: list[str]
    target: list[str]
    links: set[tuple[int, int]]
    languages: tuple[str, str]

    @model_validator(mode="after")
    def _links_words(self) -> LinkedLine:
        for i, j in sorted(self.links):
            if not (0 <= i < len(self.source) and 0 <= j < len(self.target)):
                raise ValueError(f"link {i}-{j} of {len(self.source)} and {len(self.target)} words, counted from 0")
        return self


def read_linked(path: str) -> Iterator[LinkedLine]:
    """Sentence pairs with their links, of a file of the form "jsonl".

    Raises:
        UserError: for a file that cannot be read, or a line that is not such a pair.
    """
    what = "a pair with its links, as align words --format jsonl writes them"
    for number, line in enumerate(read_lines(path), 1):
        yield checked(LinkedLine, line, f"{path}:{number}", what, "pair")
