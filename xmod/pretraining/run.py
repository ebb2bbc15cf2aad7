"""Pretraining as one step: text and a model in, an adapted model out."""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ...errors import UserError
from ...files import fingerprint, refuse_used_folder
from ...settings import PATHS, Pretrain
from ...texts import as_list
from ...tokenizer.pieces import Pieces
from ...tokenizer.pipeline import BYTES
from ..adapter_files import export_adapter
from ..adapters import PLANS, frozen_checksums, learned, train_only, with_one_more
from ..checkpoints import load_with_tokenizer, read_history, save_checkpoint
from ..languages import adapter_key, by_adapter, may_mean, starting_adapters
from ..modeling import XmodForMaskedLM
from ..training import TrainingPlan, autocast, dropout, precision_name, train
from .corpus import draw_blocks, first_blocks
from .masking import MaskedBlocks, collate_blocks

DEV_SEED = 7_654_321
LOG = logging.getLogger(__name__)


def pretrain(settings: Pretrain, out: str | Path) -> dict[str, Any]:
    """Pretrain a model and write it; a run that was interrupted goes on from its last checkpoint.

    Args:
        settings: the model, the text, and how to train.
        out: folder to make; beside it a hidden work folder holds the checkpoints until the end.

    Returns:
        trainable and total parameters of each part, pieces seen of each language, and the dev loss of each language
        before and after, in bits per character.

    Raises:
        UserError: for a model, language or text that cannot be used.
    """
    out = Path(out)
    refuse_used_folder(out)
    model, tokenizer = load_with_tokenizer(XmodForMaskedLM, settings.model)
    if settings.add_language:
        model = _with_new_language(model, settings)
    corpora = by_adapter(settings.corpora, model.languages)
    dev = _dev_sets(by_adapter(settings.dev, model.languages), model, tokenizer, settings)
    if settings.block_size > (room := model.roberta.max_tokens):
        raise UserError(f"block_size: the model has {room} positions, found {settings.block_size}")
    parts = train_only(model, PLANS[settings.plan], None if settings.plan == "full" else corpora)
    LOG.info(parameter_table(parts))
    frozen = frozen_checksums(model)
    blocks, languages = draw_blocks(
        corpora,
        tokenizer,
        n_blocks=settings.steps * settings.batch_size,
        block_size=settings.block_size,
        alpha=settings.alpha,
        seed=settings.seed,
    )
    lang_ids = torch.tensor([model.language_id(language) for language in languages])
    dataset = MaskedBlocks(blocks, lang_ids, tokenizer, settings.mask_probability, settings.seed, settings.whole_words)
    work = out.parent / f".{out.name}-{fingerprint(asdict(settings), PATHS)[:12]}.work"
    before = dev_bits(model, dev, settings)
    with dropout(model, settings.dropout):
        plan = TrainingPlan.of(settings, steps=settings.steps, title="pretrain", save_steps=settings.save_steps)
        curve = train(model, dataset, collate_blocks, plan, work)
    if changed := [name for name, checksum in frozen_checksums(model).items() if checksum != frozen[name]]:
        raise RuntimeError(f"training changed {len(changed)} weights that were frozen, such as {changed[0]}")
    summary = {
        "parameters": parts,
        "pieces": {name: languages.count(name) * settings.block_size for name in corpora},
        "bits_per_character": {"before": before, "after": dev_bits(model, dev, settings)},
    }
    record = {
        "step": "pretrain",
        "languages": [language for language in corpora if language in languages],
        "plan": settings.plan,
        **learned(parts),
        "steps": settings.steps,
        "pieces": summary["pieces"],
        "bits_per_character": summary["bits_per_character"],
        "precision": precision_name(settings.precision),
        "seed": settings.seed,
    }
    history = [*(read_history(settings.model) or []), record]
    extras = {}
    if settings.add_language:
        extras["adapter"] = partial(export_adapter, model, adapter_key(settings.add_language), history=history)
    save_checkpoint(out, model, tokenizer, history, curve, extras)
    shutil.rmtree(work, ignore_errors=True)
    return summary


def _with_new_language(model: XmodForMaskedLM, settings: Pretrain) -> XmodForMaskedLM:
    """The model with one more language, whose adapter is that of another one, or an average."""
    language = adapter_key(str(settings.add_language))
    if there := [name for name in model.languages if may_mean(language, name)]:
        raise UserError(f"add_language: the model has {language!r} already, as {there[0]}")
    olds = starting_adapters(language, as_list(settings.start), model.languages, "--start")
    return with_one_more(model, language, olds).to(model.device)


def parameter_table(parts: Mapping[str, tuple[int, int]]) -> str:
    """What learns, for people: a line for each part with its trainable and all parameters."""
    rows = [*parts.items(), ("total", tuple(map(sum, zip(*parts.values(), strict=True))))]
    lines = [f"{name:<12}{learning:>14,}{total:>14,}" for name, (learning, total) in rows]
    return "\n".join([f"{'part':<12}{'trainable':>14}{'parameters':>14}", *lines])


def _dev_sets(
    dev: dict[str, Any], model: XmodForMaskedLM, tokenizer: PreTrainedTokenizerFast, settings: Pretrain
) -> dict[str, MaskedBlocks]:
    sets = {}
    for language, paths in dev.items():
        blocks = first_blocks(
            paths, tokenizer, n_blocks=settings.dev_blocks, block_size=settings.block_size, language=language
        )
        lang_ids = torch.full((len(blocks),), model.language_id(language))
        # Always the same masks: a loss before and after, or of two runs, is measured on the same pieces.
        sets[language] = MaskedBlocks(blocks, lang_ids, tokenizer, settings.mask_probability, DEV_SEED)
    return sets


@torch.no_grad()
def dev_bits(model: XmodForMaskedLM, dev: dict[str, MaskedBlocks], settings: Pretrain) -> dict[str, float]:
    """Bits per character of each language: the negative log2 probability of the masked pieces over their characters.

    Per character, since losses per piece of two vocabularies cannot be compared.
    """
    model.eval()
    bits = {}
    for language, dataset in dev.items():
        lengths = piece_characters(dataset.tokenizer)
        nats = characters = 0.0
        for start in range(0, len(dataset), settings.batch_size):
            items = [dataset[i] for i in range(start, min(start + settings.batch_size, len(dataset)))]
            batch = {key: value.to(model.device) for key, value in collate_blocks(items).items()}
            with autocast(settings.precision):
                loss = model(**batch, logits_at="labels").loss
            chosen = batch["labels"][batch["labels"] >= 0].cpu()
            nats += float(loss) * len(chosen)
            characters += float(lengths[chosen].sum())
        bits[language] = round(nats / math.log(2) / characters, 4)
    return bits


def piece_characters(tokenizer: PreTrainedTokenizerFast) -> Tensor:
    """Number of characters that each piece spells, the blank before a word included; shape (vocabulary,)."""
    lengths = torch.zeros(len(tokenizer), dtype=torch.long)
    for piece, number in Pieces(tokenizer).numbers.items():
        # Of the bytes of a character the first one counts, which UTF-8 tells from those that follow.
        lengths[number] = (not 0x80 <= BYTES.index(piece) < 0xC0) if piece in BYTES else len(piece)
    return lengths
