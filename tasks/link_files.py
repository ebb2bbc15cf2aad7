"""Word links as files: Pharaoh lines for programs, JSONL with the words, a page of pictures for eyes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

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
            sides and the links, "html" a page with a table for each pair, links are filled squares.
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
            yield json_line({"source": list(pair.source), "target": list(pair.target), "links": links})
