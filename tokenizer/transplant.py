"""New embeddings for a new vocabulary, from those of the old one.

A piece that both vocabularies have keeps its row, bit for bit; special tokens keep theirs by role. Any other piece gets
the mean of the rows of the old pieces that spell it (Gee et al. 2022, "Fast Vocabulary Transfer for Language Model
Compression"), stretched to their mean length: a mean of unlike rows is short, and a short word vector is drowned by the
position's. A piece that the old vocabulary cannot spell gets the mean of all rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

ROLES = ("bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id", "mask_token_id")


@dataclass(frozen=True)
class Transplant:
    """Which old rows make each new row."""

    rows: tuple[tuple[int, ...], ...]
    """Old ids for each new id; one is a copy, several are averaged, none means the mean of all."""

    def counts(self, old_size: int) -> dict[str, int]:
        """Number of rows that are copied, averaged, and started from the mean of all."""
        copied = sum(len(row) == 1 for row in self.rows)
        unspelled = sum(not row for row in self.rows)
        averaged = len(self.rows) - copied - unspelled
        return {"copied": copied, "averaged": averaged, "unspelled": unspelled, "old_vocabulary": old_size}

    def apply(self, old: Tensor) -> Tensor:
        """New rows from old ones: (old vocabulary, ...) to (new vocabulary, ...)."""
        mean = old.mean(dim=0)
        return torch.stack(
            [old[row[0]] if len(row) == 1 else _blend(old[list(row)]) if row else mean for row in self.rows]
        )


def _blend(rows: Tensor) -> Tensor:
    """The mean of rows, (n, hidden) to (hidden,), stretched to their mean length; of numbers, (n,), the plain mean."""
    mean = rows.mean(dim=0)
    if mean.dim() == 0:
        return mean
    return mean * rows.norm(dim=-1).mean() / mean.norm().clamp(min=1e-12)


def plan_transplant(old: PreTrainedTokenizerFast, new: PreTrainedTokenizerFast) -> Transplant:
    """Decide for each piece of ``new`` which pieces of ``old`` it starts from."""
    by_role = {getattr(new, role): getattr(old, role) for role in ROLES if getattr(old, role) is not None}
    old_vocabulary = old.get_vocab()
    model = old.backend_tokenizer.model
    rows = []
    for piece, number in sorted(new.get_vocab().items(), key=lambda item: item[1]):
        if number in by_role:
            rows.append((by_role[number],))
        elif piece in old_vocabulary:
            rows.append((old_vocabulary[piece],))
        else:
            # The model alone, without normaliser and word splitting: a piece inside a word must not get a word's "▁".
            rows.append(tuple(token.id for token in model.tokenize(piece) if token.id != old.unk_token_id))
    return Transplant(tuple(rows))
