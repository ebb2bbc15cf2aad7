"""Which part of a model a weight belongs to, what learns, and models with other adapters."""

from __future__ import annotations

import copy
import re
import zlib
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Literal, TypeVar

import torch
from torch import nn

from .modeling import XmodPreTrainedModel

ModelT = TypeVar("ModelT", bound=XmodPreTrainedModel)
_ADAPTER = re.compile(r"(.*\.adapter_modules\.)([^.]+)(\..*)")

TRUNK_MATRICES = (
    r"(?:.*\.)?encoder\.layer\.\d+\."
    r"(?:attention\.(?:self\.(?:query|key|value)|output\.dense)|intermediate\.dense|output\.dense)"
)
"""Names of the linear layers of the trunk, in our classes and in those of ``transformers``; adapters are none."""
Part = Literal["embeddings", "adapters", "trunk", "head"]
PLANS: dict[str, tuple[Part, ...]] = {
    # Vamvas et al. 2023, "SwissBERT": adapters, embeddings and positions learn in pretraining, the trunk does not.
    "swissbert": ("embeddings", "adapters", "head"),
    # One more language on a finished model: nothing of the others changes.
    "adapters": ("adapters",),
    "full": ("embeddings", "adapters", "trunk", "head"),
    # The trunk's matrices through low-rank updates; see pretraining/relora.py.
    "relora": ("embeddings", "adapters", "trunk", "head"),
    # Pfeiffer et al. 2022, "X-MOD": in fine-tuning the other way round, so that the task works with any adapter ...
    "task": ("trunk", "head"),
    # ... of those that are there: SwissBERT's code freezes the adapters alone.
    "all but adapters": ("embeddings", "trunk", "head"),
}


def part_of(name: str) -> Part:
    """The part that the parameter ``name`` belongs to."""
    if "adapter_modules." in name or ".adapter_layer_norm." in name:
        return "adapters"
    if name.removeprefix("roberta.").startswith("embeddings."):
        return "embeddings"
    return "trunk" if name.removeprefix("roberta.").startswith("encoder.") else "head"


def language_of(name: str) -> str | None:
    """The language whose adapter the parameter ``name`` belongs to."""
    match = _ADAPTER.fullmatch(name)
    return match[2] if match else None


def learned(parts: Mapping[str, tuple[int, int]]) -> dict[str, list[str]]:
    """For a model's history: which parts learned and which were frozen, from what :func:`train_only` says."""
    return {
        "learned": [part for part, (trainable, _) in parts.items() if trainable],
        "frozen": [part for part, (trainable, _) in parts.items() if not trainable],
    }


def train_only(
    model: nn.Module, parts: Collection[Part], languages: Collection[str] | None = None
) -> dict[str, tuple[int, int]]:
    """Let the parameters of ``parts`` learn and freeze all others.

    Args:
        model: any X-MOD model.
        parts: what learns.
        languages: of the adapters only these learn, and no norm that all adapters share; by default all do.

    Returns:
        the :func:`parameter_counts`.
    """
    for name, parameter in model.named_parameters():
        part = part_of(name)
        mine = part != "adapters" or languages is None or language_of(name) in languages
        parameter.requires_grad = part in parts and mine
    return parameter_counts(model)


def parameter_counts(model: nn.Module) -> dict[str, tuple[int, int]]:
    """(trainable, total) number of parameters of each part, tied weights counted once."""
    total: Counter[str] = Counter()
    trainable: Counter[str] = Counter()
    for name, parameter in model.named_parameters():
        if ".original_module." in name:  # a head as it was before peft made a copy of it that learns
            continue
        count = parameter.numel() * (2 if parameter.dtype == torch.uint8 else 1)  # two of 4 bits each
        total[part_of(name)] += count
        trainable[part_of(name)] += count * parameter.requires_grad
    return {part: (trainable[part], count) for part, count in total.items()}


def frozen_checksums(model: nn.Module) -> dict[str, int]:
    """A checksum of each parameter that does not learn, to prove that training leaves it alone, bit for bit."""
    return checksums(model, {name for name, parameter in model.named_parameters() if not parameter.requires_grad})


def checksums(model: nn.Module, names: Collection[str]) -> dict[str, int]:
    """A checksum of each of the parameters ``names``."""
    return {
        name: zlib.crc32(parameter.detach().cpu().contiguous().view(torch.uint8).numpy().data)
        for name, parameter in model.named_parameters()
        if name in names
    }


def with_one_more(model: ModelT, language: str, olds: Collection[str]) -> ModelT:
    """A copy of ``model`` with ``language`` as its last one, a copy or mean of others; see :func:`with_languages`."""
    return with_languages(model, {name: [name] for name in model.languages} | {language: olds})


def with_languages(model: ModelT, starts: Mapping[str, Collection[str]]) -> ModelT:
    """A copy of ``model`` with other languages; ``model`` itself stays as it is.

    SwissBERT came from X-MOD like this: German, French and Italian adapters as they were, all others left out; its code
    can average several for a new language (Vamvas et al. 2023).

    Args:
        model: any X-MOD model.
        starts: for each language, in their new order, the adapters of ``model`` that its own is a copy or the mean of.
    """
    config = copy.deepcopy(model.config)
    config.languages = list(starts)
    config.default_language = model.config.default_language if model.config.default_language in starts else None
    weights = model.state_dict()
    moved = {}
    for key, value in weights.items():
        if (match := _ADAPTER.fullmatch(key)) is None:
            moved[key] = value.clone()
            continue
        before, language, after = match.groups()
        if language != model.config.languages[0]:
            continue
        for new, olds in starts.items():
            parts = [weights[f"{before}{old}{after}"] for old in olds]
            moved[f"{before}{new}{after}"] = torch.stack(parts).mean(dim=0) if len(parts) > 1 else parts[0].clone()
    other = type(model)(config)
    if getattr(model, "pooler", other) is None:
        other.pooler = None
    other.load_state_dict(moved)
    return other
