"""A model moves to a new vocabulary: embeddings, output rows and output bias together."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ..files import refuse_used_folder
from ..settings import VocabTransplant
from ..texts import read_documents
from ..tokenizer.folders import load_tokenizer
from ..tokenizer.transplant import Transplant, plan_transplant
from .checkpoints import load_with_tokenizer, read_history, save_checkpoint
from .modeling import XmodForMaskedLM

POSITIONS = "roberta.embeddings.position_embeddings.weight"


def transplant_vocabulary(settings: VocabTransplant, out: str | Path) -> dict[str, Any]:
    """Give a masked language model a new vocabulary and write it.

    Args:
        settings: the model, the new tokenizer and the rule for pieces that the old one lacks.
        out: folder to make.

    Returns:
        how many rows were copied, spelled by old pieces, taken from pieces that are used alike, drawn at random, and
        started from the mean of all because nothing spells them.

    Raises:
        UserError: if the model, a tokenizer or text cannot be read, or the model and its tokenizer do not fit.
    """
    refuse_used_folder(out)
    new_tokenizer = load_tokenizer(settings.vocab)
    model, old_tokenizer = load_with_tokenizer(XmodForMaskedLM, settings.model)
    plan = plan_transplant(old_tokenizer, new_tokenizer, settings.rule, _vectors(settings, new_tokenizer))
    moved = with_vocabulary(model, plan, new_tokenizer, settings.seed)
    counts = {"rule": settings.rule, **plan.counts, "old_vocabulary": len(old_tokenizer)}
    history = [*(read_history(settings.model) or []), {"step": "transplant", "seed": settings.seed, **counts}]
    save_checkpoint(out, moved, new_tokenizer, history)
    return counts


def _vectors(settings: VocabTransplant, tokenizer: PreTrainedTokenizerFast) -> Any:  # noqa: ANN401 - an array or None
    if settings.rule != "focus":
        return None
    from ..tokenizer.likeness import likeness_vectors

    texts = {language: read_documents(paths) for language, paths in settings.corpora.items()}
    return likeness_vectors(texts, tokenizer, settings.characters)


def with_vocabulary(
    model: XmodForMaskedLM, plan: Transplant, tokenizer: PreTrainedTokenizerFast, seed: int = 1
) -> XmodForMaskedLM:
    """A copy of ``model`` over the new vocabulary; ``model`` itself stays as it is.

    Args:
        model: with the old vocabulary.
        plan: the sources of the new rows.
        tokenizer: the new one; its special tokens become the config's.
        seed: of random rows.
    """
    old = model.config
    config = copy.deepcopy(old)
    config.vocab_size = len(plan.sources)
    config.pad_token_id = tokenizer.pad_token_id
    config.bos_token_id, config.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
    config.max_position_embeddings = old.max_position_embeddings + config.pad_token_id - old.pad_token_id
    moved = XmodForMaskedLM(config)
    weights = {key: value.cpu() for key, value in model.state_dict().items()}
    with torch.no_grad():
        rows = plan.apply(weights["roberta.embeddings.word_embeddings.weight"], seed)
        bias = plan.apply(weights["lm_head.bias"], seed)
        tied = config.tie_word_embeddings
        output_rows = rows if tied else plan.apply(weights["lm_head.decoder.weight"], seed)
    weights |= {
        "roberta.embeddings.word_embeddings.weight": rows,
        "lm_head.decoder.weight": output_rows,
        "lm_head.bias": bias,
        "lm_head.decoder.bias": bias,
        POSITIONS: move_positions(weights[POSITIONS], old.pad_token_id + 1, config.pad_token_id + 1),
    }
    moved.load_state_dict(weights)
    return moved


def move_positions(table: Tensor, old_first: int, new_first: int) -> Tensor:
    """The same position embeddings with the first one in another row: RoBERTa counts from padding + 1, BERT from 0.

    Args:
        table: shape (rows, hidden).
        old_first: row of the first position.
        new_first: where it shall be; the rows before are zero.
    """
    if old_first == new_first:
        return table.clone()
    return torch.cat([table.new_zeros(new_first, table.shape[1]), table[old_first:]])
