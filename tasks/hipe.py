"""Historical newspapers in the format of HIPE: tab-separated columns, flags in the last one.

One token a line, documents begin with "# hipe2022:document_id = ...". The column MISC has flags: EndOfSentence,
EndOfLine, NoSpaceAfter. A word that the end of a printed line breaks is three tokens, "verlän", "¬" and "gernden": they
keep their tags, and the model reads them as one. Ehrmann et al. 2022, "Extended overview of HIPE-2022", and its
participation guidelines.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..errors import UserError, nearest
from ..files import read_lines
from .sentences import RawSentence

FIRST_COLUMN = "TOKEN"
_DOCUMENT = "document_id"
_FLAGS = "MISC"
_SENTENCE_END = "EndOfSentence"
_LINE_END = "EndOfLine"
_BREAK = "¬"


def read_hipe(path: str | Path, column: str) -> Iterator[RawSentence]:
    """Sentences of a HIPE file.

    Args:
        path: the file, plain or compressed.
        column: whose tags to take, such as "NE-COARSE-LIT", "NE-FINE-LIT" or "NE-NESTED".

    Raises:
        UserError: for a file without the column, or a line with another number of columns.
    """
    lines = enumerate(read_lines(path), 1)
    columns = next(lines)[1].split("\t")
    if column not in columns:
        known = ", ".join(name for name in columns if name.startswith("NE-"))
        raise UserError(f"{path}: no column {column!r} (have: {known}){nearest(column, columns)}")
    which, flags = columns.index(column), columns.index(_FLAGS) if _FLAGS in columns else None
    sentence, before = RawSentence(), {""}
    for number, line in lines:
        if not line.strip():
            before = {_SENTENCE_END}
        elif line.startswith("# ") and "\t" not in line:
            key, _, value = line[2:].partition("=")
            if key.strip().endswith(_DOCUMENT):
                if sentence.words:
                    yield sentence
                sentence = RawSentence(value.strip())
        else:
            cells = _cells(line, len(columns), f"{path}:{number}")
            # The flags are set by rules, now and then inside a name: what goes on there is one sentence.
            if _SENTENCE_END in before and sentence.words and not cells[which].startswith("I-"):
                yield sentence
                sentence = RawSentence(sentence.document)
            sentence.words.append(cells[0])
            sentence.tags.append(cells[which])
            sentence.places.append(f"{path}:{number}")
            sentence.seen.append(cells[0])
            if _LINE_END in before:
                _mend(sentence.seen)
            before = set(cells[flags].split("|")) if flags is not None else {""}
    if sentence.words:
        yield sentence


def _cells(line: str, columns: int, place: str) -> list[str]:
    cells = line.split("\t")
    if len(cells) != columns:
        raise UserError(f"{place}: expected {columns} columns, found {len(cells)}")
    return cells


def _mend(seen: list[str]) -> None:
    """Put the last token to the word that a sign at the end of the line before it broke, if one did."""
    if len(seen) > 2 and seen[-2] == _BREAK:
        first = max(place for place, part in enumerate(seen[:-2]) if part)
        seen[first] += seen[-1]
        seen[-2:] = ["", ""]
