"""What each idea is worth: the encoder as it is, and with one idea at a time switched off; equal answers first.

Run: python benchmarks/ideas.py [--rounds 5] [--json out.json]
"""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from common import BATCH, Batch, config, machine, median_seconds, natural_text
from encoder import assert_equal, tag_corpus
from step import make_step, masked
from torch import Tensor, nn

import swissxmod
from swissxmod.xmod import attention, inference, layers, products
from swissxmod.xmod.packing import PackedBatch
from swissxmod.xmod.routing import Adapter

HIDDEN = 384
Context = contextlib.AbstractContextManager[Any]


def in_file_order(jobs: Sequence[Any], *_: object) -> Iterator[Sequence[Any]]:
    """Sorting off: batches of 32 sentences as they come."""
    jobs = sorted(jobs, key=lambda job: job[0])
    return (jobs[start : start + BATCH] for start in range(0, len(jobs), BATCH))


def attention_on_grid(parts: attention.Parts, batch: PackedBatch, dropout: float) -> Tensor:
    """Attention without padding off: the padded grid and a mask."""
    return attention.on_grid(parts, batch, dropout, plain=False)


def adapters_by_mask(states: Tensor, adapters: Sequence[Adapter], batch: PackedBatch) -> Tensor:
    """Slices off: every adapter of the model picks its tokens by a mask, as ``transformers`` does."""
    numbers = torch.cat([torch.full((count,), which) for which, count in batch.slices])
    adapted = torch.zeros_like(states)
    for which, adapter in enumerate(adapters):
        mask = numbers == which
        adapted[mask] = adapter(states[mask])
    return adapted


def slices_of(parts: attention.Parts, batch: PackedBatch, dropout: float) -> Tensor:
    """Splitting off: a slice a run, whose gradient is a tensor of zeros as long as all tokens."""
    attended, start = [], 0
    for count, length in batch.groups:
        stop = start + count * length
        views = [part[start:stop].unflatten(0, (count, length)).transpose(1, 2) for part in parts]
        attended.append(attention._fused(*views, None, dropout).transpose(1, 2).flatten(0, 1))
        start = stop
    return torch.cat(attended)


@torch.no_grad()
def tag_padding_too(model: nn.Module, batches: list[Batch]) -> None:
    """Packing off: padding is computed as if it were text. The answers differ; it stands for its cost."""
    for batch in batches:
        model(input_ids=batch["input_ids"], lang_ids=batch["lang_ids"])


def under(context: Callable[[], Context], run: Callable[[], Any]) -> Any:  # noqa: ANN401
    """Run with something switched off."""
    with context():
        return run()


OFF: dict[str, Callable[[], Context]] = {
    "as it is": contextlib.nullcontext,
    "attention on the padded grid": partial(mock.patch.object, attention, "by_length", attention_on_grid),
    "adapters by mask": partial(mock.patch.object, layers, "route", adapters_by_mask),
}

OFF_READING = {
    "corpus not sorted": partial(mock.patch.object, inference, "filled", in_file_order),
    "products by MKL everywhere": partial(mock.patch.object, products, "_mkl_is_slow", lambda: False),
}


def tagging(languages: int, rounds: int) -> dict[str, float]:
    """Seconds to tag a corpus."""
    torch.manual_seed(0)
    model = swissxmod.XmodForTokenClassification(config(HIDDEN, languages)).eval()
    text = natural_text(256, languages)
    runs = {name: partial(under, off, partial(tag_corpus, model, text)) for name, off in (OFF | OFF_READING).items()}
    expected = runs["as it is"]()
    for run in runs.values():
        assert_equal(run(), expected)
    for name, by_length in (("padding computed, sorted", True), ("padding computed, file order", False)):
        runs[name] = partial(tag_padding_too, model, text.padded(BATCH, "cpu", by_length=by_length))
    return median_seconds(runs, rounds, "cpu")


def learning(shape: str, rounds: int) -> dict[str, float]:
    """Seconds of a pretraining step with the trunk frozen."""
    batch, step = masked(shape, "cpu"), make_step("swissxmod", "swissbert", "float32", "cpu")
    everywhere = partial(mock.patch.object, swissxmod.XmodForMaskedLM, "forward", logits_everywhere)
    sliced = partial(mock.patch.object, attention, "by_length", slices_of)
    off = OFF | {"logits at every piece": everywhere, "slices instead of split": sliced}
    runs = {name: partial(under, context, partial(step, batch)) for name, context in off.items()}
    for run in runs.values():
        run()
    return median_seconds(runs, rounds, "cpu")


_forward = swissxmod.XmodForMaskedLM.forward


def logits_everywhere(model: swissxmod.XmodForMaskedLM, **batch: Tensor) -> Any:  # noqa: ANN401
    """Logits at labels off."""
    return _forward(model, **batch, logits_at="all")


def main() -> None:
    """Run all and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    measured = {f"tagging, {n} languages": partial(tagging, n) for n in (4, 81)}
    measured |= {f"pretraining step, {shape}": partial(learning, shape) for shape in ("full blocks", "sentences")}
    record: dict[str, Any] = {"machine": machine("cpu"), "seconds": {}}
    for what, measure in measured.items():
        seconds = record["seconds"][what] = measure(given.rounds)
        print(what)
        for name, value in seconds.items():
            print(f"   {name:<32} {value:6.2f} s   {value / seconds['as it is']:.2f}x", flush=True)
    if given.json:
        given.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
