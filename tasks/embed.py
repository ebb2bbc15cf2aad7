"""Vectors of texts in files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..detection.choice import tell_languages
from ..errors import UserError
from ..files import STANDARD, new_file, opened
from ..settings import Embed
from ..texts import filled, json_line, language_of, read_texts
from ..xmod.encoding import encode
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
    model, tokenizer = load_encoder(settings.model)
    texts, detected = 0, Counter[str]()
    arrays = [torch.zeros(0, model.config.hidden_size)]
    with opened(out if settings.format == "jsonl" else STANDARD) as file:
        rows = read_texts(settings.text, settings.text_column)
        for part in filled(rows, lambda row: len(row[1][settings.text_column]) + 1, CHARACTERS):
            written = [row[settings.text_column] for _, row in part]
            known = [language_of(row, place, settings.language) for place, row in part]
            languages = tell_languages([row for _, row in part], known, written, written, model.languages, detected)
            vectors = encode(model, tokenizer, written, languages, layer=settings.layer, special=settings.special)
            texts += len(part)
            if settings.format == "npy":
                arrays.append(vectors)
                continue
            for (_, row), vector in zip(part, vectors.tolist(), strict=True):
                file.write(json_line(row | {"vector": [round(value, DECIMALS) for value in vector]}))
    if settings.format == "npy":
        with new_file(out) as temporary, temporary.open("wb") as content:
            np.save(content, torch.cat(arrays).numpy())
    told = {"texts": texts, "width": model.config.hidden_size}
    return told | ({"detected": dict(detected)} if detected else {})
