"""Vectors of texts in files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ..detection.choice import tell_languages
from ..errors import UserError
from ..files import STANDARD, new_file, opened
from ..settings import Embed
from ..texts import Row, filled, json_line, read_texts
from ..xmod.encoding import encode
from ..xmod.modeling import XmodModel
from .word_alignment import load_encoder

CHARACTERS = 2_000_000
"""Text that is encoded together: enough to sort by length."""
DECIMALS = 6
"""Of the numbers in JSON, as many as float32 has."""


def embed(settings: Embed, out: str | Path) -> dict[str, Any]:
    """Write a vector for each text of a file.

    Args:
        settings: the model and the texts.
        out: file to write; "-" is standard output.

    Returns:
        number of texts, width of the vectors, and where no language is given, the languages that were detected.

    Raises:
        UserError: for text that cannot be read, a layer that is not there, a language that has no adapter or cannot be
            detected, or an array for standard output.
    """
    if settings.format == "npy" and str(out) == STANDARD:
        raise UserError("format: npy cannot go to standard output; name a file with --out")
    model, tokenizer = load_encoder(settings.model, settings.precision)
    detected = Counter[str]()
    parts = _encoded(settings, model, tokenizer, detected)
    texts = (
        _write_array(parts, out, model.config.hidden_size) if settings.format == "npy" else _write_objects(parts, out)
    )
    told = {"texts": texts, "width": model.config.hidden_size}
    return told | ({"detected": dict(detected)} if detected else {})


def _encoded(
    settings: Embed, model: XmodModel, tokenizer: PreTrainedTokenizerFast, detected: Counter[str]
) -> Iterator[tuple[list[Row], Tensor]]:
    """Objects and their vectors, as many as are encoded together."""
    column = settings.text_column
    for part in filled(read_texts(settings.text, column), lambda row: len(row[1][column]) + 1, CHARACTERS):
        rows = [row for _, row in part]
        texts = [row[column] for row in rows]
        languages = tell_languages(part, settings.language, texts, texts, model.languages, detected)
        yield rows, encode(model, tokenizer, texts, languages, layer=settings.layer, special=settings.special)


def _write_objects(parts: Iterable[tuple[list[Row], Tensor]], out: str | Path) -> int:
    count = 0
    with opened(out) as file:
        for rows, vectors in parts:
            for row, vector in zip(rows, vectors.tolist(), strict=True):
                file.write(json_line(row | {"vector": [round(value, DECIMALS) for value in vector]}))
            count += len(rows)
    return count


def _write_array(parts: Iterable[tuple[list[Row], Tensor]], out: str | Path, width: int) -> int:
    with new_file(out) as temporary, temporary.open("wb") as file:
        vectors = torch.cat([torch.zeros(0, width), *(found for _, found in parts)])
        np.save(file, vectors.numpy())
    return len(vectors)
