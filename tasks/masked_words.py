"""How well a model predicts words of a text that are masked, in a measure that all vocabularies share."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ..xmod.inference import count_dropped, count_windowed, cut_words
from ..xmod.modeling import XmodForMaskedLM
from .fill import at_places

PART = 1000
"""Bits are counted in thousandths, so that counts are whole numbers."""


class MaskedBits(NamedTuple):
    """What the masked words of texts cost."""

    counts: np.ndarray
    """For each text thousandths of a bit, characters and words that were masked, shape (texts, 3)."""
    windowed: int
    """Texts longer than the model's positions, read in overlapping windows."""
    dropped: int
    """Words without a piece, which the model cannot see; none of them is masked."""


def chosen_words(words: Sequence[str], share: float, seed: int) -> set[int]:
    """Numbers of the words to mask, at least one; of the same text the same ones, whatever the vocabulary is."""
    chance = random.Random(f"{seed} {' '.join(words)}")
    return set(chance.sample(range(len(words)), max(1, round(share * len(words)))))


def masked_bits(
    model: XmodForMaskedLM,
    tokenizer: PreTrainedTokenizerFast,
    texts: Sequence[Sequence[str]],
    language: str,
    share: float,
    seed: int,
) -> MaskedBits:
    """What the words that are masked cost: all pieces of a word are, each is predicted from what is left of the text.

    Args:
        model: with its masked-language-modelling head; in evaluation mode afterwards.
        tokenizer: of the model.
        texts: words of each.
        language: the adapter that reads them.
        share: of the words of a text to mask.
        seed: of their choice.

    Raises:
        UserError: if the model has no adapter for the language.
    """
    cut = cut_words(tokenizer, texts)
    places: list[list[int]] = []
    counts = np.zeros((len(texts), 3), dtype=int)
    for number, (words, pieces) in enumerate(zip(texts, cut, strict=True)):
        masked = chosen_words(words, share, seed) & set(pieces.words)
        places.append([place for place, word in enumerate(pieces.words) if word in masked])
        counts[number, 1:] = sum(len(words[word]) for word in masked), len(masked)
    rows = [
        [tokenizer.mask_token_id if place in hidden else piece for place, piece in enumerate(pieces.ids)]
        for pieces, hidden in zip(cut, map(set, places), strict=True)
    ]

    def bits(number: int, logits: Tensor) -> float:
        wanted = torch.tensor([cut[number].ids[place] for place in places[number]], dtype=torch.long)
        return float(torch.nn.functional.cross_entropy(logits, wanted, reduction="sum")) / math.log(2)

    costs = at_places(model, tokenizer, rows, places, language, bits, title="predict")
    counts[:, 0] = np.round(PART * np.array(costs))
    ids = [pieces.ids for pieces in cut]
    return MaskedBits(counts, count_windowed(model, ids), count_dropped(cut, texts))


def bits_per_character(counts: np.ndarray) -> np.ndarray:
    """Bits of summed counts (..., 2 or more), over their characters; 0 where there are none."""
    bits, characters = np.moveaxis(np.asarray(counts, dtype=float)[..., :2], -1, 0)
    return np.where(characters > 0, bits / PART / np.where(characters > 0, characters, 1), 0.0)
