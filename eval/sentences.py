"""Measuring sentence retrieval: accuracy with its interval, in both directions and in each."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ..files import new_folder, refuse_used_folder
from ..settings import EvalSentences
from ..tasks.alignment_tuning import STEP
from ..tasks.sentence_alignment import Search, accuracy, are_right, find_translations, read_sentences
from ..tasks.word_alignment import load_encoder
from ..xmod.checkpoints import read_history
from .adapters import readers
from .counts import Measured, digest, single, write_measured
from .intervals import bootstrap_interval
from .provenance import provenance
from .records import Provenance, Record, percent


def evaluate_sentences(settings: EvalSentences, out: str | Path) -> dict[str, Any]:
    """Measure sentence retrieval and write the records: accuracy, mean of both directions, and in each direction.

    Args:
        settings: the model and the sentences.
        out: folder to make, with ``results.jsonl``.

    Returns:
        accuracy in percent and its interval, for "de_CH-rm_CH" (the mean), "de_CH>rm_CH" and "rm_CH>de_CH"; only the
        mean where both sides are in one language, whose directions have no names of their own.

    Raises:
        UserError: for files that cannot be read or do not fit together, or a language without an adapter.
    """
    refuse_used_folder(out)
    start = perf_counter()
    history = read_history(settings.model) or []
    model, tokenizer = load_encoder(settings.model)
    pairs = read_sentences(settings.source, settings.target)
    names, adapters = zip(*readers(settings.languages, settings.read_as, model.languages), strict=True)
    search = find_translations(model, tokenizer, list(zip(*pairs, strict=True)), adapters, settings.score)
    found = are_right(search.found, pairs)
    files = [settings.source, settings.target]
    where = provenance(settings.model, files, history, STEP, settings, perf_counter() - start)
    views = [("-", 1, found)]
    if names[0] != names[1]:
        views += [(">", 1, found[:, :1]), (">", -1, found[:, 1:])]
    items = digest(pairs)
    measured = []
    for sign, order, hits in views:
        language, adapter = (sign.join(keys[::order]) for keys in (names, adapters))
        told = _sentence_record(hits, search, language, None if adapter == language else adapter, settings, where)
        measured.append(Measured(*told, single(len(pairs)), items))
    with new_folder(out) as folder:
        write_measured(folder, measured)
    records = [each.record for each in measured]
    return {r.language: {"accuracy": r.score, "interval": [r.low, r.high]} for r in records}


def _sentence_record(
    hits: np.ndarray,
    search: Search,
    language: str,
    adapter: str | None,
    settings: EvalSentences,
    provenance: Provenance,
) -> tuple[Record, np.ndarray]:
    """The record of what was found in one direction or both, shape (pairs, directions), and its counts."""
    counts = np.stack([hits.sum(axis=1), np.full(len(hits), hits.shape[1])], axis=1)
    low, high = bootstrap_interval(counts, accuracy, seed=settings.seed)
    record = Record(
        task="sentence-retrieval",
        dataset=settings.dataset,
        split=settings.split,
        language=language,
        adapter=adapter,
        system=settings.system,
        metric="accuracy",
        score=percent(accuracy(counts.sum(axis=0))),
        low=percent(low),
        high=percent(high),
        sentences=len(hits),
        clusters=len(hits),
        items=hits.size,
        windowed=search.windowed,
        dropped=search.dropped,
        provenance=provenance,
    )
    return record, counts
