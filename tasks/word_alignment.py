"""Word alignment from the states of an encoder: similar words of a sentence and its translation are linked.

The vector of a word is the mean over its pieces, in one layer or the mean of all; or the pieces themselves are linked.
``links.py`` has the methods. Scored by the alignment error rate (Och and Ney 2003).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ..errors import UserError
from ..files import opened, read_lines
from ..settings import AlignWords, Layer, LinkMethod, Precision, WordLinking
from ..texts import read_pairs
from ..xmod.encoding import states_of
from ..xmod.inference import count_dropped, count_windowed, cut_words, run_pieces
from ..xmod.modeling import XmodModel
from ..xmod.precision import load_to_read
from .link_files import Linked, as_text
from .links import PROBABILITIES, Counted, Links, PiecesOfWords, Words, find_links
from .statistical_alignment import link_probabilities
from .words import words_of

CHUNK = 1000
TUNED = "alignment"
"""What a config calls the :class:`Linking` that a model was tuned for."""
_LINK = re.compile(r"(\d+)([-p])(\d+)")


class Linking(NamedTuple):
    """Whose states are compared, and how words are linked by them."""

    layer: Layer = "mean"
    method: LinkMethod = "match"
    threshold: float | None = None
    pieces: bool = False
    """Whether single pieces are compared, and words linked by them."""


@dataclass(frozen=True)
class Gold:
    """Gold links of a sentence: all that are acceptable, and those that must be found."""

    sure: frozenset[tuple[int, int]]
    possible: frozenset[tuple[int, int]]
    """Includes the sure ones."""


def align_words(settings: AlignWords, out: str | Path) -> dict[str, Any]:
    """Align parallel sentences and write their links, in the order of the files; a sentence without words has none.

    Args:
        settings: the model and the text.
        out: file to write, or "-".

    Returns:
        number of sentences and links, and of sentences that had to be read in windows.

    Raises:
        UserError: for files that cannot be read or differ in length, or a language without an adapter.
    """
    model, tokenizer = load_encoder(settings.model, settings.precision)
    linking = chosen(settings, model)
    split = words_of if settings.raw else str.split
    pairs = [(split(source), split(target)) for source, target in read_line_pairs(settings.source, settings.target)]
    counted = count_pairs(pairs, settings)
    told = {"sentences": len(pairs), "links": 0, "windowed": 0}

    def linked() -> Iterator[Linked]:
        for start in range(0, len(pairs), CHUNK):
            part = slice(start, start + CHUNK)
            words = [[pair[side] for pair in pairs[part]] for side in (0, 1)]
            sides = [
                word_vectors(model, tokenizer, side, language, linking.layer, pieces=linking.pieces)
                for side, language in zip(words, settings.languages, strict=True)
            ]
            told["windowed"] += sum(side.windowed for side in sides)
            links = all_links((sides[0], sides[1]), linking, counted[part])
            for source, target, found in zip(*words, links, strict=True):
                told["links"] += len(found)
                yield Linked(source, target, found)

    with opened(out) as file:
        file.writelines(as_text(linked(), settings.format, settings.languages))
    return told


def load_encoder(source: str, precision: Precision = "float32") -> tuple[XmodModel, PreTrainedTokenizerFast]:
    """The encoder of a model folder of any kind, and its tokenizer."""
    return load_to_read(XmodModel, source, precision, add_pooling_layer=False)


def chosen(settings: WordLinking, model: XmodModel) -> Linking:
    """As asked for, else as a tuned model's config says, else "mean" and "match".

    Raises:
        UserError: for a layer that is not there, or a method without probabilities that counting shall guide.
    """
    own = Linking(**getattr(model.config, TUNED, {}))
    layer = own.layer if settings.layer is None else settings.layer
    layers = model.config.num_hidden_layers
    if layer != "mean" and not 0 <= layer <= layers:
        raise UserError(f"layer: expected 0 to {layers} or mean, found {layer}")
    method = settings.method or own.method
    if settings.guidance and method not in PROBABILITIES:
        raise UserError(f"guidance: expected a method with probabilities, softmax or agreement, found {method}")
    tuned = own.threshold if method == own.method else None
    pieces = own.pieces if settings.pieces is None else settings.pieces
    return Linking(layer, method, tuned if settings.threshold is None else settings.threshold, pieces)


def count_pairs(pairs: Sequence[tuple[list[str], list[str]]], settings: WordLinking) -> list[Counted | None]:
    """What counting says of each sentence pair, from these and the further ones of the settings; None without guidance.

    Raises:
        UserError: for further pairs that cannot be read.
    """
    if not settings.guidance:
        return [None] * len(pairs)
    further = [(words_of(source), words_of(target)) for source, target in read_pairs(settings.counts)]
    tables = link_probabilities([*pairs, *further], "count words")[: len(pairs)]
    return [Counted(table, settings.guidance) for table in tables]


def read_parallel(source: str | Path, target: str | Path) -> list[tuple[list[str], list[str]]]:
    """Tokens of both sides, line by line; see :func:`read_line_pairs`."""
    return [(first.split(), second.split()) for first, second in read_line_pairs(source, target)]


def read_line_pairs(source: str | Path, target: str | Path) -> list[tuple[str, str]]:
    """Lines of both sides as they are.

    Raises:
        UserError: if a file cannot be read or the numbers of lines differ.
    """
    sides = [list(read_lines(path)) for path in (source, target)]
    if len(sides[0]) != len(sides[1]):
        raise UserError(
            f"{source} has {len(sides[0])} lines, {target} has {len(sides[1])}: expected one translation per line"
        )
    return list(zip(*sides, strict=True))


def read_gold(path: str | Path, pairs: Sequence[tuple[list[str], list[str]]]) -> list[Gold]:
    """Gold links in Pharaoh format, 0-based: "0-1" is sure, "0p1" possible.

    Raises:
        UserError: for a line that is not of this form, links to words that do not exist, or another number of lines.
    """
    gold = [_gold_line(line, f"{path}:{number}") for number, line in enumerate(read_lines(path), 1)]
    if len(gold) != len(pairs):
        raise UserError(f"{path} has {len(gold)} lines for {len(pairs)} sentence pairs")
    for number, (links, (source, target)) in enumerate(zip(gold, pairs, strict=True), 1):
        outside = [link for link in links.possible if link[0] >= len(source) or link[1] >= len(target)]
        if outside:
            raise UserError(
                f"{path}:{number}: link {outside[0][0]}-{outside[0][1]} points outside the sentences "
                f"({len(source)} and {len(target)} words, counted from 0)"
            )
    return gold


def _gold_line(line: str, place: str) -> Gold:
    sure, possible = set(), set()
    for item in line.split():
        parts = _LINK.fullmatch(item)
        if parts is None:
            raise UserError(f'{place}: expected links such as "0-1" or "0p1", found {item!r}')
        link = int(parts[1]), int(parts[3])
        possible.add(link)
        if parts[2] == "-":
            sure.add(link)
    return Gold(frozenset(sure), frozenset(possible))


@dataclass(frozen=True)
class WordVectors:
    """Vectors of the words of each sentence, or of their pieces."""

    vectors: list[Tensor]
    """Shape (n, hidden), or (layers + 1, n, hidden) for every layer; 0 is the embeddings."""
    words: list[Words] | None
    """Of each sentence, if the vectors are of pieces."""
    windowed: int
    """Sentences longer than the model's positions, read in overlapping windows."""
    dropped: int
    """Words without a piece; their vector is zero."""


