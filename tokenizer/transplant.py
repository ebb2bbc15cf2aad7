"""New embeddings for a new vocabulary, from those of the old one.

A piece that both vocabularies have keeps its row, bit for bit; special tokens keep theirs by role. For the others there
are rules:

``mean``
    the mean of the rows of the old pieces that spell it (Gee et al. 2022, "Fast Vocabulary Transfer for Language Model
    Compression").
``focus``
    a mean of the rows of shared pieces that are used alike in the text of the new languages, weighted by the sparsemax
    of their similarity (Dobler and de Melo 2023, "FOCUS"); see :mod:`~swissxmod.tokenizer.likeness`. A piece that
    the text does not show falls back to ``mean``.
``random``
    a draw from the normal distribution that the old rows have, covariance included: what the other rules have to beat.

A mean of unlike rows is short, and a short word vector is drowned by the position's; so means are stretched to the mean
length of their parts, which the papers do not do. A piece that nothing spells gets the mean of all rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ..settings import Rule
from .pieces import Pieces

ROLES = ("bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id", "mask_token_id")
NEIGHBOURS = 100
"""Most shared pieces that make a row; sparsemax keeps fewer."""
BATCH = 1024


@dataclass(frozen=True)
class Source:
    """What makes a new row: old rows and their weights, which sum to 1."""

    rows: tuple[int, ...]
    weights: tuple[float, ...]

    @classmethod
    def mean(cls, rows: list[int]) -> Source:
        """All alike."""
        return cls(tuple(rows), (1 / len(rows),) * len(rows) if rows else ())


@dataclass(frozen=True)
class Transplant:
    """Which old rows make each new row."""

    sources: tuple[Source | None, ...]
    """For each new id; None draws at random."""
    counts: dict[str, int]
    """How many rows come how: copied, spelled, alike, random, unspelled (the mean of all)."""

    def apply(self, old: Tensor, seed: int) -> Tensor:
        """New rows from old ones: (old vocabulary, ...) to (new vocabulary, ...)."""
        new = old.mean(dim=0).expand(len(self.sources), *old.shape[1:]).clone()
        for number, source in enumerate(self.sources):
            if source is not None and len(source.rows) == 1:
                new[number] = old[source.rows[0]]
            elif source is not None and source.rows:
                new[number] = _blend(old[list(source.rows)], torch.tensor(source.weights, dtype=old.dtype))
        drawn = [number for number, source in enumerate(self.sources) if source is None]
        if drawn:
            new[drawn] = _draw(old, len(drawn), seed)
        return new


def _blend(rows: Tensor, weights: Tensor) -> Tensor:
    """A mean of rows, (n, hidden) to (hidden,), stretched to their mean length; of numbers, (n,), the plain mean."""
    mean = torch.tensordot(weights, rows, dims=1)
    if mean.dim() == 0:
        return mean
    return mean * (weights @ rows.norm(dim=-1)) / mean.norm().clamp(min=1e-12)


def _draw(old: Tensor, count: int, seed: int) -> Tensor:
    """Draws from the normal distribution of the rows, (vocabulary, hidden) or (vocabulary,)."""
    table = old.reshape(len(old), -1).double()
    mean, covariance = table.mean(dim=0), torch.cov(table.T).reshape(table.shape[1], -1)
    values, vectors = torch.linalg.eigh(covariance)
    noise = torch.randn(count, table.shape[1], generator=torch.Generator().manual_seed(seed), dtype=torch.double)
    drawn = mean + (noise * values.clamp(min=0).sqrt()) @ vectors.T
    return drawn.to(old.dtype).reshape(count, *old.shape[1:])


def plan_transplant(
    old: PreTrainedTokenizerFast,
    new: PreTrainedTokenizerFast,
    rule: Rule = "mean",
    vectors: NDArray[np.float32] | None = None,
) -> Transplant:
    """Decide for each piece of ``new`` which pieces of ``old`` it starts from.

    Args:
        old: the model's tokenizer.
        new: the one it shall have.
        rule: for pieces that are not shared.
        vectors: for ``focus``, how each new piece is used, shape (new vocabulary, any); zeros where nothing is known.
    """
    by_role = {getattr(new, role): getattr(old, role) for role in ROLES if getattr(old, role) is not None}
    old_pieces, new_pieces = Pieces(old), Pieces(new)
    shared = {
        number: old_pieces.numbers[piece] for piece, number in new_pieces.numbers.items() if piece in old_pieces.numbers
    } | by_role
    sources: list[Source | None] = [Source((), ())] * len(new)
    counts = dict.fromkeys(("copied", "spelled", "alike", "random", "unspelled"), 0)
    alike = _neighbours(shared, by_role, vectors) if rule == "focus" and vectors is not None else {}
    written = {number: piece for piece, number in new_pieces.numbers.items()}
    for number in range(len(new)):
        kind, sources[number] = _source(number, shared, alike, rule, old_pieces, written.get(number, ""))
        counts[kind] += 1
    return Transplant(tuple(sources), counts)


def _source(
    number: int, shared: dict[int, int], alike: dict[int, Source], rule: Rule, old: Pieces, piece: str
) -> tuple[str, Source | None]:
    if number in shared:
        return "copied", Source.mean([shared[number]])
    if rule == "random":
        return "random", None
    if number in alike:
        return "alike", alike[number]
    spelling = old.spelling(piece)
    return ("spelled" if spelling else "unspelled"), Source.mean(spelling)


def _neighbours(shared: dict[int, int], by_role: dict[int, int], vectors: NDArray[np.float32]) -> dict[int, Source]:
    """The shared pieces that each other piece is used like."""
    known = np.linalg.norm(vectors, axis=1) > 0
    anchors = np.array([number for number in shared if known[number] and number not in by_role])
    others = np.array([number for number in range(len(vectors)) if known[number] and number not in shared])
    if not len(anchors):
        return {}
    units = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    found = {}
    for start in range(0, len(others), BATCH):
        numbers = others[start : start + BATCH]
        likeness = units[numbers] @ units[anchors].T
        count = min(NEIGHBOURS, len(anchors))
        nearest = np.argpartition(-likeness, count - 1, axis=1)[:, :count]
        weights = sparsemax(np.take_along_axis(likeness, nearest, axis=1))
        for number, columns, row in zip(numbers.tolist(), nearest, weights, strict=True):
            used = row > 0
            rows = tuple(shared[anchor] for anchor in anchors[columns[used]].tolist())
            found[number] = Source(rows, tuple(row[used].tolist()))
    return found


def sparsemax(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """The nearest distribution to each row of scores, most of it zeros (Martins and Astudillo 2016, algorithm 1)."""
    ordered = -np.sort(-scores.astype(np.float64), axis=1)
    sums = np.cumsum(ordered, axis=1)
    ranks = np.arange(1, scores.shape[1] + 1)
    support = (1 + ranks * ordered > sums).sum(axis=1, keepdims=True)
    threshold = (np.take_along_axis(sums, support - 1, axis=1) - 1) / support
    return np.maximum(scores - threshold, 0)
