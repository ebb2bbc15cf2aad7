"""Following the tuning of an aligner on sentence pairs with gold links, and choosing by them how it links words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ..errors import UserError
from ..xmod.languages import pair_of
from ..xmod.modeling import XmodModel
from .links import PiecesOfWords, choose_links, similarity
from .sentence_alignment import accuracy, are_right, find_translations
from .word_alignment import (
    Gold,
    Linking,
    alignment_counts,
    alignment_error_rate,
    pieces_of,
    read_gold,
    read_parallel,
    word_vectors,
)

THRESHOLDS = (0.3, 0.35, 0.4, 0.45, 0.5)
"""Of agreement, to choose from."""
FILES = 3


class DevPairs(NamedTuple):
    """Sentence pairs, in words, with gold links."""

    languages: tuple[str, str]
    pairs: list[tuple[list[str], list[str]]]
    gold: list[Gold]


class Measured(NamedTuple):
    """What a model reaches, the mean over sets of pairs."""

    linking: Linking
    """With the lowest error rate."""
    aer: float
    retrieval: float
    """Percent of the sentences whose translation is found, mean of both directions."""


def read_dev(files: Mapping[str, Sequence[str]], adapters: Sequence[str]) -> list[DevPairs]:
    """Pairs with gold links of each pair of languages: source words, target words and links.

    Raises:
        UserError: for another number of files, or files that cannot be read or do not fit together.
    """
    found = []
    for name, paths in files.items():
        if len(paths) != FILES:
            raise UserError(f"dev.{name}: expected source, target and gold links, found {len(paths)} files")
        source, target, links = paths
        pairs = read_parallel(source, target)
        gold = read_gold(links, pairs)
        if not any(answer.possible for answer in gold):
            raise UserError(f"{links}: expected gold links, found none")
        found.append(DevPairs(pair_of(name, adapters), pairs, gold))
    return found


def measure(model: XmodModel, tokenizer: PreTrainedTokenizerFast, dev: Sequence[DevPairs]) -> Measured:
    """Error rate of the best way of linking words, and accuracy of retrieval, of the model as it is now."""
    rates = [_error_rates(model, tokenizer, each) for each in dev]
    means = {linking: sum(rate[linking] for rate in rates) / len(rates) for linking in rates[0]}
    best = min(means, key=means.__getitem__)
    found = [_retrieval(model, tokenizer, each) for each in dev]
    return Measured(best, round(means[best], 4), round(100 * sum(found) / len(found), 2))


def _error_rates(model: XmodModel, tokenizer: PreTrainedTokenizerFast, dev: DevPairs) -> dict[Linking, float]:
    source, target = (
        word_vectors(model, tokenizer, [pair[side] for pair in dev.pairs], language, pieces=True)
        for side, language in enumerate(dev.languages)
    )
    words = pieces_of((source, target))
    rates = {}
    for layer in range(1, model.config.num_hidden_layers + 1):
        vectors = [(a[layer], b[layer]) for a, b in zip(source.vectors, target.vectors, strict=True)]
        for pieces in (False, True):
            pairs = vectors if pieces else [_means(*both) for both in zip(vectors, words, strict=True)]
            tables = [similarity(*pair) for pair in pairs]
            owners = words if pieces else [None] * len(words)
            for linking in _choices(layer, pieces=pieces):
                rates[linking] = _error_rate(tables, owners, linking, dev.gold)
    return rates


def _means(vectors: tuple[Tensor, Tensor], words: PiecesOfWords | None) -> list[Tensor]:
    """The mean vectors of the words of both sides."""
    return [side.means(own) for side, own in zip(words or (), vectors, strict=True)]


def _error_rate(
    tables: Sequence[np.ndarray], words: Sequence[PiecesOfWords | None], linking: Linking, gold: Sequence[Gold]
) -> float:
    counts = [
        alignment_counts(
            choose_links(table, linking.method, linking.threshold, pieces=pieces) if table.size else set(), answer
        )
        for table, pieces, answer in zip(tables, words, gold, strict=True)
    ]
    return float(alignment_error_rate(np.sum(counts, axis=0)))


def _choices(layer: int, *, pieces: bool) -> list[Linking]:
    return [
        *(Linking(layer, method, pieces=pieces) for method in ("argmax", "itermax", "match")),
        *(Linking(layer, "agreement", threshold, pieces) for threshold in THRESHOLDS),
    ]


def _retrieval(model: XmodModel, tokenizer: PreTrainedTokenizerFast, dev: DevPairs) -> float:
    lines = [(" ".join(source), " ".join(target)) for source, target in dev.pairs]
    found = find_translations(model, tokenizer, list(zip(*lines, strict=True)), dev.languages).found
    hits = are_right(found, lines)
    return float(accuracy(np.array([hits.sum(), hits.size])))
