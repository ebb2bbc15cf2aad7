"""Models for people to download: the same folder in a quarter of the space."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..files import refuse_used_folder
from ..settings import ModelCompress
from ..tokenizer.folders import load_tokenizer
from .checkpoints import load, read_history, save_checkpoint


def compress_model(settings: ModelCompress, out: str | Path) -> dict[str, Any]:
    """Write a model with its matrices as 8-bit integers.

    Args:
        settings: the model.
        out: folder to make.

    Returns:
        number of parameters, and of bytes of the new folder.

    Raises:
        UserError: for a model that cannot be loaded.
    """
    refuse_used_folder(out)
    model, tokenizer = load(settings.model), load_tokenizer(settings.model)
    history = [*(read_history(settings.model) or []), {"step": "compress", "form": "int8"}]
    save_checkpoint(out, model, tokenizer, history, int8=True)
    return {"parameters": model.num_parameters(), "bytes": sum(file.stat().st_size for file in Path(out).iterdir())}
