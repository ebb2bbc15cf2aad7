"""Languages of texts in files: text or JSONL in, JSONL out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from ..files import opened
from ..settings import PredictLanguage
from ..texts import LANGUAGE, filled, json_line, read_texts
from .detector import UNSURE, LanguageDetector

CHARACTERS = 2_000_000
"""Text that is read together; memory does not grow with the file."""


def predict_language(settings: PredictLanguage, out: str | Path) -> dict[str, Any]:
    """Tell the language of each line or object of a file; an object that says its own keeps it.

    Args:
        settings: the detector and the text.
        out: JSONL file to write, or "-" for standard output: what each object had, "language" and "probability".

    Returns:
        number of texts, of those that said their language, and of each answer.

    Raises:
        UserError: for text that cannot be read.
    """
    detector = LanguageDetector.load(settings.detector)
    counts, texts, given = Counter(dict.fromkeys([*detector.languages, UNSURE], 0)), 0, 0
    rows = (row for _, row in read_texts(settings.text, settings.text_column))
    with opened(out) as file:
        for part in filled(rows, lambda row: len(row[settings.text_column]) + 1, CHARACTERS):
            unknown = [row for row in part if not isinstance(row.get(LANGUAGE), str)]
            for row, found in zip(
                unknown, detector.detect([row[settings.text_column] for row in unknown]), strict=True
            ):
                row.update({LANGUAGE: found.language, "probability": round(found.probability, 4)})
                counts[found.language] += 1
            file.writelines(map(json_line, part))
            texts += len(part)
            given += len(part) - len(unknown)
    return {"texts": texts, "given": given, "detected": dict(counts)}
