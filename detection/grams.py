"""Character n-grams of many texts at once, as numbers of buckets: what a detector is trained on and reads.

Words are what is between signs, digits and blanks. Each gives its n-grams of one to five letters, in lower case and
with a blank on either side, and itself. None reaches over two words, so that lists of words are as good to learn
from as sentences.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ORDERS = 5
WORD = 12
"""Most letters of a word that is also taken whole."""
LONGEST = 100_000
"""Characters of a text that are read: its language shows long before."""
_BLOCK = 1 << 15
"""Positions that are read together: what is computed of them stays in the processor's cache."""
_PLANE = 1 << 16
"""Code points of the alphabets of today; what comes after them counts as a sign."""
_AHEAD = WORD + 1
"""Positions that what begins at a position reaches over."""
_STEP, _MIX = np.uint32(709_607), np.uint32(0x9E3779B1)


class Grams(NamedTuple):
    """The n-grams that begin at some neighbouring positions of the texts."""

    first: int
    """Number of the text in which the first position is."""
    starts: NDArray[np.int64]
    """Where the part of each text begins, from that text on, shape (texts,)."""
    buckets: NDArray[np.int64]
    """Of the n-gram of each order and the word that begin at each position, shape (orders + 1, positions): from 1
    on, 0 where there is none."""
    letters: NDArray[np.bool_]
    """Whether there is a letter, shape (positions,)."""

    @property
    def texts(self) -> slice:
        """Numbers of the texts."""
        return slice(self.first, self.first + len(self.starts))


def read_grams(texts: Sequence[str], bits: int) -> Iterator[Grams]:
    """The n-grams of texts, hashed to ``2**bits`` buckets, block by block; where a block ends changes none of them.

    Args:
        texts: whatever they contain; of a very long one only the beginning is read.
        bits: at most 32.
    """
    # A blank before each text is its first position; the blank before the next one ends its last word.
    cut = [unicodedata.normalize("NFC", text[:LONGEST]) for text in texts]
    starts = np.cumsum([0, *(len(text) + 1 for text in cut)])
    signs = np.frombuffer(" ".join(["", *cut, ""]).encode("utf-32-le", "surrogatepass"), np.uint32)
    letters = np.concatenate([_alphabet()[np.minimum(signs, _PLANE - 1)], np.zeros(_AHEAD, np.uint32)])
    for begin in range(0, int(starts[-1]), _BLOCK):
        end = min(begin + _BLOCK, int(starts[-1]))
        first = int(np.searchsorted(starts, begin, side="right")) - 1
        inside = starts[first : np.searchsorted(starts, end)] - begin
        buckets = _hashed(letters[begin : end + _AHEAD], bits)
        yield Grams(first, np.maximum(inside, 0), buckets, letters[begin:end] > 0)


def letters_of(grams: Grams) -> NDArray[np.int64]:
    """How many letters of each text are at these positions."""
    return np.add.reduceat(grams.letters, grams.starts, dtype=np.int64)


def _hashed(letters: NDArray[np.uint32], bits: int) -> NDArray[np.int64]:
    """Buckets of what begins at all positions but the last ones, which only end it."""
    count = len(letters) - _AHEAD
    buckets = np.zeros((ORDERS + 1, count), np.int64)
    is_letter = letters > 0
    value, whole = np.zeros(count, np.uint32), np.ones(count, np.bool_)
    for order in range(1, ORDERS + 1):
        value = value * _STEP + letters[order - 1 : order - 1 + count]
        if order > 2:
            whole &= is_letter[order - 2 : order - 2 + count]
        some = whole if order > 2 else is_letter[:count] | is_letter[order - 1 : order - 1 + count]
        np.multiply(_mixed(value + np.uint32(order), bits), some, out=buckets[order - 1])
    blanks = np.flatnonzero(~is_letter)
    lengths = np.diff(blanks) - 1
    taken = (lengths > 0) & (lengths <= WORD) & (blanks[:-1] < count)
    starts, lengths = blanks[:-1][taken], lengths[taken]
    # The hash of a word is a difference of sums, moved to where all words begin.
    powers, inverse = _powers()
    sums = np.cumsum(letters * powers[: len(letters)], dtype=np.uint32)
    buckets[ORDERS, starts] = _mixed((sums[starts + lengths] - sums[starts]) * inverse[starts], bits)
    return buckets


def _mixed(values: NDArray[np.uint32], bits: int) -> NDArray[np.uint32]:
    """Buckets of hashes, from 1 on."""
    return ((values * _MIX) >> np.uint32(32 - bits)) + np.uint32(1)


@cache
def _powers() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Of the step, modulo 2**32, and their inverse."""
    size = _BLOCK + _AHEAD
    back = np.uint32(pow(int(_STEP), -1, 1 << 32))
    first, second = (np.cumprod(np.full(size, step), dtype=np.uint32) for step in (_STEP, back))
    return first, second


@cache
def _alphabet() -> NDArray[np.uint32]:
    """Of each code point its lower-case letter, or 0 for what is none."""
    table = np.zeros(_PLANE, np.uint32)
    for point in range(_PLANE):
        if (sign := chr(point)).isalpha():
            lower = sign.lower()
            table[point] = ord(lower) if len(lower) == 1 else point
    return table
