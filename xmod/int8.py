"""Weights in a quarter of their space: matrices as 8-bit integers with a scale for each row.

Symmetric absmax quantisation of rows (as the weights of LLM.int8(), Dettmers et al. 2022, and of most engines): the
largest entry of a row becomes 127. Vectors, such as biases and norms, stay as they are. This is a form of files:
models compute in float32 or bfloat16 as ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

WEIGHTS = "model.int8.safetensors"
"""Not model.safetensors: a library that does not know the scales must not find it."""
LARGEST = 127
_SMALLEST = torch.finfo(torch.float32).tiny
"""Scale of a row of zeros."""
_SCALE = ".scale"


def to_int8(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights as they are written: (rows, columns) as int8, with the scales, (rows,), beside them."""
    written = {}
    for name, value in weights.items():
        if value.dim() != 2:
            written[name] = value.float().contiguous()
            continue
        scale = (value.float().abs().amax(dim=1) / LARGEST).clamp(min=_SMALLEST)
        written[name] = (value.float() / scale[:, None]).round().to(torch.int8)
        written[name + _SCALE] = scale
    return written


def from_int8(written: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights in float32, each entry at most half a scale away from what it was."""
    return {
        name: value.float() * written[name + _SCALE][:, None] if value.dtype == torch.int8 else value
        for name, value in written.items()
        if not name.endswith(_SCALE)
    }


def is_int8(folder: str | Path) -> bool:
    """Whether a model folder has its weights in this form."""
    return (Path(folder) / WEIGHTS).is_file()


def read_int8(folder: str | Path) -> dict[str, Tensor]:
    """The weights of a folder in float32."""
    return from_int8(load_file(Path(folder) / WEIGHTS))


def write_int8(folder: str | Path, weights: Mapping[str, Tensor]) -> None:
    """Write the weights into a folder."""
    save_file(to_int8(weights), Path(folder) / WEIGHTS, metadata={"format": "pt"})
