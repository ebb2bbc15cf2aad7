"""Document alignment: which sentences of a text and of its translation belong together, in order.

The cheapest path through beads of one or more sentences on either side, and of sentences without a translation, as
Thompson and Koehn 2019, "Vecalign", do it: several sentences are encoded as one text (the mean of their vectors finds
far less), and a distance counts beside what is usual for its sentences. Otherwise than there what is usual is measured
with every single sentence and no longer beads, leaving one out has a fixed cost, and the search is exact.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

import numpy as np

from ..errors import UserError
from ..files import opened
from ..settings import AlignDocuments
from ..texts import json_line
from ..xmod.encoding import encode
from .sentence_alignment import read_side
from .word_alignment import load_encoder

CELLS = 2**30
"""Sentence pairs that a path may go through; one byte is kept for each."""
ROWS = 64
"""Source sentences whose similarities with all targets are held at once."""
LEAST = 1e-3
"""Usual distance at least: all sentences of a text may be the same."""
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Bead(NamedTuple):
    """Sentences that belong together, numbers from 0; one side is empty where there is no translation."""

    source: range
    target: range
    similarity: float
    """Cosine of both sides; 0 where one is empty."""


class Spans(NamedTuple):
    """Vectors of a number of sentences that follow one another, for each place where they can begin."""

    vectors: np.ndarray
    """Of length 1, shape (places, hidden)."""
    usual: np.ndarray
    """Mean distance from the sentences of the other text, shape (places,)."""


def align_documents(settings: AlignDocuments, out: str | Path) -> dict[str, Any]:
    """Align a text with its translation, and write the pairs.

    Args:
        settings: the model and the two texts.
        out: file to write, or "-"; sentences without a translation are in it only as JSONL.

    Returns:
        numbers of sentences, of beads of each kind ("1-1", "1-2", ...), and of sentences without a translation.

    Raises:
        UserError: for texts that cannot be read or are too long together, or a language without an adapter.
    """
    texts = [read_side(path) for path in (settings.source, settings.target)]
    if len(texts[0]) * len(texts[1]) > CELLS:
        raise UserError(
            f"{settings.source} has {len(texts[0])} sentences, {settings.target} {len(texts[1])}: too long to be "
            f"aligned at once (at most {CELLS:,} pairs of sentences); split both where you know them to be parallel"
        )
    model, tokenizer = load_encoder(settings.model, settings.precision)
    vectors = [
        {
            size: encode(model, tokenizer, joined, language, special=True).numpy()
            for size, joined in _joined(side, settings.largest - 1)
        }
        for side, language in zip(texts, settings.languages, strict=True)
    ]
    beads = find_beads(vectors, settings.largest, settings.skip)
    write = {"tsv": _tsv, "tmx": _tmx, "jsonl": _jsonl}[settings.format]
    with opened(out) as file:
        file.write(write(beads, texts, settings.languages))
    kinds = sorted((len(bead.source), len(bead.target)) for bead in beads)
    return {
        "source": len(texts[0]),
        "target": len(texts[1]),
        "beads": {f"{a}-{b}": kinds.count((a, b)) for a, b in sorted(set(kinds)) if a and b},
        "alone": {"source": kinds.count((1, 0)), "target": kinds.count((0, 1))},
    }


def _joined(sentences: list[str], longest: int) -> Iterator[tuple[int, list[str]]]:
    """Of each number of sentences, all that follow one another, joined."""
    for size in range(1, min(longest, len(sentences)) + 1):
        yield size, [" ".join(sentences[i : i + size]) for i in range(len(sentences) - size + 1)]


def find_beads(vectors: Sequence[Mapping[int, np.ndarray]], largest: int, skip: float) -> list[Bead]:
    """The cheapest way to go through both texts.

    A bead costs its distance (1 - cosine), beside what its sentences are usually away from those of the other text,
    times the number of sentences of either side, so that large beads do not come cheaper than their parts.

    Args:
        vectors: of both texts: of each number of sentences that follow one another, for each place where they can
            begin, shape (places, hidden).
        largest: sentences of both sides that a bead may have together.
        skip: what leaving out a sentence costs.

    Returns:
        every sentence of either text in one bead, in order.
    """
    spans = [_spans(vectors[side], vectors[1 - side][1]) for side in (0, 1)]
    sizes = [(a, b) for a in spans[0] for b in spans[1] if a + b <= largest]
    back = _cheapest_path(spans, sizes, skip)
    beads = []
    i, j = back.shape[0] - 1, back.shape[1] - 1
    while i or j:
        a, b = [*sizes, (1, 0), (0, 1)][back[i, j]]
        near = float(spans[0][a].vectors[i - a] @ spans[1][b].vectors[j - b]) if a and b else 0.0
        beads.append(Bead(range(i - a, i), range(j - b, j), near))
        i, j = i - a, j - b
    return beads[::-1]


def _spans(vectors: Mapping[int, np.ndarray], others: np.ndarray) -> dict[int, Spans]:
    """The mean distance from the others is the distance from their mean.

    Of two texts of one sentence each nothing is usual: their distance counts as it is.
    """
    units = {size: _unit(each) for size, each in vectors.items()}
    if len(vectors[1]) == len(others) == 1:
        return {1: Spans(units[1], np.ones(1))}
    centre = _unit(others).mean(axis=0)
    return {size: Spans(unit, np.maximum(1 - unit @ centre, LEAST)) for size, unit in units.items()}


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _costs(source: Spans, target: Spans, size: int) -> np.ndarray:
    """Distances beside the usual, times ``size``: about that for unrelated spans. (n, m) places of both."""
    usual = (source.usual[:, None] + target.usual) / 2
    return size * (1 - source.vectors @ target.vectors.T) / usual


def _cheapest_path(spans: Sequence[dict[int, Spans]], sizes: Sequence[tuple[int, int]], alone: float) -> np.ndarray:
    """Number of the last bead on the cheapest way to each place, shape (sources + 1, targets + 1).

    Numbers are those of ``sizes``, then a source sentence alone, then a target sentence alone.
    """
    n, m = (len(side[1].vectors) for side in spans)
    back = np.zeros((n + 1, m + 1), dtype=np.uint8)
    source_alone, target_alone = len(sizes), len(sizes) + 1
    along = alone * np.arange(m + 1)
    # Costs of the last rows; the first one leaves out targets.
    rows = [along]
    back[0] = target_alone
    for i, beads in enumerate(_bead_costs(spans, sizes, n), 1):
        best = rows[-1] + alone
        back[i] = source_alone
        for number, ((a, b), costs) in enumerate(zip(sizes, beads, strict=True)):
            if costs is None:
                continue
            total = rows[-a][: len(costs)] + costs
            better = total < best[b:]
            best[b:][better] = total[better]
            back[i, b:][better] = number
        # Leaving out targets is a way along the row: the best start of it is the least cost so far, less the way.
        least = np.minimum.accumulate(best - along) + along
        back[i, least < best - 1e-9] = target_alone
        rows = [*rows[-len(spans[0]) :], least]
    return back


def _bead_costs(
    spans: Sequence[dict[int, Spans]], sizes: Sequence[tuple[int, int]], n: int
) -> Iterator[list[np.ndarray | None]]:
    """For each row of places, what every bead that ends there costs, by where in the target it begins.

    None for one that would begin before the text or is longer than the target. Computed for many rows at once.
    """
    for start in range(0, n, ROWS):
        stop = min(start + ROWS, n)
        block: list[np.ndarray | None] = []
        for a, b in sizes:
            begins = slice(max(0, start + 1 - a), max(0, stop + 1 - a))
            possible = begins.stop > begins.start
            block.append(
                _costs(Spans(*(part[begins] for part in spans[0][a])), spans[1][b], a * b) if possible else None
            )
        for end in range(start + 1, stop + 1):
            yield [
                costs[end - a - max(0, start + 1 - a)] if costs is not None and end >= a else None
                for (a, _), costs in zip(sizes, block, strict=True)
            ]


def _tsv(beads: Sequence[Bead], texts: Sequence[Sequence[str]], _: tuple[str, str]) -> str:
    return "".join(
        f"{_text(texts[0], bead.source)}\t{_text(texts[1], bead.target)}\t{bead.similarity:.4f}\n"
        for bead in beads
        if bead.source and bead.target
    )


def _jsonl(beads: Sequence[Bead], texts: Sequence[Sequence[str]], _: tuple[str, str]) -> str:
    rows = (
        {
            "source": [texts[0][i] for i in bead.source],
            "target": [texts[1][j] for j in bead.target],
            "source_numbers": list(bead.source),
            "target_numbers": list(bead.target),
            "similarity": round(bead.similarity, 4),
        }
        for bead in beads
    )
    return "".join(map(json_line, rows))


def _tmx(beads: Sequence[Bead], texts: Sequence[Sequence[str]], languages: tuple[str, str]) -> str:
    """TMX 1.4b, as translation memories read it."""
    source, target = (language.replace("_", "-") for language in languages)
    units = "".join(
        f'<tu><prop type="similarity">{bead.similarity:.4f}</prop>'
        f'<tuv xml:lang="{source}"><seg>{_xml(_text(texts[0], bead.source))}</seg></tuv>'
        f'<tuv xml:lang="{target}"><seg>{_xml(_text(texts[1], bead.target))}</seg></tuv></tu>\n'
        for bead in beads
        if bead.source and bead.target
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<tmx version="1.4">\n'
        f'<header creationtool="swissxmod" creationtoolversion="1" segtype="sentence" o-tmf="lines" adminlang="en" '
        f'srclang="{source}" datatype="plaintext"/>\n<body>\n{units}</body>\n</tmx>\n'
    )


def _xml(text: str) -> str:
    """Escaped, without the characters that XML cannot have."""
    return escape(_NO_XML.sub("", text))


def _text(sentences: Sequence[str], numbers: range) -> str:
    return " ".join(sentences[i] for i in numbers)
