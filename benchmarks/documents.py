"""Document alignment measured: a text and its translation, made harder at random in a way that is known.

Run: python benchmarks/documents.py --model FOLDER --pairs pairs.tsv [--languages de rm] [--seed 1] [--json out.json]

``pairs.tsv`` has sentences and their translations in the order of a text. Of every ten pairs about one loses its
source, one its target, and two are joined on one side with the next. A bead counts as found where both sides are
exactly right.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from pathlib import Path

from common import machine

from swissxmod import AlignDocuments, align_documents
from swissxmod.texts import read_pairs

LOSE_SOURCE, LOSE_TARGET, JOIN_SOURCE, JOIN_TARGET = range(4)
Bead = tuple[tuple[int, ...], tuple[int, ...]]


def disturb(pairs: list[tuple[str, str]], seed: int) -> tuple[list[str], list[str], set[Bead]]:
    """Both texts, and the beads in them."""
    generator = random.Random(seed)
    texts: tuple[list[str], list[str]] = ([], [])
    gold: set[Bead] = set()
    pairs = list(pairs)
    while pairs:
        some = [pairs.pop(0)]
        change = generator.randrange(10)
        sides: list[list[str]] = [[some[0][0]], [some[0][1]]]
        if change in (LOSE_SOURCE, LOSE_TARGET):
            sides[change] = []
        elif change in (JOIN_SOURCE, JOIN_TARGET) and pairs:
            other = pairs.pop(0)
            sides = [[some[0][side], other[side]] for side in (0, 1)]
            sides[change - JOIN_SOURCE] = [" ".join(sides[change - JOIN_SOURCE])]
        places = tuple(tuple(range(len(texts[side]), len(texts[side]) + len(sides[side]))) for side in (0, 1))
        for side in (0, 1):
            texts[side].extend(sides[side])
        if all(places):
            gold.add((places[0], places[1]))
    return texts[0], texts[1], gold


def main() -> None:
    """Disturb, align, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--pairs", required=True)
    parser.add_argument("--languages", nargs=2, default=["de", "rm"])
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--skip", type=float, default=AlignDocuments.skip)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json")
    given = parser.parse_args()
    pairs = list(read_pairs(given.pairs))[: given.limit]
    *texts, gold = disturb(pairs, given.seed)
    with tempfile.TemporaryDirectory() as work:
        paths = [Path(work) / name for name in ("source", "target", "beads")]
        for path, lines in zip(paths, texts, strict=False):
            path.write_text("".join(" ".join(line.split()) + "\n" for line in lines), encoding="utf-8")
        settings = AlignDocuments(
            model=given.model, source=str(paths[0]), target=str(paths[1]), format="jsonl", skip=given.skip,
            source_language=given.languages[0], target_language=given.languages[1],
        )  # fmt: skip
        start = time.perf_counter()
        align_documents(settings, paths[2])
        seconds = time.perf_counter() - start
        rows = [json.loads(line) for line in paths[2].read_text(encoding="utf-8").splitlines()]
    found = {
        (tuple(row["source_numbers"]), tuple(row["target_numbers"])) for row in rows if row["source"] and row["target"]
    }
    hits = len(found & gold)
    result = {
        "sentences": [len(text) for text in texts],
        "beads": len(gold),
        "precision": round(hits / len(found), 4),
        "recall": round(hits / len(gold), 4),
        "f1": round(2 * hits / (len(found) + len(gold)), 4),
        "seconds": round(seconds, 1),
        "seed": given.seed,
        "skip": given.skip,
        "machine": machine("cpu"),
    }
    print(json.dumps(result, indent=1))
    if given.json:
        Path(given.json).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
