"""Names in files: text or JSONL in, JSONL, CoNLL or coloured text out, line by line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from ..detection.choice import check_adapter
from ..detection.detector import UNSURE
from ..files import opened
from ..settings import NerFormat, PredictNer
from ..texts import LANGUAGE, Row, filled, json_line, language_of, read_texts, whole_signs
from .tagger import Entity, Spoken, Tagger
from .tagging import model_types
from .words import split_words

CHARACTERS = 2_000_000
"""Text that is tagged together: enough to sort by length, and memory does not grow with the file."""
_COLOURS = (42, 44, 45, 43, 46, 41)
_RESET = "\033[0m"


def predict_ner(settings: PredictNer, out: str | Path) -> dict[str, Any]:
    """Find the names in each line of a file, or in each paragraph of wrapped text.

    Args:
        settings: the model and the text.
        out: file to write, or "-" for standard output.

    Returns:
        numbers of texts and of names of each type; where no language is given, of lines or paragraphs in each language
        that was detected, and of those that did not show theirs ("unsure").

    Raises:
        UserError: for text that cannot be read, or a language that has no adapter or cannot be detected.
    """
    tagger = Tagger.load(settings.model, bits=settings.bits, precision=settings.precision)
    write = _WRITERS[settings.format]
    labels = model_types(tagger.model)
    texts, counts, detected = 0, Counter(dict.fromkeys(labels, 0)), Counter[str]()
    with opened(out) as file:
        for rows in filled(
            _rows(settings, tagger.model.languages), lambda row: len(row[settings.text_column]) + 1, CHARACTERS
        ):
            written = [row[settings.text_column] for row in rows]
            spoken = _detect_missing(tagger, rows, settings, detected)
            tagged = tagger(written, spoken, wrapped=settings.wrapped)
            for row, text, found in zip(rows, written, tagged, strict=True):
                file.write(write(row, _Tagged(text, found, settings.wrapped), labels))
                counts.update(entity.label for entity in found)
            texts += len(rows)
    return {"texts": texts, "names": dict(counts)} | ({"detected": dict(detected)} if detected else {})


def _detect_missing(tagger: Tagger, rows: Sequence[Row], settings: PredictNer, counts: Counter[str]) -> list[Spoken]:
    """The language of each object; one that says none is told that of most of its text, and that of each passage."""
    silent = [row for row in rows if row[LANGUAGE] is None]
    found = tagger.detect([row[settings.text_column] for row in silent], wrapped=settings.wrapped) if silent else []
    told = iter(found)
    spoken: list[Spoken] = [next(told) if row[LANGUAGE] is None else row[LANGUAGE] for row in rows]
    for row, passages in zip(silent, found, strict=True):
        sizes = Counter[str]()
        for passage in passages:
            sizes[passage.language] += passage.end - passage.start
            counts[passage.language if passage.sure else UNSURE] += 1
        row[LANGUAGE] = max(sizes, key=lambda name: sizes[name], default=None)
        row["detected"] = [passage._asdict() for passage in passages]
    return spoken


def _rows(settings: PredictNer, adapters: Sequence[str]) -> Iterator[Row]:
    """Objects with the text, and its language where one is given; of plain text one a line, empty lines too."""
    part = _paragraphs if settings.wrapped else iter
    checked = {None, settings.language}
    for place, row in read_texts(settings.text, settings.text_column, part):
        language = language_of(row, place, settings.language)
        if language not in checked:
            check_adapter(str(language), adapters, place)
            checked.add(language)
        yield row | {LANGUAGE: language}


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
    return json_line(row | {"entities": [asdict(entity) for entity in tagged.names]})


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
