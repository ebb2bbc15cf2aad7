"""The one error a user can cause, so that the command line can tell it from a bug."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class UserError(ValueError):
    """Something the user gave cannot be used; the message says what was expected, found, and what to do."""


@contextmanager
def naming(place: str) -> Iterator[None]:
    """Begin the message of a user's error in the block with where it is."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{place}: {error}") from error


def needs_extra(what: str, extra: str) -> UserError:
    """The error where a package of an extra is missing."""
    return UserError(f"{what} need an extra: pip install 'swissxmod[{extra}]'")


class NothingToCompare(UserError):
    """There are no two systems on the same items."""


def first_line(error: BaseException) -> str:
    """The first line of an error that says something, or its class."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def nearest(name: str, known: Iterable[str]) -> str:
    """A "did you mean" clause for an unknown ``name``, or an empty string when nothing is near."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
    return f"; did you mean {close[0]!r}?" if close else ""
