"""How well a model predicts text, in a measure that vocabularies share."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ...settings import Pretrain
from ...tokenizer.pieces import Pieces
from ...tokenizer.pipeline import BYTES
from ..modeling import XmodForMaskedLM
from ..precision import autocast
from .masking import MaskedBlocks


@torch.no_grad()
def dev_bits(model: XmodForMaskedLM, dev: Mapping[str, MaskedBlocks], settings: Pretrain) -> dict[str, float]:
    """Bits per character of each language: the negative log2 probability of the masked pieces over their characters.

    Per character, since losses per piece of two vocabularies cannot be compared.
    """
    model.eval()
    at_once = settings.micro_batch or settings.batch_size
    bits = {}
    for language, dataset in dev.items():
        lengths = piece_characters(dataset.tokenizer)
        nats = characters = 0.0
        for start in range(0, len(dataset), at_once):
            items = [dataset[i] for i in range(start, min(start + at_once, len(dataset)))]
            batch = {key: value.to(model.device) for key, value in dataset.collate(items).items()}
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
