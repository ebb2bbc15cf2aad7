"""CoNLL files: a token and its tag on a line, an empty line after each sentence; and what tags in IOB2 say."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from ..errors import UserError
from ..files import read_lines
from .schemes import OUTSIDE, is_tag
from .sentences import RawSentence, TaggedSentence

_COMMENT = re.compile(r"# ([^\t]*)$")

Entity = tuple[str, int, int]


def read_conll(path: str | Path) -> Iterator[RawSentence]:
    """Sentences of a CoNLL file with two columns or more: the first is the token, the last its tag.

    Lines above a sentence that begin with "# " are comments; "# source = DOCUMENT ..." names the document. So does
    "-DOCSTART-", which has no name: its number stands for it.

    Raises:
        UserError: for a line with one column.
    """
    sentence, documents = RawSentence(), 0
    for number, line in enumerate(read_lines(path), 1):
        place = f"{path}:{number}"
        if not line.strip() or line.startswith("-DOCSTART-"):
            if sentence.words:
                yield sentence
                sentence = RawSentence(sentence.document)
            if line.strip():
                documents += 1
                sentence.document = f"docstart-{documents}"
        elif not sentence.words and _is_comment(line):
            key, _, value = line[2:].partition("=")
            if key.strip() == "source":
                sentence.document = _document(value)
        else:
            word, tag = _columns(line, place)
            sentence.words.append(word)
            sentence.tags.append(tag)
            sentence.places.append(place)
    if sentence.words:
        yield sentence


def _is_comment(line: str) -> bool:
    """Whether this is "# source = x", and not the token "#" and its tag, parted by a blank or a tab."""
    match = _COMMENT.match(line)
    return match is not None and not is_tag(match[1])


def _document(source: str) -> str:
    """The document's name: what stands before the sentence number in "a01 s3"."""
    return source.strip().split(" ")[0]


def _columns(line: str, place: str) -> tuple[str, str]:
    columns = line.split("\t") if "\t" in line else line.split(" ")
    if len(columns) < 2 or not columns[0].strip():
        raise UserError(f"{place}: expected a token and a tag parted by a tab, found {line[:60]!r}")
    return columns[0].strip(), columns[-1].strip()


def entity_types(sentences: Sequence[TaggedSentence]) -> list[str]:
    """Types that occur, sorted."""
    return sorted({tag[2:] for sentence in sentences for tag in sentence.tags if tag != OUTSIDE})


def drop_lower_case(words: Sequence[str], tags: Sequence[str], types: Collection[str]) -> list[str]:
    """Tags in IOB2 without the entities of the types given in which no letter is upper case."""
    kept = list(tags)
    for kind, start, stop in entities(tags):
        if kind in types and not any(map(str.isupper, "".join(words[start:stop]))):
            kept[start:stop] = [OUTSIDE] * (stop - start)
    return kept


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
