"""In which precision this device computes best, for training and for reading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast

from ..settings import Bits, Precision
from .checkpoints import ModelT, is_compressed, load_with_tokenizer


def uses_bfloat16(precision: Precision) -> bool:
    """Whether ``precision`` means bfloat16 here: "auto" does where the device computes with it natively."""
    if precision != "auto":
        return precision == "bfloat16"
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # torch before 2.10 does not tell; float32 is always right.
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))


def precision_name(precision: Precision) -> str:
    """What ``precision`` means here, for the record."""
    return "bfloat16" if uses_bfloat16(precision) else "float32"


def autocast(precision: Precision) -> torch.autocast:
    """A context that computes as :func:`uses_bfloat16` says."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.autocast(device, torch.bfloat16, enabled=uses_bfloat16(precision))


def reading_dtype(source: str | Path, precision: Precision) -> torch.dtype:
    """In what a model is to be held that only reads: "auto" is bfloat16 for compressed models, where it is native.

    Their matrices were rounded to 8 bits, which is about what bfloat16 keeps; any other model computes in float32, so
    that its answers are the same everywhere.
    """
    wanted = uses_bfloat16(precision) and (precision != "auto" or is_compressed(source))
    return torch.bfloat16 if wanted else torch.float32


def load_to_read(
    model_class: type[ModelT],
    source: str | Path,
    precision: Precision,
    *,
    bits: Bits | None = None,
    **kwargs: Any,  # noqa: ANN401
) -> tuple[ModelT, PreTrainedTokenizerFast]:
    """:func:`load_with_tokenizer`, held as :func:`reading_dtype` says; in fewer bits it stays as those are."""
    model, tokenizer = load_with_tokenizer(model_class, source, bits=bits, **kwargs)
    return model if bits else model.to(reading_dtype(source, precision)), tokenizer
