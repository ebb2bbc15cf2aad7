"""Words of plain text, with their places, whatever the text contains."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

Span = tuple[int, int]
"""Characters before a word, and up to its end."""
# A number with its separators; an elided article with its apostrophe ("l'Engiadina"); a word, with hyphens; a sign.
# Marks that are combined with a letter belong to it. Signs without a shape (controls, directions) are no words; those
# that only say where a word may be broken (the soft hyphen, the blank without width) part none.
INVISIBLE = r"\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
_SILENT = r"\xad\u200b-\u200d\u2060\ufeff"
_MARKS = rf"[\u0300-\u036f]*(?:[{_SILENT}]+(?=\w))?"
_LETTER = rf"[^\W\d_]{_MARKS}"
_WORD = re.compile(
    rf"\d+(?:[.,:'’]\d+)*|(?:{_LETTER})+['’](?=[^\W_])|(?:\w{_MARKS})+(?:-(?:\w{_MARKS})+)*|[^\s{INVISIBLE}]"
)
_SILENT_SIGNS = re.compile(f"[{_SILENT}]")
_EMPTY_LINES = re.compile(r"\n\s*\n")
_BREAKS = ("¬", "\u00ad")
"""Signs that only break words; the second is the soft hyphen."""
_HYPHENS = ("-", "\u2010")
_CONJUNCTIONS = ("und", "oder")
"""What follows a hyphen that stands for the rest of a German word ("Zoll- und Steuerrecht")."""
_LINE = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")


def words_of(text: str) -> list[str]:
    """The words of all lines."""
    return [text[start:end] for line in split_words(text) for start, end in line]


def split_words(text: str, *, wrapped: bool = False) -> Iterator[list[Span]]:
    """Where the words of each line begin and end in ``text``; lines without a word are left out.

    Args:
        text: whatever it contains.
        wrapped: take paragraphs, which empty lines part, instead of lines.
    """
    for start, end in _paragraphs(text) if wrapped else (line.span() for line in _LINE.finditer(text)):
        if words := [match.span() for match in _WORD.finditer(text, start, end)]:
            yield words


def _paragraphs(text: str) -> Iterator[Span]:
    start = 0
    for empty in _EMPTY_LINES.finditer(text):
        yield start, empty.start()
        start = empty.end()
    yield start, len(text)


def read_words(text: str, words: Sequence[Span]) -> list[str]:
    """What a model reads for each word: a word that is broken at the end of a line stands whole at its first part.

    The others are empty. A hyphen stays where a capital follows ("Rhein-" and "Wied"). Signs inside a word that only
    say where it may be broken are left out.
    """
    read = [_SILENT_SIGNS.sub("", text[start:end]) or text[start:end] for start, end in words]
    if not words or "\n" not in text[words[0][0] : words[-1][1]]:
        return read
    whole = 0
    for place in range(2, len(words)):
        (_, end), (sign, stop), (start, _) = words[place - 2 : place + 1]
        whole = whole if not read[place - 2] else place - 2
        if end == sign and "\n" in text[stop:start] and _is_broken(read[whole], read[place - 1], read[place]):
            read[whole] += ("-" if read[place][0].isupper() and read[place - 1] in _HYPHENS else "") + read[place]
            read[place - 1 : place + 1] = ["", ""]
    return read


def _is_broken(before: str, sign: str, after: str) -> bool:
    parts = sign in _BREAKS or (sign in _HYPHENS and after not in _CONJUNCTIONS)
    return parts and before[-1:].isalpha() and after[0].isalpha()
