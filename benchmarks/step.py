"""A pretraining step of either library; run as a script, its peak memory as a line of JSON.

Run: python benchmarks/step.py swissxmod swissbert "full blocks" float32 cpu
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import torch
import transformers
from common import BATCH, Batch, config, natural_text

import swissxmod
from swissxmod.xmod.adapters import PLANS, train_only

VOCABULARY, LANGUAGES, BLOCKS, BLOCK = 50_000, 4, 16, 128
LIBRARIES = {"transformers": transformers, "swissxmod": swissxmod}
PLANS_TIMED = ("swissbert", "full")


def masked(shape: str, device: str) -> Batch:
    """A batch with labels at 15% of its pieces: "full blocks" without padding, or "sentences" padded to the longest."""
    generator = torch.Generator().manual_seed(1)
    if shape == "full blocks":
        ids = torch.randint(4, VOCABULARY, (BLOCKS, BLOCK), generator=generator)
        batch = {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "lang_ids": torch.arange(BLOCKS) % LANGUAGES,
        }
    else:
        (batch,) = natural_text(BATCH, LANGUAGES, VOCABULARY, seed=1).padded(BATCH, "cpu", by_length=False)
    chosen = (torch.rand(batch["input_ids"].shape, generator=generator) < 0.15) & batch["attention_mask"].bool()
    batch["labels"] = batch["input_ids"].masked_fill(~chosen, -100)
    return {name: part.to(device) for name, part in batch.items()}


def make_step(side: str, plan: str, precision: str, device: str) -> Callable[[Batch], float]:
    """A function that learns from a batch and returns its loss.

    Args:
        side: whose model, "transformers" or "swissxmod"; both start from the same weights.
        plan: what learns, a name of :data:`swissxmod.xmod.adapters.PLANS`.
        precision: "float32", "bfloat16" (the weights) or "autocast".
        device: of the model.
    """
    torch.manual_seed(0)
    weights = transformers.XmodForMaskedLM(config(384, LANGUAGES, VOCABULARY)).state_dict()
    model = getattr(LIBRARIES[side], "XmodForMaskedLM")(config(384, LANGUAGES, VOCABULARY)).train()  # noqa: B009
    model.load_state_dict(weights)
    model.to(device, torch.bfloat16 if precision == "bfloat16" else torch.float32)
    train_only(model, PLANS[plan])
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(learned, lr=1e-5, fused=True)

    def step(batch: Batch) -> float:
        with torch.autocast(device, torch.bfloat16, enabled=precision == "autocast"):
            loss = model(**batch).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        return float(loss.detach())

    return step


def megabytes(key: str) -> float:
    """What the kernel says of this process: "VmRSS" is held now, "VmHWM" the most that was."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))


def peak_memory(side: str, plan: str, shape: str, precision: str, device: str) -> dict[str, float]:
    """Mebibytes of a step that is not the first: in all (the libraries themselves apart), and above what stays."""
    batch = masked(shape, device)
    if device == "cuda":
        step = make_step(side, plan, precision, device)
        step(batch)
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step(batch)
        peak = torch.cuda.max_memory_allocated()
        return {"total": peak / 2**20, "step": (peak - before) / 2**20}
    libraries = megabytes("VmRSS")
    step = make_step(side, plan, precision, device)
    step(batch)
    Path("/proc/self/clear_refs").write_text("5")  # Linux: forget the peak so far
    before = megabytes("VmRSS")
    step(batch)
    peak = megabytes("VmHWM")
    return {"total": peak - libraries, "step": peak - before}


if __name__ == "__main__":
    print(json.dumps(peak_memory(*sys.argv[1:6])))
