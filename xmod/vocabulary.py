"""A model moves to a new vocabulary: embeddings, output rows and output bias together."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast

from ..errors import UserError
from ..files import refuse_used_folder
from ..settings import VocabTransplant
from ..tokenizer.transplant import Transplant, plan_transplant
from .checkpoints import load_tokenizer, load_with_tokenizer, read_history, save_checkpoint
from .modeling import XmodForMaskedLM


def transplant_vocabulary(settings: VocabTransplant, out: str | Path) -> dict[str, Any]:
    """Give a masked language model a new vocabulary and write it.

    Args:
        settings: the model and the new tokenizer.
        out: folder to make.

    Returns:
        how many rows were copied, averaged, and started from the mean of all.

    Raises:
        UserError: if the model or a tokenizer cannot be loaded, or they do not belong together.
    """
    refuse_used_folder(out)
    new_tokenizer = load_tokenizer(settings.vocab)
    model, old_tokenizer = load_with_tokenizer(XmodForMaskedLM, settings.model)
    _check_alike(old_tokenizer, new_tokenizer)
    plan = plan_transplant(old_tokenizer, new_tokenizer)
    counts = plan.counts(len(old_tokenizer))
    moved = with_vocabulary(model, plan)
    history = [*(read_history(settings.model) or []), {"step": "transplant", **counts}]
    save_checkpoint(out, moved, new_tokenizer, history)
    return counts


def _check_alike(old: PreTrainedTokenizerFast, new: PreTrainedTokenizerFast) -> None:
    """Pieces are compared as strings, so both must write a blank as "▁"; positions count from the padding's id."""
    for tokenizer in (old, new):
        if not any(piece.startswith("▁") for piece in tokenizer.get_vocab()):
            raise UserError(
                f"{tokenizer.name_or_path}: expected a SentencePiece-style vocabulary, words beginning with ▁"
            )
    for role in ("bos_token_id", "eos_token_id", "pad_token_id"):
        if getattr(old, role) != getattr(new, role):
            raise UserError(f"{role}: the model has {getattr(old, role)}, the new vocabulary {getattr(new, role)}")


def with_vocabulary(model: XmodForMaskedLM, plan: Transplant) -> XmodForMaskedLM:
    """A copy of ``model`` over the new vocabulary; ``model`` itself stays as it is."""
    config = copy.deepcopy(model.config)
    config.vocab_size = len(plan.rows)
    moved = XmodForMaskedLM(config)
    weights = model.state_dict()
    with torch.no_grad():
        rows = plan.apply(weights["roberta.embeddings.word_embeddings.weight"])
        bias = plan.apply(weights["lm_head.bias"])
    weights |= {
        "roberta.embeddings.word_embeddings.weight": rows,
        "lm_head.decoder.weight": rows,
        "lm_head.bias": bias,
        "lm_head.decoder.bias": bias,
    }
    moved.load_state_dict(weights)
    return moved
