"""Sentence alignment from the states of an encoder: a sentence finds its translation among all of the other side.

Sentences are compared by the cosine of their vectors, the mean of the states of their pieces in the last layer (the
mean pooling of Reimers and Gurevych 2019, "Sentence-BERT"), or piece by piece in the mean of all layers (BERTScore,
Zhang et al. 2020, as Vamvas et al. 2023 evaluate SwissBERT); ``<s>`` and ``</s>`` count in both. Scored by the accuracy
of retrieval in both directions, as on Tatoeba (Artetxe and Schwenk 2019, "LASER").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ..errors import UserError
from ..files import opened, read_lines
from ..settings import AlignSentences, SentenceScore
from ..texts import filled
from ..xmod.encoding import encode
from ..xmod.inference import count_dropped, count_windowed, cut_words
from ..xmod.modeling import XmodModel
from .links import similarity
from .word_alignment import load_encoder, read_line_pairs

CELLS = 2**24
"""Similarities to hold at once, 64 mebibytes of them."""
SPECIAL = 2
"""Pieces that are of no text: ``<s>`` and ``</s>``."""
NEIGHBOURS = 4
"""Sentences that the margin is measured against."""


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


class Found(NamedTuple):
    """What the sentences of two sides find on the other one."""

    there: np.ndarray
    """Number of the target that each source finds, the first of equals, shape (sources,)."""
    back: np.ndarray
    """Number of the source that each target finds, shape (targets,)."""
    score: np.ndarray
    """How well each source fits what it finds, shape (sources,)."""


def retrieve(source: Tensor, target: Tensor, *, margin: bool = False) -> Found:
    """The most similar sentence of the other side, exactly, by the cosine of vectors.

    The similarities are computed a few rows at a time, so that memory does not grow with sources times targets.

    Args:
        source: vectors of the source sentences, shape (n, hidden).
        target: vectors of the target sentences, shape (m, hidden).
        margin: divide the cosine by the mean of what the two sentences have with their nearest neighbours, so that one
            that is similar to all is not found by all (ratio margin with k = 4; Artetxe and Schwenk 2019).
    """
    means = [_neighbour_means(a, b) if margin else None for a, b in ((source, target), (target, source))]
    there, score = _nearest(source, target, means[0], means[1])
    back, _ = _nearest(target, source, means[1], means[0])
    return Found(there, back, score)


def _nearest(
    queries: Tensor, candidates: Tensor, own: np.ndarray | None, others: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Number and score of the best candidate of each query; divided by the means of both, where there are any."""
    best, scores, done = [], [], 0
    for part in queries.split(_rows(candidates)):
        similarities = similarity(part, candidates)
        if own is not None and others is not None:
            similarities /= (own[done : done + len(part), None] + others) / 2
        best.append(similarities.argmax(axis=1))
        scores.append(similarities.max(axis=1))
        done += len(part)
    return np.concatenate(best), np.concatenate(scores)


def _neighbour_means(queries: Tensor, candidates: Tensor) -> np.ndarray:
    """Mean cosine of each query with its nearest candidates."""
    k = min(NEIGHBOURS, len(candidates))
    means = [
        np.partition(similarity(part, candidates), -k, axis=1)[:, -k:].mean(axis=1)
        for part in queries.split(_rows(candidates))
    ]
    return np.concatenate(means)


