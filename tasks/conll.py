"""Sentences with IOB2 tags, in CoNLL files: a token and its tag on a line, an empty line after each sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..files import read_lines

OUTSIDE = "O"
_TAG = re.compile(r"O|[BI]-\S+")
# "# source = x", but not the token "#" and its tag, parted by a blank or a tab.
_COMMENT = re.compile(rf"# (?!({_TAG.pattern})$)[^\t]*$")


@dataclass(frozen=True)
class TaggedSentence:
    """Tokens with a tag each."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    document: str
    """Document the sentence is from ("# source = ..." above it); its own number where the file does not say."""


Entity = tuple[str, int, int]


def read_conll(path: str | Path) -> list[TaggedSentence]:
    """Read a CoNLL file with two columns or more: the first is the token, the last its IOB2 tag.

    Lines above a sentence that begin with "# " are comments.

    Raises:
        UserError: for a file without a sentence, a line with one column, or a tag that is not IOB2 where it stands.
    """
    sentences = list(_sentences(path))
    if not sentences:
        raise UserError(f"{path}: no sentence in the file")
    return sentences


def _sentences(path: str | Path) -> Iterator[TaggedSentence]:
    words: list[str] = []
    tags: list[str] = []
    source = ""
    number = 0
    for line_number, line in enumerate(read_lines(path), 1):
        if not line.strip() or line.startswith("-DOCSTART-"):
            if words:
                number += 1
                yield TaggedSentence(tuple(words), tuple(tags), source or str(number))
            words, tags = [], []
        elif not words and _COMMENT.match(line):
            key, _, value = line[2:].partition("=")
            if key.strip() == "source":
                source = _document(value)
        else:
            word, tag = _columns(line, f"{path}:{line_number}")
            _check_tag(tag, tags[-1] if tags else OUTSIDE, f"{path}:{line_number}")
            words.append(word)
            tags.append(tag)
    if words:
        yield TaggedSentence(tuple(words), tuple(tags), source or str(number + 1))


def _document(source: str) -> str:
    """The document's name: what stands before the sentence number in "a01 s3"."""
    return source.strip().split(" ")[0]


def _columns(line: str, place: str) -> tuple[str, str]:
    columns = line.split("\t") if "\t" in line else line.split(" ")
    if len(columns) < 2 or not columns[0].strip():
        raise UserError(f"{place}: expected a token and a tag parted by a tab, found {line[:60]!r}")
    return columns[0].strip(), columns[-1].strip()


def _check_tag(tag: str, previous: str, place: str) -> None:
    if not _TAG.fullmatch(tag):
        raise UserError(f"{place}: expected an IOB2 tag (O, B-TYPE or I-TYPE), found {tag!r}")
    if tag.startswith("I-") and previous not in (f"B-{tag[2:]}", tag):
        raise UserError(f"{place}: not IOB2: {tag} follows {previous}, an entity must begin with B-{tag[2:]}")


def entity_types(sentences: Sequence[TaggedSentence]) -> list[str]:
    """Types that occur, sorted."""
    return sorted({tag[2:] for sentence in sentences for tag in sentence.tags if tag != OUTSIDE})


def entities(tags: Sequence[str]) -> set[Entity]:
    """(type, start, stop) of each entity of a valid IOB2 sequence."""
    found = set()
    start = None
    for place, tag in enumerate([*tags, OUTSIDE]):
        if start is not None and not tag.startswith("I-"):
            found.add((tags[start][2:], start, place))
            start = None
        if tag.startswith("B-"):
            start = place
    return found


def repair(tags: Sequence[str]) -> list[str]:
    """Valid IOB2 from any sequence of tags: an I- that continues nothing of its type begins an entity."""
    repaired: list[str] = []
    for tag in tags:
        previous = repaired[-1] if repaired else OUTSIDE
        orphan = tag.startswith("I-") and previous not in (f"B-{tag[2:]}", tag)
        repaired.append(f"B-{tag[2:]}" if orphan else tag)
    return repaired
