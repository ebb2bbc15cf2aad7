"""Data of named entities, in the forms that they come in, read into one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..errors import UserError
from ..files import read_lines
from ..settings import TagReading
from ..texts import HUB, is_jsonl, name_in, read_rows
from .conll import entities, read_conll
from .hipe import FIRST_COLUMN, read_hipe
from .schemes import OUTSIDE, to_iob2
from .sentences import RawSentence, TaggedSentence

TOKENS, TAGS = ("tokens", "words"), ("ner_tags", "tags")
"""Names that the two lists have in objects and data sets."""


def read_tagged(path: str, how: TagReading | None = None) -> list[TaggedSentence]:
    """Sentences with entities, in IOB2.

    ``.jsonl`` files hold an object per line with "tokens" and "ner_tags" (or "words" and "tags"), "hub:..." is a data
    set with these columns, a file that begins with "TOKEN" and a tab is HIPE's, any other is CoNLL's. Text files may be
    compressed (``.gz``, ``.zst``).

    Raises:
        UserError: for a file without a sentence or that cannot be read, a tag that does not fit the scheme, or a type
            that the table of types does not know.
    """
    how = how or TagReading()
    raw = list(_sentences(path, how))
    if not raw:
        raise UserError(f"{path}: no sentence in the file")
    tags = to_iob2([(sentence.tags, sentence.places) for sentence in raw], how.scheme)
    mapped = [_mapped(each, how.types, sentence) for each, sentence in zip(tags, raw, strict=True)]
    sentences = [
        TaggedSentence(tuple(sentence.words), tuple(each), sentence.document or str(number), tuple(sentence.seen))
        for number, (sentence, each) in enumerate(zip(raw, mapped, strict=True), 1)
    ]
    return _together(sentences, how.context) if how.context else sentences


def _together(sentences: Iterable[TaggedSentence], words: int) -> list[TaggedSentence]:
    """Neighbours in a document as one, as long as they have no more than so many words."""
    joined: list[TaggedSentence] = []
    for sentence in sentences:
        last = joined[-1] if joined else None
        if last and last.document == sentence.document and len(last.words) + len(sentence.words) <= words:
            joined[-1] = TaggedSentence(
                last.words + sentence.words, last.tags + sentence.tags, last.document, last.read + sentence.read
            )
        else:
            joined.append(sentence)
    return joined


def _sentences(path: str, how: TagReading) -> Iterator[RawSentence]:
    if path.startswith(HUB) or is_jsonl(path):
        return _of_rows(read_rows(path), how.tag_names)
    first = next(read_lines(path))
    return read_hipe(path, how.column) if first.startswith(f"{FIRST_COLUMN}\t") else read_conll(path)


def _of_rows(rows: Iterable[tuple[str, dict[str, Any]]], tag_names: Sequence[str]) -> Iterator[RawSentence]:
    for place, row in rows:
        words, tags = _strings(row, TOKENS, place), _strings(row, TAGS, place, tag_names)
        if len(words) != len(tags):
            raise UserError(f"{place}: expected a tag for each of {len(words)} tokens, found {len(tags)}")
        if words:
            yield RawSentence(name_in(row, "document"), words, tags, [place] * len(words))


def _strings(row: Mapping[str, Any], names: Sequence[str], place: str, named: Sequence[str] = ()) -> list[str]:
    name = next((name for name in names if name in row), None)
    if name is None:
        raise UserError(f"{place}: expected a list named {' or '.join(names)}, found {', '.join(row) or 'nothing'}")
    values = row[name]
    if name in TAGS and isinstance(values, list) and values and all(isinstance(value, int) for value in values):
        values = [_name(value, named, place) for value in values]
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise UserError(f"{place}: expected a list of strings in {name!r}, found {str(values)[:60]}")
    return values


def _name(number: int, names: Sequence[str], place: str) -> str:
    if not 0 <= number < len(names):
        have = f"--tag_names has {len(names)} names" if names else "say what they stand for with --tag_names"
        raise UserError(f"{place}: a number for a tag, {number}; {have}")
    return names[number]


def _mapped(tags: Sequence[str], types: Mapping[str, str], sentence: RawSentence) -> list[str]:
    if not types:
        return list(tags)
    mapped = [OUTSIDE] * len(tags)
    for kind, start, stop in entities(tags):
        if kind not in types:
            raise UserError(f"{sentence.places[start]}: type {kind} is not in the table of types ({', '.join(types)})")
        if types[kind] != OUTSIDE:
            mapped[start:stop] = [f"B-{types[kind]}", *[f"I-{types[kind]}"] * (stop - start - 1)]
    return mapped
