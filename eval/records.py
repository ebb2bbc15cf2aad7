"""Result records: what was measured, on what, by what; zero-shot is derived from what the model has seen."""

from __future__ import annotations

import copy
import platform
import re
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    computed_field,
    model_validator,
)

from ..checked import checked
from ..files import read_lines, write_text
from ..xmod.languages import same_language

LOWER_IS_BETTER = frozenset({"aer", "bits_per_character"})
"""Metrics."""


class Provenance(BaseModel):
    """Where a number comes from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    """Name of the model's folder."""
    model_hash: str
    """SHA-256 of the model's folder."""
    data_hash: str
    """SHA-256 of the data files."""
    data_revision: str = ""
    """Which version of the data it was; empty where nobody said."""
    data_licence: str = ""
    """Licence of the data; empty where nobody said."""
    pretrained_on: list[str]
    """Languages of pretraining steps, as the model's history tells."""
    finetuned_on: list[str]
    """Languages of fine-tuning on this task."""
    train_seed: int | None
    """Seed of the last training step; None for an untrained model."""
    seed: int
    """Seed of the bootstrap."""
    precision: str
    """Precision of the last training step; evaluation computes in float32, but for a system "in 4 bits" or 8."""
    seconds: float
    hardware: str
    versions: dict[str, str]
    commit: str | None
    """Commit of the package, where it runs from a checkout."""
    created: str
    """UTC, ISO 8601."""


class Record(BaseModel):
    """One score."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: Literal["ner", "stance", "word-alignment", "sentence-retrieval", "fill-mask"]
    dataset: str
    split: str
    language: str
    """Tested language, an adapter's key; of two sides "de_CH-rm_CH", of retrieval in one direction "de_CH>rm_CH"."""
    adapter: str | None = None
    """The adapter that read the text, which may be another language's; of a pair both, None where each is its own."""
    system: str
    """What was measured, such as "adapted", "trunk" or "adapted in 4 bits"."""
    metric: Literal["f1", "macro_f1", "aer", "accuracy", "bits_per_character"]
    """Entity F1 (strict, micro), mean F1 of labels, or accuracy of retrieval in percent, higher is better; alignment
    error rate from 0 to 1 and bits per character, lower is better."""
    score: float
    low: float
    high: float
    """Ends of the 95% bootstrap interval."""
    sentences: int = Field(ge=1)
    clusters: int = Field(ge=1)
    """Units of the bootstrap: documents where they are known, else sentences."""
    items: int = Field(ge=0)
    """Gold entities or links, translations to find, or words to predict."""
    windowed: int = Field(ge=0)
    """Sentences longer than the model's positions, read in overlapping windows."""
    dropped: int = Field(ge=0)
    """Words without a piece, which the model cannot see."""
    cut: int = Field(default=0, ge=0)
    """Texts longer than the model reads, cut at their end."""
    details: dict[str, float] = Field(default_factory=dict)
    """Further scores: precision, recall, F1 of each entity type, AER of each layer."""
    provenance: Provenance

    @property
    def by_other_adapter(self) -> bool:
        """Whether another language's adapter read the text."""
        return self.adapter not in (None, self.language)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def zero_shot(self) -> bool | None:
        """Whether the task was learned, and in other languages only; None where no task was learned."""
        trained = self.provenance.finetuned_on
        return not any(same_language(side, seen) for side in self._sides() for seen in trained) if trained else None

    def _sides(self) -> list[str]:
        """The languages tested. Where "-" may part two of them or stand inside one, each part counts as one."""
        pair = self.task in ("word-alignment", "sentence-retrieval")
        return re.split("[->]", self.language) if pair else [self.language]

    @model_validator(mode="wrap")
    @classmethod
    def _zero_shot_is_derived(cls, data: Any, handler: ModelWrapValidatorHandler[Record]) -> Record:  # noqa: ANN401
        told = data.pop("zero_shot", ...) if isinstance(data := copy.copy(data), dict) else ...
        record = handler(data)
        if told is not ... and told != record.zero_shot:
            raise ValueError(f"zero_shot is {told}, but the languages trained on make it {record.zero_shot}")
        return record

    @model_validator(mode="after")
    def _interval_in_order(self) -> Record:
        if not self.low <= self.high:
            raise ValueError(f"the interval is upside down: {self.low} to {self.high}")
        return self


def write_records(path: str | Path, records: Iterable[Record]) -> None:
    """Write JSON Lines, whole or not at all."""
    write_text(path, "".join(record.model_dump_json() + "\n" for record in records))


def read_records(path: str | Path) -> list[Record]:
    """Read and check JSON Lines.

    Raises:
        UserError: for a line that is not a record; unknown fields and missing provenance are refused.
    """
    return [
        checked(Record, line, f"{path}:{number}", "a result record", "record")
        for number, line in enumerate(read_lines(path), 1)
        if line.strip()
    ]


def percent(share: float | np.ndarray) -> float:
    """A share from 0 to 1 as records have it: in percent, to two places."""
    return round(100 * float(share), 2)


def versions() -> dict[str, str]:
    """Versions of what a score depends on."""
    return {"python": platform.python_version()} | {
        name: metadata.version(name) for name in ("swissxmod", "torch", "transformers", "tokenizers")
    }


def hardware() -> str:
    """The device in words."""
    import torch  # reading records needs none of it

    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    name = platform.processor() or platform.machine()
    return f"{name} CPU, {torch.get_num_threads()} threads"
