"""Sentence alignment from the states of an encoder: a sentence finds its translation among all of the other side.

Sentences are compared by the cosine of their vectors, the mean of the states of their pieces in one layer, ``<s>`` and
``</s>`` included (the mean pooling of Reimers and Gurevych 2019, "Sentence-BERT"). Scored by the accuracy of retrieval
in both directions, as on Tatoeba (Artetxe and Schwenk 2019, "LASER").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ..errors import UserError
from ..xmod.encoding import encode
from ..xmod.inference import count_dropped, count_windowed, cut_words
from ..xmod.modeling import XmodModel
from .links import similarity
from .word_alignment import read_line_pairs

CELLS = 2**24
"""Similarities to hold at once, 64 mebibytes of them."""


@dataclass(frozen=True)
class SentenceVectors:
    """A vector of each sentence, shape (sentences, hidden)."""

    vectors: Tensor
    windowed: int
    """Sentences longer than the model's positions, read in overlapping windows."""
    dropped: int
    """Words without a piece, which are not in the mean."""


def read_sentences(source: str | Path, target: str | Path) -> list[tuple[str, str]]:
    """Sentences and their translations, line by line.

    Raises:
        UserError: if a file cannot be read, the numbers of lines differ, or a line is empty.
    """
    pairs = read_line_pairs(source, target)
    for number, pair in enumerate(pairs, 1):
        for path, line in zip((source, target), pair, strict=True):
            if not line.strip():
                raise UserError(f"{path}:{number}: expected a sentence, found an empty line; remove it on both sides")
    return pairs


def sentence_vectors(
    model: XmodModel, tokenizer: PreTrainedTokenizerFast, sentences: Sequence[str], language: str, *, layer: int = -1
) -> SentenceVectors:
    """The mean of the states of each sentence's pieces, ``<s>`` and ``</s>`` included, in one layer (the last)."""
    words = [sentence.split() for sentence in sentences]
    cut = cut_words(tokenizer, words)
    return SentenceVectors(
        encode(model, tokenizer, sentences, language, layer=layer, special=True),
        windowed=count_windowed(model, [pieces.ids for pieces in cut]),
        dropped=count_dropped(cut, words),
    )


def nearest(queries: Tensor, candidates: Tensor) -> np.ndarray:
    """Number of the candidate with the largest cosine, the first of equals: (n, hidden) and (m, hidden) to (n,).

    The similarities are computed a few rows at a time, so that memory does not grow with n times m.
    """
    rows = max(1, CELLS // len(candidates))
    return np.concatenate([similarity(part, candidates).argmax(axis=1) for part in queries.split(rows)])


def retrieve(source: Tensor, target: Tensor, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
    """Whether each source sentence finds its translation, and each target sentence its source.

    Where a sentence stands in several lines, letter by letter the same, any of them is right.

    Args:
        source: vectors of the source sentences, shape (pairs, hidden).
        target: vectors of the target sentences, shape (pairs, hidden).
        pairs: the sentences.

    Returns:
        true where it is found, shape (pairs, 2).
    """
    texts = np.array(pairs, dtype=object)
    there, back = nearest(source, target), nearest(target, source)
    return np.stack([texts[there, 1] == texts[:, 1], texts[back, 0] == texts[:, 0]], axis=1)


def accuracy(counts: np.ndarray) -> np.ndarray:
    """Share of translations found, of summed counts (..., 2): found and to find."""
    found, total = np.moveaxis(np.asarray(counts, dtype=float), -1, 0)
    return found / total