def _rows(candidates: Tensor) -> int:
    return max(1, CELLS // len(candidates))


def retrieve_by_pieces(source: Sequence[Tensor], target: Sequence[Tensor]) -> Found:
    """The most similar sentence of the other side by :func:`bert_scores`; the first, at 0, of one without a piece."""
    there, score = np.zeros(len(source), dtype=int), np.zeros(len(source), dtype=np.float32)
    back, highest = np.zeros(len(target), dtype=int), np.full(len(target), -np.inf, dtype=np.float32)
    for some, scores in bert_scores(source, target):
        there[some], score[some] = scores.argmax(axis=1), scores.max(axis=1)
        best = scores.max(axis=0)
        better = best > highest
        back[better], highest[better] = np.array(some)[scores.argmax(axis=0)][better], best[better]
    return Found(there, back, score)


def bert_scores(source: Sequence[Tensor], target: Sequence[Tensor]) -> Iterator[tuple[list[int], np.ndarray]]:
    """BERTScore F1 of every source with every target sentence, without weights (Zhang et al. 2020).

    Each piece is compared with the most similar piece of the other sentence; the mean over the pieces of one side is
    the precision, over those of the other the recall. A few source sentences are compared with all targets at once.

    Args:
        source: vectors of the pieces of each sentence, shape (pieces, hidden) each.
        target: the same of the other side.

    Yields:
        numbers of some source sentences, in order, those without a piece left out, and their scores, shape (some,
        target sentences), 0 for a target without a piece.
    """
    rows, columns = ([i for i, pieces in enumerate(side) if len(pieces)] for side in (source, target))
    if not columns:
        return
    candidates = torch.cat([target[j] for j in columns])
    target_starts = _starts([target[j] for j in columns])
    lengths = np.diff(target_starts, append=len(candidates))
    for some in filled(rows, lambda i: len(source[i]), _rows(candidates)):
        starts = _starts([source[i] for i in some])
        pieces = torch.cat([source[i] for i in some])
        similarities = similarity(pieces, candidates)
        precision = np.add.reduceat(np.maximum.reduceat(similarities, target_starts, axis=1), starts, axis=0)
        precision /= np.diff(starts, append=len(pieces))[:, None]
        recall = np.add.reduceat(np.maximum.reduceat(similarities, starts, axis=0), target_starts, axis=1) / lengths
        total = precision + recall
        scores = np.zeros((len(some), len(target)), dtype=np.float32)
        scores[:, columns] = 2 * precision * recall / np.where(total == 0, 1, total)
        yield some, scores


def _starts(sentences: Sequence[Tensor]) -> np.ndarray:
    """Where each begins when they stand one after the other."""
    return np.cumsum([0, *(len(pieces) for pieces in sentences[:-1])])


def are_right(found: Found, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
    """Whether each source sentence finds its translation, and each target sentence its source.

    Where a sentence stands in several lines, letter by letter the same, any of them is right.

    Args:
        found: of as many sources as targets.
        pairs: the sentences.

    Returns:
        true where it is right, shape (pairs, 2).
    """
    texts = np.array(pairs, dtype=object)
    return np.stack([texts[found.there, 1] == texts[:, 1], texts[found.back, 0] == texts[:, 0]], axis=1)


def accuracy(counts: np.ndarray) -> np.ndarray:
    """Share of translations found, of summed counts (..., 2): found and to find."""
    found, total = np.moveaxis(np.asarray(counts, dtype=float), -1, 0)
    return found / total


@dataclass(frozen=True)
class Search:
    """What was found, and what the model could not see as a whole."""

    found: Found
    windowed: int
    """Sentences longer than the model's positions, read in overlapping windows."""
    dropped: int
    """Words without a piece, which have no part in the vectors."""


def find_translations(
    model: XmodModel,
    tokenizer: PreTrainedTokenizerFast,
    sides: Sequence[Sequence[str]],
    languages: Sequence[str],
    score: SentenceScore = "cosine",
) -> Search:
    """For each sentence of both sides the most similar one of the other.

    Args:
        model: an encoder.
        tokenizer: of the model.
        sides: source and target sentences.
        languages: of both sides.
        score: "cosine" of the mean vectors of the last layer; "margin", the same beside the nearest neighbours;
            "bertscore", piece by piece on the mean of all layers.

    Raises:
        UserError: if the model has no adapter for a language.
    """
    if score == "bertscore":
        pieces = [
            encode(model, tokenizer, texts, language, pooling="none", layer="mean", special=True)
            for texts, language in zip(sides, languages, strict=True)
        ]
        # Of a text without a piece there are <s> and </s> alone, which any other of the kind would fit.
        found = retrieve_by_pieces(*([rows if len(rows) > SPECIAL else rows[:0] for rows in side] for side in pieces))
    else:
        vectors = [
            encode(model, tokenizer, texts, language, special=True)
            for texts, language in zip(sides, languages, strict=True)
        ]
        found = retrieve(*vectors, margin=score == "margin")
    words = [text.split() for texts in sides for text in texts]
    cut = cut_words(tokenizer, words)
    return Search(found, count_windowed(model, [pieces.ids for pieces in cut]), count_dropped(cut, words))


def align_sentences(settings: AlignSentences, out: str | Path) -> dict[str, Any]:
    """Find the translations of sentences among those of another text, and write them, tab-separated.

    Args:
        settings: the model and the sentences.
        out: file to write, or "-": source sentence, target sentence and score a line, the best first.

    Returns:
        numbers of different sentences, of lines that repeat one and are left out, of pairs, and of sentences that had
        to be read in windows.

    Raises:
        UserError: for files that cannot be read, or a language without an adapter.
    """
    model, tokenizer = load_encoder(settings.model, settings.precision)
    lines = [read_side(path) for path in (settings.source, settings.target)]
    sides = [list(dict.fromkeys(side)) for side in lines]
    search = find_translations(model, tokenizer, sides, settings.languages, settings.score)
    there, back, score = search.found
    pairs = [
        (float(score[i]), sides[0][i], sides[1][j])
        for i, j in enumerate(there)
        if score[i] >= settings.threshold and (back[j] == i or not settings.mutual)
    ]
    pairs.sort(key=lambda pair: -pair[0])
    with opened(out) as file:
        file.writelines(f"{a}\t{b}\t{value:.4f}\n" for value, a, b in pairs)
    repeated = sum(len(all_) - len(side) for all_, side in zip(lines, sides, strict=True))
    different = {"source": len(sides[0]), "target": len(sides[1])}
    return different | {"repeated": repeated, "pairs": len(pairs), "windowed": search.windowed}


def read_side(path: str) -> list[str]:
    """Sentences of a file, one a line; empty lines are left out, a tab becomes a blank.

    Raises:
        UserError: if the file cannot be read, or has no sentence.
    """
    found = [line.strip().replace("\t", " ") for line in read_lines(path) if line.strip()]
    if not found:
        raise UserError(f"{path}: expected a sentence a line, found empty lines")
    return found
