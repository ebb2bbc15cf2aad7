"""Masked language modelling: which pieces to predict and what the model sees in their place."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerFast

from ...tokenizer.pieces import Pieces
from ..inputs import IGNORED
from .sources import Block


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
        blocks: Sequence[Block],
        tokenizer: PreTrainedTokenizerFast,
        probability: float,
        seed: int,
        whole_words: bool = False,
    ) -> None:
        self.blocks = blocks
        self.tokenizer = tokenizer
        self.probability = probability
        self.seed = seed
        self.begins = word_beginnings(tokenizer) if whole_words else None

    def __len__(self) -> int:
        """Number of blocks."""
        return len(self.blocks)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """``input_ids`` and ``labels`` of shape (block,), and ``lang_ids``: one number, or of shape (block,)."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + index)
        ids, lang_ids = self.blocks[index]
        seen, labels = mask_pieces(ids, self.tokenizer, self.probability, generator, self.begins)
        return {"input_ids": seen, "labels": labels, "lang_ids": lang_ids}

    def collate(self, examples: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
        """A batch, padded where blocks differ in length, sorted by language, which spares the encoder the reordering.

        ``lang_ids`` are of shape (batch,), or (batch, block) if a block has two languages.
        """
        examples = sorted(examples, key=lambda example: int(example["lang_ids"].flatten()[0]))
        batch = {
            "input_ids": _padded(examples, "input_ids", int(self.tokenizer.pad_token_id)),
            "labels": _padded(examples, "labels", IGNORED),
        }
        lengths = torch.tensor([len(example["labels"]) for example in examples])
        if (lengths != lengths[0]).any():
            batch["attention_mask"] = (torch.arange(int(lengths.max())) < lengths[:, None]).long()
        if all(example["lang_ids"].dim() == 0 for example in examples):
            return batch | {"lang_ids": torch.stack([example["lang_ids"] for example in examples])}
        each = [{"lang_ids": example["lang_ids"].expand(len(example["labels"]))} for example in examples]
        return batch | {"lang_ids": _padded(each, "lang_ids", 0)}


def _padded(examples: Sequence[dict[str, Tensor]], key: str, filler: int) -> Tensor:
    return pad_sequence([example[key] for example in examples], batch_first=True, padding_value=filler)
