"""How a tokenizer cuts the words of a text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

BATCH = 10_000
"""Words cut at a time."""


@dataclass(frozen=True)
class Cut:
    """A text of one language in the pieces of one tokenizer."""

    words: int
    """White-space words."""
    pieces: int
    whole: int
    """Words that are one piece."""
    unknown: int
    """Pieces that stand for characters the vocabulary does not have."""
    characters: int
    """Characters, without white space."""
    uses: NDArray[np.int64]
    """How often each piece occurs, by id."""

    @property
    def fertility(self) -> float:
        """Pieces per white-space word (Rust et al. 2021, "How Good is Your Tokenizer?")."""
        return self.pieces / self.words


def cut_words(tokenizer: PreTrainedTokenizerFast, words: Mapping[str, int]) -> Cut:
    """Cut each different word once.

    Args:
        tokenizer: of any kind.
        words: white-space words with their counts, at least one.
    """
    whole = 0
    uses = np.zeros(len(tokenizer), np.int64)
    texts = list(words)
    for start in range(0, len(texts), BATCH):
        batch = texts[start : start + BATCH]
        # After a blank, as within a text: byte-level vocabularies tell the two apart.
        encodings = tokenizer.backend_tokenizer.encode_batch_fast(
            [f" {word}" for word in batch], add_special_tokens=False
        )
        rows = [encoding.ids for encoding in encodings]
        counts = np.array([words[word] for word in batch])
        lengths = np.array([len(row) for row in rows])
        whole += int(counts[lengths == 1].sum())
        ids = np.fromiter((number for row in rows for number in row), np.int64, int(lengths.sum()))
        np.add.at(uses, ids, np.repeat(counts, lengths))
    return Cut(
        words=sum(words.values()),
        pieces=int(uses.sum()),
        whole=whole,
        unknown=int(uses[tokenizer.unk_token_id]) if tokenizer.unk_token_id is not None else 0,
        characters=sum(len(word) * count for word, count in words.items()),
        uses=uses,
    )


def count_text(documents: Iterable[str]) -> Counter[str]:
    """White-space words with their counts."""
    return Counter(word for document in documents for word in document.split())
