"""Trunks whose matrices take 4 or 8 bits a number in memory, through ``bitsandbytes``."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig

from ..errors import UserError, needs_extra
from ..settings import Bits
from .adapters import TRUNK_MATRICES

BLOCK = 64
"""Numbers of a row that share a constant in 4 bits."""


def quantisation(bits: Bits, device: torch.device) -> dict[str, Any]:
    """What ``from_pretrained`` is to be told so that the trunk's matrices take so few bits, and all else stays.

    Embeddings, norms, language adapters and heads keep their precision. Four bits are NF4 with quantised constants
    (Dettmers et al. 2023, "QLoRA", arXiv 2305.14314), eight LLM.int8 (Dettmers et al. 2022, arXiv 2208.07339).

    Args:
        bits: 4 or 8.
        device: where the model shall be; it cannot be moved later.

    Raises:
        UserError: if the extra is not installed.
    """
    # On a processor it says of every single product that it is computed in another precision than its input.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    try:
        import bitsandbytes  # noqa: F401
    except ImportError as error:
        raise needs_extra(f"load_in_{bits}bit: trunks in {bits} bits", "quantised") from error
    from transformers import BitsAndBytesConfig

    config = BitsAndBytesConfig(
        load_in_4bit=bits == 4,
        load_in_8bit=bits == 8,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        llm_int8_skip_modules=[rf"(?!{TRUNK_MATRICES}$).*"],
    )
    return {"quantization_config": config, "device_map": {"": str(device)}}


def refuse_narrow(source: str | Path, config: PreTrainedConfig) -> None:
    """Raise :class:`UserError` for a trunk whose rows cannot be parted in blocks of 64, which share a constant.

    ``bitsandbytes`` does not refuse them on a processor, but then its products are off by a quarter.
    """
    for name in ("hidden_size", "intermediate_size"):
        if (width := getattr(config, name)) % BLOCK:
            raise UserError(
                f"{source}: load_in_4bit needs rows that {BLOCK} divides, {name} is {width}; try load_in_8bit"
            )


def leave_file(model: nn.Module) -> None:
    """Copy what was not quantised out of the file that it was read from.

    On a processor weights are views of the file in memory, and one of them keeps all of it, the matrices too.
    """
    for parameter in model.parameters():
        if parameter.is_floating_point():
            parameter.data = parameter.data.clone()
