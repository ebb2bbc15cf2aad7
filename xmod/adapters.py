"""Which part of a model a weight belongs to, and what learns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Literal

from torch import nn

Part = Literal["embeddings", "adapters", "trunk", "head"]
PLANS: dict[str, tuple[Part, ...]] = {
    # Vamvas et al. 2023, "SwissBERT": adapters, embeddings and positions learn in pretraining, the trunk does not ...
    "swissbert": ("embeddings", "adapters", "head"),
    "full": ("embeddings", "adapters", "trunk", "head"),
    # ... and in fine-tuning the other way round, so that the task works with any language's adapter.
    "task": ("trunk", "head"),
}


def part_of(name: str) -> Part:
    """The part that the parameter ``name`` belongs to."""
    if "adapter_modules." in name or ".adapter_layer_norm." in name:
        return "adapters"
    if name.removeprefix("roberta.").startswith("embeddings."):
        return "embeddings"
    return "trunk" if name.removeprefix("roberta.").startswith("encoder.") else "head"


def train_only(model: nn.Module, parts: Collection[Part]) -> dict[str, tuple[int, int]]:
    """Let the parameters of ``parts`` learn and freeze all others.

    Returns:
        (trainable, total) number of parameters of each part, tied weights counted once.
    """
    total: Counter[str] = Counter()
    trainable: Counter[str] = Counter()
    for name, parameter in model.named_parameters():
        part = part_of(name)
        parameter.requires_grad = part in parts
        total[part] += parameter.numel()
        trainable[part] += parameter.numel() * (part in parts)
    return {part: (trainable[part], count) for part, count in total.items()}
