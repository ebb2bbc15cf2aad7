"""Ours and ``transformers``' X-MOD side by side: same random weights, equal answers first, then times in turns.

Run: python benchmarks/encoder.py [--only inference pretraining] [--text FILE --tokenizer FOLDER] [--json out.json]

Inference: mixed-language sentences of natural lengths, tagged. Theirs gets padded batches of 32, ready made, in file
order or sorted by length; ours gets the sentences and sorts, packs and computes. Pretraining: forward, backward and
AdamW at a vocabulary of 50,000 with 15% of the pieces to predict. On CUDA everything is in bfloat16.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from common import (
    BATCH,
    SPECIAL,
    Batch,
    Text,
    arithmetic,
    config,
    file_text,
    machine,
    matrix_peak,
    median_seconds,
    natural_text,
)
from step import PLANS_TIMED, make_step, masked
from torch import Tensor, nn

import swissxmod
from swissxmod.xmod.inference import run_pieces
from swissxmod.xmod.packing import PackedBatch

Row = dict[str, Any]


def pair(hidden: int, languages: int, vocabulary: int, device: str) -> tuple[Any, Any]:
    """Their tagger and ours with the same weights; in bfloat16 on CUDA."""
    torch.manual_seed(0)
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    theirs = transformers.XmodForTokenClassification(config(hidden, languages, vocabulary)).eval()
    ours = swissxmod.XmodForTokenClassification(config(hidden, languages, vocabulary)).eval()
    ours.load_state_dict(theirs.state_dict())
    return theirs.to(device, dtype), ours.to(device, dtype)


def assert_equal(found: list[Tensor], expected: list[Tensor]) -> None:
    """To rounding: 1e-5 in float32."""
    for ours, theirs in zip(found, expected, strict=True):
        tolerance = 0.05 if theirs.dtype == torch.bfloat16 else 1e-5
        torch.testing.assert_close(ours.cpu(), theirs.cpu(), atol=tolerance, rtol=tolerance)


@torch.no_grad()
def tag_padded(model: nn.Module, batches: list[Batch]) -> list[Tensor]:
    """Logits of the pieces of each sentence, the special ones left out."""
    tagged = []
    for batch in batches:
        logits, lengths = model(**batch).logits, batch["attention_mask"].sum(dim=1).tolist()
        tagged += [rows[1 : length - 1] for rows, length in zip(logits, lengths, strict=True)]
    return tagged


def tag_corpus(model: Any, text: Text) -> list[Tensor]:  # noqa: ANN401
    """The same by the helper that tagging and alignment use."""

    def logits(input_ids: Tensor, packed: PackedBatch) -> Tensor:
        return model(input_ids, packed=packed).logits

    names = [model.languages[number] for number in text.languages]
    return run_pieces(model, SPECIAL, text.rows, names, logits, lambda _, rows: rows)


def inference(hidden: int, texts: dict[int, Text], rounds: int, device: str) -> Iterator[Row]:
    """Tag a text with few and with many adapters; all in turns, so that the two can be compared as well."""
    runs: dict[tuple[int, str], Callable[[], object]] = {}
    for languages, text in texts.items():
        theirs, ours = pair(hidden, languages, text.vocabulary, device)
        file_order, by_length = (text.padded(BATCH, device, by_length=sort) for sort in (False, True))
        expected = tag_padded(theirs, file_order)
        assert_equal(tag_padded(ours, file_order), expected)
        assert_equal(tag_corpus(ours, text), expected)
        runs[languages, "theirs"] = partial(tag_padded, theirs, file_order)
        runs[languages, "theirs, sorted"] = partial(tag_padded, theirs, by_length)
        runs[languages, "ours, their batches"] = partial(tag_padded, ours, file_order)
        runs[languages, "ours"] = partial(tag_corpus, ours, text)
    seconds = median_seconds(runs, rounds, device)
    for languages, text in texts.items():
        ours_seconds = seconds[languages, "ours"]
        row = {"what": "inference", "hidden": hidden, "languages": languages, "pieces": text.pieces}
        row["seconds"] = {name: value for (count, name), value in seconds.items() if count == languages}
        row["pieces_per_second"] = round(text.pieces / ours_seconds)
        row["ratios"] = {
            "file order": seconds[languages, "theirs"] / ours_seconds,
            "sorted": seconds[languages, "theirs, sorted"] / ours_seconds,
            "same batches": seconds[languages, "theirs"] / seconds[languages, "ours, their batches"],
            f"to {min(texts)} languages": seconds[min(texts), "ours"] / ours_seconds,
        }
        if device == "cuda":
            row["share_of_matrix_peak"] = arithmetic(text, hidden) / ours_seconds / matrix_peak()
        yield row


def pretraining(plan: str, shape: str, rounds: int, device: str) -> Row:
    """A step of both, whose losses must agree, and of ours under autocast."""
    batch = masked(shape, device)
    precision = "bfloat16" if device == "cuda" else "float32"
    steps = {side: make_step(side, plan, precision, device) for side in ("transformers", "swissxmod")}
    losses = {side: step(batch) for side, step in steps.items()}
    torch.testing.assert_close(
        losses["swissxmod"], losses["transformers"], atol=1e-4, rtol=1e-2 if device == "cuda" else 1e-4
    )
    if device == "cpu":
        steps["bfloat16"] = make_step("swissxmod", plan, "autocast", device)
    seconds = median_seconds({side: partial(step, batch) for side, step in steps.items()}, rounds, device)
    row: Row = {"what": "pretraining step", "plan": plan, "batch": shape, "pieces": int(batch["attention_mask"].sum())}
    row["seconds"] = seconds
    row["ratios"] = {"time": seconds["transformers"] / seconds["swissxmod"]}
    if "bfloat16" in seconds:
        row["ratios"]["ours in bfloat16"] = seconds["swissxmod"] / seconds["bfloat16"]
    peaks = {side: step_memory(side, plan, shape, precision, device) for side in ("transformers", "swissxmod")}
    row["peak_mebibytes"] = peaks
    row["ratios"]["memory"] = peaks["swissxmod"]["total"] / peaks["transformers"]["total"]
    row["ratios"]["memory above the model"] = peaks["swissxmod"]["step"] / peaks["transformers"]["step"]
    return row


def step_memory(side: str, plan: str, shape: str, precision: str, device: str) -> dict[str, float]:
    """Peak memory of a step, measured in a process of its own."""
    command = [sys.executable, str(Path(__file__).with_name("step.py")), side, plan, shape, precision, device]
    run = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own script
    return json.loads(run.stdout.splitlines()[-1])


def show(row: Row) -> None:
    """One line of settings, one of seconds, one of ratios."""
    settings = {name: value for name, value in row.items() if not isinstance(value, dict)}
    print(", ".join(f"{name} {value}" for name, value in settings.items()))
    print("   seconds: " + ", ".join(f"{name} {value:.2f}" for name, value in row["seconds"].items()))
    print("   ratios:  " + ", ".join(f"{name} {value:.2f}" for name, value in row["ratios"].items()), flush=True)


def rows(given: argparse.Namespace, device: str) -> Iterator[Row]:
    """All that was asked for."""
    if "inference" in given.only:
        for hidden in given.hidden:
            count = given.sentences if hidden < 768 else given.sentences // 8
            yield from inference(hidden, {n: natural_text(count, n) for n in given.languages}, given.rounds, device)
    if "file" in given.only and given.text:
        text = file_text(given.text, given.tokenizer, given.sentences, 4)
        for row in inference(384, {4: text}, given.rounds, device):
            yield row | {"what": f"inference, {given.text.name}"}
    if "pretraining" in given.only:
        for plan in PLANS_TIMED:
            for shape in ("full blocks", "sentences"):
                yield pretraining(plan, shape, given.rounds, device)


def main() -> None:
    """Run, print, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sentences", type=int, default=512, help="an eighth of it at a hidden size of 768")
    parser.add_argument("--hidden", type=int, nargs="+", default=[384, 768])
    parser.add_argument("--languages", type=int, nargs="+", default=[4, 81])
    parser.add_argument("--only", nargs="+", default=["inference", "file", "pretraining"])
    parser.add_argument("--text", type=Path, help="a file with a sentence a line, to be timed as well")
    parser.add_argument("--tokenizer", help="folder or hub name of the tokenizer for --text")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    record: Row = {"machine": machine(device), "rounds": given.rounds, "rows": []}
    print(", ".join(f"{name} {value}" for name, value in record["machine"].items()), flush=True)
    for row in rows(given, device):
        show(row)
        record["rows"].append(row)
    if given.json:
        given.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
