"""swissxmod-mini from the first import to names, in its default precision beside float32.

Run: python benchmarks/mini.py --text sentences.txt --language de [--json out.json]

Importing and loading are timed in processes of their own, reading in this one: pieces of the vocabulary per second from
text to names, the median of several passes. Before that the names of both precisions are compared; of each sentence all
must be the same to count as equal.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from statistics import median

from common import machine, median_seconds

from swissxmod import Tagger

LOADING = """
import time
start = time.perf_counter()
import transformers.models.xmod.modeling_xmod
theirs = time.perf_counter() - start
start = time.perf_counter()
from swissxmod import Tagger
imported = time.perf_counter() - start
start = time.perf_counter()
Tagger.load()
print(theirs, imported, time.perf_counter() - start)
"""


def main() -> None:
    """Print a line for each number."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", required=True)
    parser.add_argument("--language", required=True)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    lines = Path(given.text).read_text(encoding="utf-8").splitlines()
    taggers = {name: Tagger.load(precision=name) for name in ("auto", "float32")}
    names = [[[(n.label, n.start, n.end) for n in line] for line in t(lines, given.language)] for t in taggers.values()]
    equal = sum(one == other for one, other in zip(*names, strict=True)) / len(lines)
    pieces = sum(len(ids) for ids in taggers["auto"].tokenizer(lines)["input_ids"])
    theirs, imported, loaded = zip(*(_loading() for _ in range(given.runs)), strict=True)
    device = taggers["auto"].model.device.type
    reading = {key: partial(tagger, lines, given.language) for key, tagger in taggers.items()}
    seconds = median_seconds(reading, given.runs, device)
    told = {
        "machine": machine(device),
        "default precision": str(taggers["auto"].model.dtype),
        "sentences with the same names, %": round(100 * equal, 2),
        "import of transformers, s": round(median(theirs), 2),
        "import of the tagger after it, s": round(median(imported), 2),
        "load, s": round(median(loaded), 2),
        "pieces": pieces,
        **{f"pieces/s, {key}": round(pieces / value) for key, value in seconds.items()},
    }
    for key, value in told.items():
        print(f"{key}: {value}")
    if given.json:
        given.json.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def _loading() -> list[float]:
    run = subprocess.run([sys.executable, "-c", LOADING], capture_output=True, text=True, check=True)  # noqa: S603 - our own line
    return [float(word) for word in run.stdout.split()]


if __name__ == "__main__":
    main()
