"""`predict ner` beside ``transformers``' token-classification pipeline, with the same tagger on the same file.

Run: python benchmarks/ner.py --model TAGGER --data de=DEV.conll fr=DEV.conll [--sentences 2000] [--json out.json]

Both load the model, find the names in every line and write them to a file; loading and writing count. The sentences are
drawn from the files with a seed, their languages mixed. The pipeline gets the words as we part them and one language
after the other, for a call of it has one; it joins pieces to names by its rule "first". It reads sentence by sentence,
as its documentation advises for processors, and in batches of 32 of like length; the ratio is that to the faster one.

Before that its labels of single pieces are compared with ours: where the labels of the first pieces of words are valid
IOB2, the names that they make must be the same. Where they are not, ours are the best valid ones, and counted.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import transformers
from common import BATCH, machine, median_seconds

import swissxmod
from swissxmod.tasks.conll import entities
from swissxmod.tasks.ner_data import read_tagged
from swissxmod.tasks.schemes import OUTSIDE, inside
from swissxmod.tasks.words import split_words
from swissxmod.xmod.languages import resolve_language

Row = dict[str, Any]


def sentences(data: dict[str, str], count: int) -> list[Row]:
    """Lines with their language, drawn evenly from all files; blanks part the words as our rule does."""
    generator, rows = random.Random(1), []
    for language, path in data.items():
        texts = [parted(parted(" ".join(sentence.words))) for sentence in read_tagged(path)]
        # Parted again, as "aujourd'hui" first becomes "aujourd' hui"; the few that still change are left out.
        kept = [text for text in texts if text == parted(text)]
        drawn = generator.sample(kept, min(count // len(data), len(kept)))
        rows += [{"text": text, "language": language} for text in drawn]
    generator.shuffle(rows)
    return rows


def parted(text: str) -> str:
    """The text with one blank between words."""
    return " ".join(text[start:end] for words in split_words(text) for start, end in words)


def by_us(model: str, source: Path, out: Path) -> None:
    """As from the command line."""
    swissxmod.predict_ner(swissxmod.PredictNer(model=model, text=str(source)), out)


def by_pipeline(folder: str, source: Path, out: Path, strategy: str = "first", batch: int = 1) -> None:
    """The sentences of each language, the longest first, so that a batch needs little padding."""
    model = transformers.XmodForTokenClassification.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    ignored = [] if strategy == "none" else [OUTSIDE]
    pipe = transformers.pipeline(
        "token-classification",
        model=model,
        tokenizer=tokenizer,
        aggregation_strategy=strategy,
        ignore_labels=ignored,
        batch_size=batch,
    )
    rows = read(source)
    for language in dict.fromkeys(row["language"] for row in rows):
        model.set_default_language(resolve_language(language, model.config.languages))
        mine = sorted((row for row in rows if row["language"] == language), key=lambda row: -len(row["text"]))
        found = pipe([row["text"].split(" ") for row in mine], is_split_into_words=True)
        for row, names in zip(mine, found, strict=True):
            row["entities"] = [{key: str(value) for key, value in name.items()} for name in names]
    write(out, rows)


def read(path: Path) -> list[Row]:
    """An object a line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write(path: Path, rows: list[Row]) -> None:
    """An object a line."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def compared(ours: list[Row], pieces: list[Row]) -> int:
    """Lines whose best labels are not IOB2; in all others the names must be the same."""
    invalid = 0
    for mine, theirs in zip(ours, pieces, strict=True):
        words = [span for line in split_words(mine["text"]) for span in line]
        labels = dict(reversed([(int(piece["start"]), piece["entity"]) for piece in theirs["entities"]]))
        tags = [labels[start] for start, _ in words]
        if any(tag[0] == "I" and tag != inside(before) for before, tag in pairwise([OUTSIDE, *tags])):
            invalid += 1
            continue
        expected = {(words[first][0], words[stop - 1][1], kind) for kind, first, stop in entities(tags)}
        found = {(entity["start"], entity["end"], entity["label"]) for entity in mine["entities"]}
        if expected != found:
            sys.exit(f"other names in {mine['text']!r}: {sorted(found)}, expected {sorted(expected)}")
    return invalid


def pairs(words: list[str]) -> Iterator[tuple[str, str]]:
    """LANGUAGE=FILE."""
    for word in words:
        language, _, path = word.partition("=")
        yield language, path


def main() -> None:
    """Run, print, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="folder of a fine-tuned tagger")
    parser.add_argument("--data", nargs="+", required=True, help="de=FILE ...: tagged sentences of each language")
    parser.add_argument("--sentences", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with tempfile.TemporaryDirectory() as work:
        source, ours, theirs = (Path(work) / name for name in ("lines.jsonl", "ours.jsonl", "theirs.jsonl"))
        rows = sentences(dict(pairs(given.data)), given.sentences)
        write(source, rows)
        runs = {
            "theirs, one by one": partial(by_pipeline, given.model, source, theirs),
            "theirs, in batches": partial(by_pipeline, given.model, source, theirs, batch=BATCH),
            "ours": partial(by_us, given.model, source, ours),
        }
        by_us(given.model, source, ours)
        by_pipeline(given.model, source, theirs, "none")
        found, invalid = read(ours), compared(read(ours), read(theirs))
        seconds = median_seconds(runs, given.rounds, device)
    record = {
        "machine": machine(device),
        "rounds": given.rounds,
        "lines": len(rows),
        "words": sum(row["text"].count(" ") + 1 for row in rows),
        "names": sum(len(row["entities"]) for row in found),
        "lines without valid best labels": invalid,
        "seconds": seconds,
        "ratio": min(seconds["theirs, one by one"], seconds["theirs, in batches"]) / seconds["ours"],
    }
    print(json.dumps(record, indent=2))
    if given.json:
        given.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
