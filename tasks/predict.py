"""Names in files: text or JSONL in, JSONL, CoNLL or coloured text out, line by line."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, NamedTuple

from ..errors import UserError
from ..files import STANDARD, new_file, read_lines
from ..settings import NerFormat, PredictNer
from ..texts import LANGUAGE, filled, is_jsonl, language_of, read_objects
from .ner import model_types
from .tagger import Entity, Tagger, split_words, whole_signs

CHARACTERS = 2_000_000
"""Text that is tagged together: enough to sort by length, and memory does not grow with the file."""
_COLOURS = (42, 44, 45, 43, 46, 41)
_RESET = "\033[0m"

Row = dict[str, Any]


def predict_ner(settings: PredictNer, out: str | Path) -> dict[str, Any]:
    """Find the names in each line of a file, or in each paragraph of wrapped text.

    Args:
        settings: the model and the text.
        out: file to write, or "-" for standard output.

    Returns:
        numbers of texts and of names of each type.

    Raises:
        UserError: for text that cannot be read, or a text whose language is unknown or has no adapter.
    """
    tagger = Tagger.load(settings.model)
    write = _WRITERS[settings.format]
    labels = model_types(tagger.model)
    texts, counts = 0, Counter(dict.fromkeys(labels, 0))
    with _opened(out) as file:
        for rows in filled(_rows(settings), lambda row: len(row[settings.text_column]) + 1, CHARACTERS):
            written = [row[settings.text_column] for row in rows]
            tagged = tagger(written, [row[LANGUAGE] for row in rows], wrapped=settings.wrapped)
            for row, text, found in zip(rows, written, tagged, strict=True):
                file.write(write(row, _Tagged(text, found, settings.wrapped), labels))
                counts.update(entity.label for entity in found)
            texts += len(rows)
    return {"texts": texts, "names": dict(counts)}


@contextmanager
def _opened(out: str | Path) -> Iterator[IO[str]]:
    if str(out) == STANDARD:
        yield sys.stdout
        return
    with new_file(out) as temporary, temporary.open("w", encoding="utf-8") as file:
        yield file


def _rows(settings: PredictNer) -> Iterator[Row]:
    """Objects with the text and its language; of plain text one a line, empty lines too."""
    if is_jsonl(settings.text):
        for place, row in read_objects(settings.text):
            if not isinstance(row.get(settings.text_column), str):
                raise UserError(f'{place}: expected an object with a string "{settings.text_column}"')
            yield row | {LANGUAGE: language_of(row, place, settings.language)}
        return
    if settings.language is None:
        raise UserError("language: expected one for plain text, such as --language rm")
    lines = _standard_input() if settings.text == STANDARD else read_lines(settings.text)
    for text in _paragraphs(lines) if settings.wrapped else lines:
        yield {settings.text_column: text, LANGUAGE: settings.language}


def _standard_input() -> Iterator[str]:
    """Lines, in UTF-8 whatever the locale is."""
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            yield line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise UserError(f"standard input, line {number}: not UTF-8 text ({error.reason})") from error


def _paragraphs(lines: Iterable[str]) -> Iterator[str]:
    """Lines up to an empty one, joined; more than is tagged together is parted, so that memory does not grow."""
    paragraph: list[str] = []
    size = 0
    for line in lines:
        if line.strip():
            paragraph.append(line)
            size += len(line) + 1
        if paragraph and (not line.strip() or size >= CHARACTERS):
            yield "\n".join(paragraph)
            paragraph, size = [], 0
    if paragraph:
        yield "\n".join(paragraph)


class _Tagged(NamedTuple):
    """A text and its names."""

    text: str
    names: Sequence[Entity]
    wrapped: bool


def _as_object(row: Row, tagged: _Tagged, labels: Sequence[str]) -> str:
    told = row | {"entities": [asdict(entity) for entity in tagged.names]}
    line = json.dumps(told, ensure_ascii=False)
    # Half a sign can only be written the way JSON hides it.
    return (line if whole_signs(line) == line else json.dumps(told)) + "\n"


def _as_conll(row: Row, tagged: _Tagged, labels: Sequence[str]) -> str:
    text, begins = whole_signs(tagged.text), {entity.start: entity for entity in tagged.names}
    lines = []
    for words in split_words(text, wrapped=tagged.wrapped):
        inside: Entity | None = None
        for start, end in words:
            inside = inside if inside and start < inside.end else None
            tag = f"I-{inside.label}" if inside else "O"
            if start in begins:
                inside = begins[start]
                tag = f"B-{inside.label}"
            lines.append(f"{text[start:end]}\t{tag}\n")
        lines.append("\n")
    return "".join(lines)


def _as_coloured(row: Row, tagged: _Tagged, labels: Sequence[str]) -> str:
    text, parts, place = whole_signs(tagged.text), [], 0
    for entity in tagged.names:
        colour = _COLOURS[labels.index(entity.label) % len(_COLOURS)]
        parts += [
            text[place : entity.start],
            f"\033[97;{colour}m{text[entity.start : entity.end]} {entity.label}{_RESET}",
        ]
        place = entity.end
    return "".join(parts) + text[place:] + "\n"


_WRITERS: Mapping[NerFormat, Callable[[Row, _Tagged, Sequence[str]], str]] = {
    "jsonl": _as_object,
    "conll": _as_conll,
    "terminal": _as_coloured,
}
