"""What a model is made of, and where it comes from."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from ..settings import ModelInfo
from ..tokenizer.folders import load_tokenizer
from ..tokenizer.pieces import Pieces
from ..tokenizer.pipeline import BYTES
from .adapters import language_of, part_of
from .checkpoints import load, read_history
from .modeling import XmodPreTrainedModel


def model_info(settings: ModelInfo) -> dict[str, Any]:
    """Describe a model folder or hub name.

    Returns:
        class; languages; sizes; parameters of each part and of each language's adapter; vocabulary; what the last
        training step let learn and what it froze; the steps that made the model, oldest first. The last two are None
        for a model whose folder does not say.

    Raises:
        UserError: if it is no X-MOD model, or it or its tokenizer cannot be loaded.
    """
    model = load(settings.model)
    config = model.config
    history = read_history(settings.model)
    return {
        "class": type(model).__name__,
        "languages": list(config.languages),
        "default_language": config.default_language,
        "sizes": {
            "layers": config.num_hidden_layers,
            "hidden_size": config.hidden_size,
            "heads": config.num_attention_heads,
            "intermediate_size": config.intermediate_size,
            "adapter_size": config.hidden_size // config.adapter_reduction_factor,
            "longest_text": model.base_model.max_tokens,
        },
        "parameters": _parameters(model),
        "vocabulary": _vocabulary(settings.model) | {"rows": config.vocab_size},
        "last_training": _last_training(history),
        "history": history,
    }


def _parameters(model: XmodPreTrainedModel) -> dict[str, Any]:
    parts: Counter[str] = Counter()
    languages: Counter[str] = Counter()
    for name, parameter in model.named_parameters():
        parts[part_of(name)] += parameter.numel()
        if language := language_of(name):
            languages[language] += parameter.numel()
    return {"total": parts.total(), **parts, "of_each_language": dict(languages)}


def _vocabulary(source: str | Path) -> dict[str, Any]:
    tokenizer = load_tokenizer(source)
    pieces = Pieces(tokenizer)
    return {
        "pieces": len(tokenizer),
        "kind": type(tokenizer.backend_tokenizer.model).__name__,
        "byte_fallback": BYTES[0] in pieces.numbers,
        "special": {token: tokenizer.convert_tokens_to_ids(token) for token in tokenizer.all_special_tokens},
    }


def _last_training(history: list[dict[str, Any]] | None) -> dict[str, Any] | None:
    trained = [record for record in history or [] if "learned" in record]
    return {key: trained[-1][key] for key in ("step", "learned", "frozen")} if trained else None
