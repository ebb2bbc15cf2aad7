from __future__ import annotations

import json
from pathlib import Path

import pytest

from swissxmod import LanguageDetector

SAMPLE = Path(__file__).parents[2] / "sample"


@pytest.fixture(scope="session")
def bundled() -> LanguageDetector:
    return LanguageDetector.load()


@pytest.fixture(scope="session")
def sample_lines() -> dict[str, list[str]]:
    """Lines of the sample, which we wrote and no detector was trained on."""
    found: dict[str, list[str]] = {}
    for language in ("de", "fr", "it", "rm"):
        for part in ("train", "dev"):
            rows = (SAMPLE / "corpora" / language / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
            found.setdefault(language, []).extend(line for row in rows for line in json.loads(row)["text"].split("\n"))
    return found
