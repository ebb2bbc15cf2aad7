"""Made-up records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from swissxmod.eval.records import Provenance, Record


@pytest.fixture(scope="session")
def record() -> Callable[..., Record]:
    """Makes a record of names: language, score, languages trained on, seed; other fields by name."""

    def make(language: str, score: float, trained: list[str], seed: int = 1, **changes: Any) -> Record:
        provenance = Provenance(
            model="m", model_hash="a" * 64, data_hash="b" * 64, pretrained_on=[], finetuned_on=trained, train_seed=seed,
            seed=1, precision="float32", seconds=1.0, hardware="abacus", versions={}, commit=None, created="2026-01-01",
        )  # fmt: skip
        common = {"task": "ner", "metric": "f1", "dataset": "names", "split": "test", "system": "model"}
        counts = {"sentences": 1200, "clusters": 40, "items": 200, "windowed": 0, "dropped": 0}
        fields = common | counts | {"language": language, "score": score, "low": score - 2, "high": score + 2} | changes
        return Record(**fields, provenance=provenance)

    return make
