"""What a score is made of, item by item, beside the records: so that systems can be compared on the same items."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import UserError
from ..files import RESULTS, read_lines, write_text
from ..tasks.masked_words import bits_per_character
from ..tasks.ner_scores import f1
from ..tasks.sentence_alignment import accuracy
from ..tasks.stance_scores import macro_f1
from ..tasks.word_alignment import alignment_error_rate
from .records import Record, read_records, write_records

COUNTS = "counts.jsonl"
"""Beside results.jsonl: a line for each record."""
STATISTICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "f1": f1,
    "macro_f1": macro_f1,
    "aer": alignment_error_rate,
    "accuracy": accuracy,
    "bits_per_character": bits_per_character,
}
"""Of each metric what makes it, from 0 to 1, of summed counts."""


class Counts(BaseModel):
    """Counts of the clusters that a record's interval is from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    record: str
    """Which record they belong to, see :func:`record_key`."""
    items: str
    """SHA-256 of what was tested, with its gold standard: only counts of the same can be compared."""
    clusters: list[str]
    counts: list[list[int]]
    """Of each cluster; what they count, the metric says."""


@dataclass(frozen=True)
class Measured:
    """A record and what its score is made of."""

    record: Record
    counts: np.ndarray
    """Shape (clusters, k)."""
    clusters: Sequence[str]
    items: str


def single(count: int) -> list[str]:
    """Clusters of items that nothing joins: each is its own, under its number from 1 on."""
    return [str(number) for number in range(1, count + 1)]


def digest(items: Iterable[Any]) -> str:
    """SHA-256 of items that JSON can hold, and of their order."""
    sha = hashlib.sha256()
    for item in items:
        sha.update(json.dumps(item, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
    return sha.hexdigest()


def record_key(record: Record) -> str:
    """Tells a record from all others, also when fields are added to records later."""
    origin = record.provenance
    fields = [record.task, record.dataset, record.split, record.language, record.adapter, record.system, record.score]
    return digest([[*fields, origin.model_hash, origin.data_hash, origin.train_seed, origin.created]])


def write_measured(folder: Path, measured: Sequence[Measured]) -> None:
    """Write records and counts into a new folder."""
    write_records(folder / RESULTS, [each.record for each in measured])
    lines = [
        Counts(
            record=record_key(each.record),
            items=each.items,
            clusters=list(each.clusters),
            counts=np.asarray(each.counts).astype(int).tolist(),
        ).model_dump_json()
        for each in measured
    ]
    write_text(folder / COUNTS, "".join(f"{line}\n" for line in lines))


def read_measured(path: str | Path) -> list[Measured]:
    """Records with their counts.

    Args:
        path: results.jsonl, or its folder.

    Raises:
        UserError: for a file that cannot be read, or a record without counts.
    """
    path = Path(path) / RESULTS if Path(path).is_dir() else Path(path)
    records = read_records(path)
    beside = path.with_name(COUNTS)
    if not beside.is_file():
        raise UserError(f"{beside}: no such file; results can be compared with the counts that eval writes beside them")
    try:
        counts = {each.record: each for each in map(Counts.model_validate_json, read_lines(beside))}
    except ValidationError as error:
        raise UserError(f"{beside}: not the counts of results: {error.errors()[0]['msg']}") from error
    found = []
    for number, record in enumerate(records, 1):
        if (own := counts.get(record_key(record))) is None:
            raise UserError(f"{path}:{number}: the record has no counts in {beside}; measure it again")
        found.append(Measured(record, np.array(own.counts), own.clusters, own.items))
    return found
