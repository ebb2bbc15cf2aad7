"""Masked language modelling: which pieces to predict and what the model sees in their place."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerFast

from ...tokenizer.pieces import Pieces
from ..inputs import IGNORED


def word_beginnings(tokenizer: PreTrainedTokenizerFast) -> Tensor:
    """Which pieces begin a word, or are a sign of their own; shape (vocabulary,)."""
    begins = torch.ones(len(tokenizer), dtype=torch.bool)
    for piece, number in Pieces(tokenizer).numbers.items():
        begins[number] = not piece[0].isalnum()
    return begins


def mask_pieces(
    ids: Tensor,
    tokenizer: PreTrainedTokenizerFast,
    probability: float,
    generator: torch.Generator,
    begins: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Choose pieces to predict: 80% become ``<mask>``, 10% a random piece, 10% stay (Devlin et al. 2019, BERT).

    Args:
        ids: shape (n,).
        tokenizer: names the special pieces, which are never chosen.
        probability: of a piece to be chosen; at least one always is.
        generator: makes the choice repeatable.
        begins: which pieces begin words: then words are chosen, all their pieces or none (BERT's whole-word masking).

    Returns:
        what the model sees, and the labels (-100 where nothing is to be predicted), both of shape (n,).
    """
    special = torch.isin(ids, torch.tensor(tokenizer.all_special_ids))
    chance = torch.rand(ids.shape, generator=generator)
    if begins is not None:
        words = (begins[ids] | special).long().cumsum(0)
        chance = chance[words - words[0]]
    chance = chance.masked_fill(special, 2.0)
    chosen = chance < probability
    if not chosen.any() and not special.all():
        chosen = chance == chance.min()
    labels = ids.masked_fill(~chosen, IGNORED)
    fate = torch.rand(ids.shape, generator=generator)
    random_ids = torch.randint(len(tokenizer), ids.shape, generator=generator)
    seen = torch.where(chosen & (fate < 0.8), torch.tensor(tokenizer.mask_token_id), ids)
    return torch.where(chosen & (fate >= 0.9), random_ids, seen), labels


class MaskedBlocks(Dataset[dict[str, Tensor]]):
    """Blocks masked afresh wherever they stand in the data, always alike for the same seed and place."""

    def __init__(
        self,
        blocks: Sequence[Tensor] | Tensor,
        lang_ids: Tensor,
        tokenizer: PreTrainedTokenizerFast,
        probability: float,
        seed: int,
        whole_words: bool = False,
    ) -> None:
        self.blocks = blocks
        self.lang_ids = lang_ids
        self.tokenizer = tokenizer
        self.probability = probability
        self.seed = seed
        self.begins = word_beginnings(tokenizer) if whole_words else None

    def __len__(self) -> int:
        """Number of blocks."""
        return len(self.blocks)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """``input_ids`` and ``labels`` of shape (block,), and the adapter's number."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + index)
        ids = self.blocks[index].long()
        seen, labels = mask_pieces(ids, self.tokenizer, self.probability, generator, self.begins)
        return {"input_ids": seen, "labels": labels, "lang_ids": self.lang_ids[index]}


def collate_blocks(examples: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Stack blocks sorted by language, which spares the encoder the reordering."""
    examples = sorted(examples, key=lambda example: int(example["lang_ids"]))
    return {key: torch.stack([example[key] for example in examples]) for key in examples[0]}
