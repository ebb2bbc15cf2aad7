"""Making models: from random weights, or from a plain checkpoint so that the function stays exactly the same.

With the layer norm after the adapter and a second projection of zeros, a post-norm layer with an adapter computes what
it computed without: the adapter adds zero, and the residual around it is the state itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForMaskedLM, PreTrainedModel, XmodConfig, set_seed

from ..errors import UserError
from ..files import existing_folder, read_json, refuse_used_folder
from ..settings import ModelInit, ModelModularise
from .checkpoints import is_hub_name, load_partly, load_tokenizer, save_checkpoint
from .languages import parse_tag
from .modeling import XmodForMaskedLM

SOURCES = ("roberta", "xlm-roberta")
COPIED = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act",
    "hidden_dropout_prob", "attention_probs_dropout_prob", "max_position_embeddings", "type_vocab_size",
    "initializer_range", "layer_norm_eps", "pad_token_id", "bos_token_id", "eos_token_id",
)  # fmt: skip
TOLERANCE = 1e-5


def init_model(settings: ModelInit, out: str | Path) -> dict[str, Any]:
    """Make a model with random weights for a tokenizer.

    Args:
        settings: the tokenizer, the languages and the sizes.
        out: folder to make.

    Returns:
        number of parameters and the languages.

    Raises:
        UserError: for a tokenizer that cannot be loaded, or languages that cannot be.
    """
    refuse_used_folder(out)
    _check_languages(settings.languages)
    tokenizer = load_tokenizer(settings.vocab)
    set_seed(settings.seed)
    padding = int(tokenizer.pad_token_id)
    config = XmodConfig(
        vocab_size=len(tokenizer),
        hidden_size=settings.hidden_size,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        intermediate_size=settings.intermediate_size,
        # RoBERTa numbers positions from padding + 1.
        max_position_embeddings=settings.max_tokens + padding + 1,
        type_vocab_size=1,
        pad_token_id=padding,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        languages=settings.languages,
        adapter_reduction_factor=settings.adapter_reduction_factor,
        adapter_reuse_layer_norm=False,
        ln_before_adapter=False,
    )
    model = XmodForMaskedLM(config)
    save_checkpoint(out, model, tokenizer, [{"step": "init", "seed": settings.seed}])
    return {"parameters": model.num_parameters(), "languages": settings.languages}


def modularise_model(settings: ModelModularise, out: str | Path) -> dict[str, Any]:
    """Turn a RoBERTa or XLM-R checkpoint into an X-MOD model that computes the same function in every language.

    Args:
        settings: the checkpoint and the languages.
        out: folder to make.

    Returns:
        number of parameters, the languages, and the largest difference of a hidden state.

    Raises:
        UserError: for a checkpoint that is not of a known kind or cannot be loaded.
    """
    refuse_used_folder(out)
    _check_languages(settings.languages)
    source = _load_source(settings.source)
    tokenizer = load_tokenizer(settings.source)
    set_seed(settings.seed)
    model = modularise(source, settings.languages, settings.adapter_reduction_factor)
    difference = largest_difference(source, model)
    if difference > TOLERANCE:
        raise RuntimeError(f"modularising changed the function: hidden states differ by {difference:.1e}")
    history = [{"step": "modularise", "source": Path(settings.source).name, "seed": settings.seed}]
    save_checkpoint(out, model, tokenizer, history)
    return {
        "parameters": model.num_parameters(),
        "languages": settings.languages,
        "largest_difference": difference,
    }


def modularise(source: PreTrainedModel, languages: list[str], reduction_factor: int = 2) -> XmodForMaskedLM:
    """An X-MOD model that computes what ``source`` does, whichever of ``languages`` is chosen; ``source`` stays as is.

    Args:
        source: a RoBERTa or XLM-R masked language model.
        languages: names of the adapters.
        reduction_factor: how much narrower an adapter is than the states.
    """
    config = XmodConfig(
        **{name: getattr(source.config, name) for name in COPIED},
        languages=languages,
        adapter_reduction_factor=reduction_factor,
        adapter_reuse_layer_norm=False,
        ln_before_adapter=False,
    )
    model = XmodForMaskedLM(config)
    weights = {key: value.clone() for key, value in source.state_dict().items()}
    missing, unexpected = model.load_state_dict(weights, strict=False)
    if unexpected or any("adapter_modules" not in key for key in missing):
        raise RuntimeError(f"the key tables disagree: missing {missing[:3]}, unexpected {unexpected[:3]}")
    with torch.no_grad():
        for key, value in model.named_parameters():
            if "adapter_modules" in key and "dense2" in key:
                value.zero_()
    return model


@torch.no_grad()
def largest_difference(source: PreTrainedModel, model: XmodForMaskedLM) -> float:
    """Largest absolute difference of a last hidden state on random text with padding, over all languages."""
    generator = torch.Generator().manual_seed(0)
    padding = int(model.config.pad_token_id or 0)
    length = min(64, model.roberta.max_tokens)
    ids = torch.randint(4, model.config.vocab_size, (4, length), generator=generator)
    mask = torch.arange(length)[None, :] < torch.tensor([[length], [length // 2], [length // 3], [1]])
    ids = ids.masked_fill(~mask, padding)
    expected = source.eval().base_model(input_ids=ids, attention_mask=mask.long()).last_hidden_state[mask]
    model.eval()
    found = (
        model.roberta(ids, mask, torch.full((4,), number)).last_hidden_state[mask]
        for number in range(len(model.languages))
    )
    return max(float((expected - states).abs().max()) for states in found)


def _load_source(source: str) -> PreTrainedModel:
    if not is_hub_name(source):
        read_json(existing_folder(source) / "config.json")
    try:
        config = AutoConfig.from_pretrained(source)
    except (OSError, ValueError) as error:
        raise UserError(f"{source}: the config cannot be read: {' '.join(str(error).split())}") from error
    if config.model_type not in SOURCES:
        raise UserError(f"{source}: expected a checkpoint of type {' or '.join(SOURCES)}, found {config.model_type!r}")
    model, missing = load_partly(AutoModelForMaskedLM, source)
    if any(not key.startswith("lm_head.") for key in missing):
        raise UserError(f"{source}: weights are missing, such as {missing[0]!r}: not a whole checkpoint")
    if "lm_head.dense.weight" in missing:
        _start_as_identity(model.lm_head.dense)
    return model


def _start_as_identity(dense: nn.Linear) -> None:
    """Start the projection of a missing head so that a state first scores the embeddings it resembles."""
    nn.init.eye_(dense.weight)
    nn.init.zeros_(dense.bias)


def _check_languages(languages: list[str]) -> None:
    tags = [parse_tag(language) for language in languages]
    if len(set(tags)) < len(tags):
        raise UserError(f"languages: expected different ones, found {', '.join(languages)}")
