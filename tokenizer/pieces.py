"""The pieces of a tokenizer of any family, in one spelling: SentencePiece's, in which "▁" begins a word."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from tokenizers import models
from transformers import PreTrainedTokenizerFast

from .pipeline import BLANK, BYTES


class Pieces:
    """The vocabulary of a tokenizer: SentencePiece, WordPiece as in BERT ("##er"), or byte-level as in RoBERTa."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._tokenizer = tokenizer
        self._model = tokenizer.backend_tokenizer.model
        self.numbers: dict[str, int] = {}
        """Id of each piece; special tokens are none, nor are byte pieces that are no whole character."""
        special = set(tokenizer.all_special_ids)
        for written, number in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1]):
            if number not in special:
                for piece in self._respelled(written):
                    self.numbers.setdefault(piece, number)

    def spelling(self, piece: str) -> list[int]:
        """Ids of the pieces that together spell ``piece``; none if it cannot be spelled whole, or stands for a byte."""
        if piece in BYTES:
            return []
        for text in dict.fromkeys([piece, self._normalised(piece)]):
            if ids := self._cut(text):
                return ids
        return []

    def _cut(self, piece: str) -> list[int]:
        if isinstance(self._model, models.Unigram):
            # The model alone, without normaliser and word splitting: a piece inside a word must not get a word's "▁".
            ids = [token.id for token in self._model.tokenize(piece)]
            return [] if self._tokenizer.unk_token_id in ids else ids
        return self._longest_first(piece)

    def _longest_first(self, piece: str) -> list[int]:
        ids = []
        while piece:
            length = next((n for n in range(len(piece), 0, -1) if piece[:n] in self.numbers), 0)
            if not length:
                return []
            ids.append(self.numbers[piece[:length]])
            piece = piece[length:]
        return ids

    def _normalised(self, piece: str) -> str:
        """As the tokenizer's normaliser writes it: in small letters for some, "..." for "…"."""
        if self._tokenizer.backend_tokenizer.normalizer is None:
            return piece
        text = self._tokenizer.backend_tokenizer.normalizer.normalize_str(piece.removeprefix(BLANK))
        begins = BLANK if piece.startswith(BLANK) else ""
        return begins + text.strip().removeprefix(BLANK).replace(" ", BLANK)

    def _respelled(self, written: str) -> list[str]:
        if self._is_byte_level:
            return _from_bytes(written)
        if not isinstance(self._model, models.WordPiece):
            return [written]
        inside = self._model.continuing_subword_prefix
        if written.startswith(inside) and written != inside:
            return [written.removeprefix(inside)]
        # BERT makes a word of each sign, whether it follows a blank or not.
        return [BLANK + written, written] if len(written) == 1 and not written.isalnum() else [BLANK + written]

    @cached_property
    def _is_byte_level(self) -> bool:
        return '"ByteLevel"' in json.dumps(self._state["pre_tokenizer"]) + json.dumps(self._state["decoder"])

    @cached_property
    def _state(self) -> dict[str, Any]:
        return json.loads(self._tokenizer.backend_tokenizer.to_str())


def _from_bytes(written: str) -> list[str]:
    """Byte-level pieces have a printable character for each byte (Radford et al. 2019, GPT-2)."""
    try:
        text = bytes(_BYTE_OF[character] for character in written).decode()
    except (KeyError, UnicodeDecodeError):
        return []
    return [text.replace(" ", BLANK)] if " " not in text[1:] else []


def _byte_characters() -> dict[str, int]:
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}


_BYTE_OF = _byte_characters()
