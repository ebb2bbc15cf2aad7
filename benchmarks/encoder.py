"""Ours and ``transformers``' X-MOD side by side: same random weights, same batches, interleaved, equal answers first.

Run: python benchmarks/encoder.py [--rounds 5] [--json out.json]. Prints the median seconds of both and their ratio for
inference over mixed-language sentences in file order (batches of 32) and for a pretraining step with the trunk frozen.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import transformers
from torch import Tensor, nn
from transformers import XmodConfig

import swissxmod
from swissxmod.xmod.adapters import PLANS, train_only

LANGUAGES = ["de_CH", "fr_CH", "it_CH", "rm_CH"]
BATCH = 32
Batch = dict[str, Tensor]


def config(vocab_size: int) -> XmodConfig:
    """The size of the small trunks that fit a laptop: 12 layers of 384."""
    return XmodConfig(
        vocab_size=vocab_size,
        hidden_size=384,
        num_hidden_layers=12,
        num_attention_heads=12,
        intermediate_size=1536,
        max_position_embeddings=514,
        type_vocab_size=1,
        languages=LANGUAGES,
        ln_before_adapter=False,
        adapter_reuse_layer_norm=False,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )


def sentences(count: int, vocab_size: int, generator: torch.Generator) -> list[Batch]:
    """Batches of sentences of natural lengths (lognormal, mean about 35 pieces), languages mixed."""
    lengths = torch.empty(count).log_normal_(3.4, 0.55, generator=generator).clamp(3, 256).long()
    batches = []
    for start in range(0, count, BATCH):
        part = lengths[start : start + BATCH]
        mask = torch.arange(int(part.max()))[None, :] < part[:, None]
        ids = torch.randint(4, vocab_size, mask.shape, generator=generator).masked_fill(~mask, 1)
        languages = torch.randint(len(LANGUAGES), (len(part),), generator=generator)
        batches.append({"input_ids": ids, "attention_mask": mask.long(), "lang_ids": languages})
    return batches


def infer(model: nn.Module, batches: list[Batch]) -> list[Tensor]:
    """Logits of every real token."""
    with torch.no_grad():
        return [model(**batch).logits[batch["attention_mask"].bool()] for batch in batches]


def step(model: nn.Module, batch: Batch) -> Tensor:
    """Loss of a forward and backward pass."""
    loss = model(**batch).loss
    loss.backward()
    model.zero_grad()
    return loss.detach()


def compare(name: str, theirs: Callable[[], object], ours: Callable[[], object], rounds: int) -> dict[str, object]:
    """Median seconds of both, taken in turns."""
    seconds: dict[str, list[float]] = {"transformers": [], "swissxmod": []}
    for _ in range(rounds):
        for side, run in (("transformers", theirs), ("swissxmod", ours)):
            start = time.perf_counter()
            run()
            seconds[side].append(time.perf_counter() - start)
    medians = {side: statistics.median(values) for side, values in seconds.items()}
    ratio = medians["transformers"] / medians["swissxmod"]
    print(f"{name:<28} " + "   ".join(f"{side} {value:7.2f} s" for side, value in medians.items()) + f"   {ratio:.2f}x")
    return {"name": name, **medians, "ratio": ratio}


def inference(rounds: int, generator: torch.Generator) -> dict[str, object]:
    """Tagging 512 sentences."""
    theirs = transformers.XmodForTokenClassification(config(16_000)).eval()
    ours = swissxmod.XmodForTokenClassification(config(16_000)).eval()
    ours.load_state_dict(theirs.state_dict())
    batches = sentences(512, 16_000, generator)
    for expected, found in zip(infer(theirs, batches[:4]), infer(ours, batches[:4]), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    return compare("inference, batches of 32", lambda: infer(theirs, batches), lambda: infer(ours, batches), rounds)


def pretraining(rounds: int, generator: torch.Generator) -> dict[str, object]:
    """A step on 32 sentences at a vocabulary of 50,000, 15% labelled, trunk frozen."""
    theirs = transformers.XmodForMaskedLM(config(50_000)).train()
    ours = swissxmod.XmodForMaskedLM(config(50_000)).train()
    ours.load_state_dict(theirs.state_dict())
    batch = sentences(BATCH, 50_000, generator)[0]
    chosen = torch.rand(batch["input_ids"].shape, generator=generator) < 0.15
    batch["labels"] = batch["input_ids"].masked_fill(~chosen | ~batch["attention_mask"].bool(), -100)
    for model in (theirs, ours):
        train_only(model, PLANS["swissbert"])
    torch.testing.assert_close(step(ours, batch), step(theirs, batch), atol=1e-5, rtol=1e-5)
    return compare("pretraining step, 50k pieces", lambda: step(theirs, batch), lambda: step(ours, batch), rounds)


def main() -> None:
    """Run both and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    versions = f"torch {torch.__version__}, transformers {transformers.__version__}"
    print(f"{versions}, {torch.get_num_threads()} threads, float32")
    rows = [inference(arguments.rounds, generator), pretraining(arguments.rounds, generator)]
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
