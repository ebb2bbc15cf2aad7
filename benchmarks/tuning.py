"""Ways of fine-tuning a tagger side by side: what learns, how large, how much memory and time, and how good.

Run: python benchmarks/tuning.py --model adapted --train de=DE.conll fr=FR.conll it=IT.conll
         --test de=DEV.conll rm=DEV.conll [--methods full trunk lora qlora] [--sentences 1500] [--epochs 3]
         [--seeds 3] [--rates trunk=3e-4] [--batch_size 16] [--precision auto] [--checkpointing] [--json out.json]

Each model is trained and measured in a process of its own. "memory" is the most that the process held while it
trained (loaded model, gradients, moments, what is kept for the backward pass), the libraries themselves apart, on a
GPU what was allocated there. Tested is after the last epoch, so the test files may well be development data; a
language that was not trained on is zero-shot.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest import mock

import torch
from common import machine
from step import megabytes

import swissxmod
from swissxmod.tasks import finetuning
from swissxmod.xmod.checkpoints import is_tuned

METHODS: dict[str, dict[str, Any]] = {
    "full": {"freeze": False},
    "trunk": {},
    "lora": {"peft": "lora"},
    "dora": {"peft": "dora"},
    "ia3": {"peft": "ia3"},
    "prefix": {"peft": "prefix"},
    "prompt": {"peft": "prompt"},
    "qlora": {"peft": "lora", "load_in_4bit": True},
    "lora, 8 bits": {"peft": "lora", "load_in_8bit": True},
}


def one(model: str, train: dict[str, str], test: dict[str, str], values: dict[str, Any]) -> dict[str, Any]:
    """Train and test a model, in this process."""
    # What a first use loads is no part of the training.
    for name in ("peft", "bitsandbytes"):
        __import__(name)
    cuda, libraries, peak = torch.cuda.is_available(), megabytes("VmRSS"), 0.0

    def measured(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        nonlocal peak
        Path("/proc/self/clear_refs").write_text("5")  # Linux: forget the peak so far, that of loading
        if cuda:
            torch.cuda.reset_peak_memory_stats()
        curve = learn(*args, **kwargs)
        peak = torch.cuda.max_memory_allocated() / 2**20 if cuda else megabytes("VmHWM") - libraries
        return curve

    learn = finetuning.train
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(finetuning, "train", measured):
        out, start = Path(folder) / "model", perf_counter()
        told = swissxmod.finetune_ner(swissxmod.FinetuneNer(model=model, train=train, **values), out)
        seconds = perf_counter() - start
        weights = out / ("adapter_model.safetensors" if is_tuned(out) else "model.safetensors")
        held = {name: value for name, value in values.items() if name.startswith("load_in")}
        scores = swissxmod.evaluate_ner(swissxmod.EvalNer(model=str(out), data=test, **held), Path(folder) / "scores")
        return {
            "trainable": sum(trainable for trainable, _ in told["parameters"].values()),
            "parameters": sum(count for _, count in told["parameters"].values()),
            "file": round(weights.stat().st_size / 1e6, 1),
            "memory": round(peak),
            "seconds": round(seconds, 1),
            "f1": {language: score["f1"] for language, score in scores.items()},
            "zero_shot": [language for language, score in scores.items() if score["zero_shot"]],
        }


def in_process(*arguments: Any) -> dict[str, Any]:  # noqa: ANN401
    """:func:`one` in a process of its own, whose memory is nobody else's."""
    command = [sys.executable, __file__, "--one", json.dumps(arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - this very file
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def row(method: str, runs: list[dict[str, Any]]) -> str:
    """A line of the table: means over the seeds."""
    first = runs[0]
    share = first["trainable"] / first["parameters"]
    cells = [method, f"{first['trainable']:,} ({share:.2%})", f"{first['file']} MB"]
    cells += [
        f"{statistics.mean(run[key] for run in runs):,.0f} {unit}"
        for key, unit in (("memory", "MiB"), ("seconds", "s"))
    ]
    for language in first["f1"]:
        scores = [run["f1"][language] for run in runs]
        spread = f" ± {statistics.stdev(scores):.1f}" if len(scores) > 1 else ""
        cells.append(f"{statistics.mean(scores):.1f}{spread}")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--train", nargs="+", required=True)
    parser.add_argument("--test", nargs="+", required=True)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--sentences", type=int)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--rates", nargs="*", default=[], help="peak learning rates of methods, METHOD=RATE")
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--checkpointing", action="store_true", help="compute each layer twice to save memory")
    parser.add_argument("--json")
    given = parser.parse_args()
    train, test, rates = (
        dict(part.split("=", 1) for part in parts) for parts in (given.train, given.test, given.rates)
    )
    common = {
        "sentences": given.sentences, "epochs": given.epochs, "batch_size": given.batch_size,
        "precision": given.precision, "gradient_checkpointing": True if given.checkpointing else None,
    }  # fmt: skip
    found: dict[str, list[dict[str, Any]]] = {}
    for method in given.methods:
        values = common | METHODS[method] | ({"learning_rate": float(rates[method])} if method in rates else {})
        runs = [in_process(given.model, train, test, values | {"seed": seed}) for seed in range(1, given.seeds + 1)]
        if not found:
            heads = ["method", "learns", "file", "memory", "time"]
            heads += [f"{name}, zero-shot" if name in runs[0]["zero_shot"] else name for name in runs[0]["f1"]]
            print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
        found[method] = runs
        print(row(method, runs), flush=True)
    told = {"machine": machine("cuda" if torch.cuda.is_available() else "cpu"), "settings": vars(given), "runs": found}
    if given.json:
        Path(given.json).write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one(*json.loads(sys.argv[2]))))
    else:
        main()
