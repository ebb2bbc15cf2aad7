"""Tag schemes of named entities, read into IOB2.

IOB1: an entity begins with I-, or with B- right behind another one of its type (Ramshaw and Marcus 1995; CoNLL-2003).
IOB2: every entity begins with B-. BIOES: also, an entity's last token has E- and a single one S-; BILOU says L- and U-.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..errors import UserError
from ..settings import TagScheme

OUTSIDE = "O"
_TAG = re.compile(r"O|[BIESLU]-\S+")
_BEGINS, _ENDS = "BSU", "ELSU"
_BIOES = frozenset("ESLU")

Sentences = Sequence[tuple[Sequence[str], Sequence[str]]]
"""Of each sentence the tags, and where each stands ("file:line")."""


def is_tag(text: str) -> bool:
    """Whether ``text`` can be a tag of one of the schemes."""
    return _TAG.fullmatch(text) is not None


def is_iob2(tags: Sequence[str]) -> bool:
    """Whether every entity begins with B- and no tag is one of the other schemes alone."""
    return all(map(is_tag, tags)) and not any(_unlike_iob2([(tags, tags)]))


def inside(tag: str) -> str:
    """The IOB2 tag that goes on what ``tag`` is part of."""
    return tag if tag == OUTSIDE else f"I-{tag[2:]}"


def to_iob2(sentences: Sentences, scheme: TagScheme = "auto") -> list[list[str]]:
    """The tags of all sentences in IOB2.

    Args:
        sentences: tags and their places, for errors.
        scheme: how they are written; "auto" finds the one that fits all of them, IOB2 first; "lenient" takes every
            tag that continues nothing for the begin of an entity.

    Raises:
        UserError: for a tag that is none, or that cannot stand where it does; says where.
    """
    for tags, places in sentences:
        for tag, place in zip(tags, places, strict=True):
            if not is_tag(tag):
                raise UserError(f"{place}: expected a tag such as O, B-TYPE or I-TYPE, found {tag!r}")
    if scheme == "auto":
        scheme = _fitting(sentences)
    if scheme != "lenient":
        _CHECKS[scheme](sentences)
    return [list(_begun(tags)) for tags, _ in sentences]


def _fitting(sentences: Sentences) -> TagScheme:
    tags = [tag for each, _ in sentences for tag in each]
    if any(tag[0] in _BIOES for tag in tags if tag != OUTSIDE):
        return "bioes"
    # What IOB1 never writes decides: a file without it that IOB2 could not write is IOB1.
    return "iob2" if any(_unlike_iob1(sentences)) or not any(_unlike_iob2(sentences)) else "iob1"


def _check_iob2(sentences: Sentences) -> None:
    for place, tag, previous in _unlike_iob2(sentences):
        raise UserError(
            f"{place}: not IOB2: {tag} follows {previous}, an entity must begin with B-{tag[2:]} "
            "(--scheme lenient takes it for one that begins)"
        )


def _check_iob1(sentences: Sentences) -> None:
    for place, tag, previous in _unlike_iob1(sentences):
        raise UserError(f"{place}: not IOB1: {tag} follows {previous}, B- stands only behind an entity of its type")


def _check_bioes(sentences: Sentences) -> None:
    for place, tag, previous in _pairs(sentences, closed=True):
        inside = previous != OUTSIDE and previous[0] not in _ENDS
        continues = tag != OUTSIDE and tag[0] not in _BEGINS
        if inside != continues or (inside and tag[2:] != previous[2:]):
            raise UserError(f"{place}: not BIOES: {tag} follows {previous}")


_CHECKS = {"iob1": _check_iob1, "iob2": _check_iob2, "bioes": _check_bioes}


def _unlike_iob2(sentences: Sentences) -> Iterator[tuple[str, str, str]]:
    for place, tag, previous in _pairs(sentences):
        if tag[0] not in "OBI" or (tag[0] == "I" and (previous == OUTSIDE or previous[2:] != tag[2:])):
            yield place, tag, previous


def _unlike_iob1(sentences: Sentences) -> Iterator[tuple[str, str, str]]:
    for place, tag, previous in _pairs(sentences):
        if tag[0] not in "OBI" or (tag[0] == "B" and (previous == OUTSIDE or previous[2:] != tag[2:])):
            yield place, tag, previous


def _pairs(sentences: Sentences, *, closed: bool = False) -> Iterator[tuple[str, str, str]]:
    """Place, tag, and the tag before it; ``closed`` also has the end of each sentence, as O."""
    for tags, places in sentences:
        ends = [(OUTSIDE, places[-1])] if closed and places else []
        previous = OUTSIDE
        for tag, place in [*zip(tags, places, strict=True), *ends]:
            yield place, tag, previous
            previous = tag


def _begun(tags: Sequence[str]) -> Iterator[str]:
    """IOB2 of tags that are valid in any of the schemes."""
    previous = OUTSIDE
    for tag in tags:
        if tag == OUTSIDE:
            yield tag
        else:
            goes_on = previous != OUTSIDE and previous[0] not in _ENDS and previous[2:] == tag[2:]
            yield f"{'I' if goes_on and tag[0] not in _BEGINS else 'B'}-{tag[2:]}"
        previous = tag