def word_vectors(
    model: XmodModel,
    tokenizer: PreTrainedTokenizerFast,
    sentences: Sequence[Sequence[str]],
    language: str | Sequence[str],
    layer: Layer | None = None,
    *,
    pieces: bool = False,
) -> WordVectors:
    """The mean of the states of each word's pieces, zero for a word without a piece; or the pieces themselves.

    Args:
        model: the encoder.
        tokenizer: of the model.
        sentences: words of each.
        language: of all sentences, or one for each.
        layer: whose states, or "mean" of all; by default every layer apart.
        pieces: take no mean, but keep the states of the pieces.
    """
    cut = cut_words(tokenizer, sentences)
    words = [Words(np.array(part.words, dtype=int), len(own)) for part, own in zip(cut, sentences, strict=True)]

    def finish(number: int, states: Tensor) -> Tensor:
        vectors = states.movedim(0, -2).contiguous()
        return vectors if pieces else words[number].means(vectors)

    ids = [each.ids for each in cut]
    return WordVectors(
        run_pieces(model, tokenizer, ids, language, states_of(model, layer), finish, title="encode"),
        words if pieces else None,
        windowed=count_windowed(model, ids),
        dropped=count_dropped(cut, sentences),
    )


def choose_layer(vectors: Tensor, layer: Layer) -> Tensor:
    """One layer, or the mean of all: (layers, words, hidden) to (words, hidden)."""
    return vectors.mean(dim=0) if layer == "mean" else vectors[layer]


def alignment_counts(found: Links, gold: Gold) -> tuple[int, int, int, int]:
    """What the error rate is made of: links found, sure links, found that are sure, found that are possible."""
    return len(found), len(gold.sure), len(found & gold.sure), len(found & gold.possible)


def alignment_error_rate(counts: np.ndarray) -> np.ndarray:
    """AER = 1 - (|A ∩ S| + |A ∩ P|) / (|A| + |S|) of summed counts (..., 4); 0 where there is nothing to find."""
    found, sure, hit_sure, hit_possible = np.moveaxis(np.asarray(counts, dtype=float), -1, 0)
    total = found + sure
    return np.where(total > 0, 1 - (hit_sure + hit_possible) / np.where(total > 0, total, 1), 0.0)


def all_links(
    sides: tuple[WordVectors, WordVectors], linking: Linking, counted: Sequence[Counted | None] | None = None
) -> Iterator[Links]:
    """The links of each sentence pair, from vectors of the layer that is chosen or of every layer."""
    if counted is None:
        counted = [None] * len(sides[0].vectors)
    for *pair, count, pieces in zip(sides[0].vectors, sides[1].vectors, counted, pieces_of(sides), strict=True):
        source, target = (side if side.dim() == 2 else choose_layer(side, linking.layer) for side in pair)
        yield find_links(source, target, linking.method, linking.threshold, count, pieces)


def pieces_of(sides: tuple[WordVectors, WordVectors]) -> list[PiecesOfWords | None]:
    """The words of each sentence pair; None where the vectors are those of words already."""
    source, target = (side.words for side in sides)
    return (
        [None] * len(sides[0].vectors) if source is None or target is None else list(zip(source, target, strict=True))
    )


def count_links(
    sides: tuple[WordVectors, WordVectors], gold: Sequence[Gold], linking: Linking, counted: Sequence[Counted | None]
) -> np.ndarray:
    """:func:`alignment_counts` of each sentence pair, shape (pairs, 4)."""
    found = all_links(sides, linking, counted)
    return np.array([alignment_counts(links, answer) for links, answer in zip(found, gold, strict=True)])
