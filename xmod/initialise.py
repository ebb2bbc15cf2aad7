"""Making models with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import XmodConfig, set_seed

from ..files import refuse_used_folder
from ..settings import ModelInit
from ..tokenizer.folders import load_tokenizer
from .checkpoints import save_checkpoint
from .languages import check_languages
from .modeling import XmodForMaskedLM


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
    check_languages(settings.languages)
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
