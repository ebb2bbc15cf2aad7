"""Models for people to download: the same folder in a quarter of the space."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..files import refuse_used_folder, rewrite_without_blanks
from ..settings import ModelCompress
from ..tokenizer.folders import load_tokenizer
from .checkpoints import is_tuned, load, read_history, save_checkpoint
from .tuned_folders import TOKENIZER, compress_tuned

STEP = "compress"


def compress_model(settings: ModelCompress, out: str | Path) -> dict[str, Any]:
    """Write a model with its matrices as 8-bit integers, or what was learned beside one in float16.

    Args:
        settings: the model.
        out: folder to make.

    Returns:
        number of parameters of the model, and of bytes of the new folder.

    Raises:
        UserError: for a model that cannot be loaded.
    """
    refuse_used_folder(out)
    model, tokenizer = load(settings.model), load_tokenizer(settings.model)
    if is_tuned(settings.model):
        compress_tuned(Path(settings.model), out, {"step": STEP, "form": "float16"})
    else:
        history = [*(read_history(settings.model) or []), {"step": STEP, "form": "int8"}]
        save_checkpoint(out, model, tokenizer, history, extras={TOKENIZER: rewrite_without_blanks}, int8=True)
    return {"parameters": model.num_parameters(), "bytes": sum(file.stat().st_size for file in Path(out).iterdir())}
