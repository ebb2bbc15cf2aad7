"""Corpora as documents, and how much of each language to take."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from .errors import UserError
from .files import read_lines

Paths = str | list[str]


def as_paths(paths: Paths) -> list[str]:
    """One path or several, as a list."""
    return [paths] if isinstance(paths, str) else list(paths)


def read_documents(paths: Paths) -> Iterator[str]:
    """Documents of text files, one after the other.

    ``.jsonl`` files hold one object with a "text" per line, any other file is plain text with one document a line;
    both may be compressed (``.gz``). Documents without a visible character are left out.

    Raises:
        UserError: for a file that cannot be read, or a JSON line without a "text".
    """
    for path in as_paths(paths):
        found = False
        json_lines = Path(path.removesuffix(".gz")).suffix == ".jsonl"
        for number, line in enumerate(read_lines(path), 1):
            text = _text_of(line, path, number) if json_lines and line.strip() else line
            if text.strip():
                found = True
                yield text
        if not found:
            raise UserError(f"{path}: no text in the file")


def _text_of(line: str, path: str, number: int) -> str:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{number}: not a JSON object ({error.msg})") from error
    if not isinstance(record, dict) or not isinstance(record.get("text"), str):
        raise UserError(f'{path}:{number}: expected an object with a string "text", found {line[:60]!r}')
    return record["text"]


def smoothed_shares(sizes: Mapping[str, float], alpha: float) -> dict[str, float]:
    """Share of each language, in proportion to its size to the power of ``alpha``, summing to 1.

    Exponential smoothing of multilingual sampling (Conneau and Lample 2019, "Cross-lingual Language Model
    Pretraining", section 3.1): 1 keeps the proportions, 0 makes all languages equal.
    """
    empty = [name for name, size in sizes.items() if size <= 0]
    if empty:
        raise UserError(f"no text for {', '.join(empty)}: every language needs some")
    weights = {name: size**alpha for name, size in sizes.items()}
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def total_characters(documents: Iterable[str]) -> int:
    """Number of characters of all documents together."""
    return sum(len(document) for document in documents)
