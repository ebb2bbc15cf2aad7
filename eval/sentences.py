"""Measuring sentence retrieval: accuracy with its interval, in both directions and in each."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ..files import RESULTS, new_folder, refuse_used_folder
from ..settings import EvalSentences
from ..tasks.sentence_alignment import Search, accuracy, are_right, find_translations, read_sentences
from ..tasks.word_alignment import load_encoder
from ..xmod.checkpoints import read_history
from ..xmod.languages import resolve_language
from .intervals import bootstrap_interval
from .provenance import provenance
from .records import Provenance, Record, percent, write_records


def evaluate_sentences(settings: EvalSentences, out: str | Path) -> dict[str, Any]:
    """Measure sentence retrieval and write the records: accuracy, mean of both directions, and in each direction.

    Args:
        settings: the model and the sentences.
        out: folder to make, with ``results.jsonl``.

    Returns:
        accuracy in percent and its interval, for "de_CH-rm_CH" (the mean), "de_CH>rm_CH" and "rm_CH>de_CH".

    Raises:
        UserError: for files that cannot be read or do not fit together, or a language without an adapter.
    """
    refuse_used_folder(out)
    start = perf_counter()
    history = read_history(settings.model) or []
    model, tokenizer = load_encoder(settings.model)
    pairs = read_sentences(settings.source, settings.target)
    names = [resolve_language(name, model.languages) for name in settings.languages]
    search = find_translations(model, tokenizer, list(zip(*pairs, strict=True)), names, settings.score)
    found = are_right(search.found, pairs)
    files = [settings.source, settings.target]
    where = provenance(settings.model, files, history, "", settings.seed, perf_counter() - start)
    views = [("-".join(names), found), (">".join(names), found[:, :1]), (">".join(names[::-1]), found[:, 1:])]
    records = [_sentence_record(hits, search, language, settings, where) for language, hits in views]
    with new_folder(out) as folder:
        write_records(folder / RESULTS, records)
    return {r.language: {"accuracy": r.score, "interval": [r.low, r.high]} for r in records}


def _sentence_record(
    hits: np.ndarray,
    search: Search,
    language: str,
    settings: EvalSentences,
    provenance: Provenance,
) -> Record:
    """The record of what was found in one direction or both, shape (pairs, directions)."""
    counts = np.stack([hits.sum(axis=1), np.full(len(hits), hits.shape[1])], axis=1)
    low, high = bootstrap_interval(counts, accuracy, seed=settings.seed)
    return Record(
        task="sentence-retrieval",
        dataset=settings.dataset,
        split=settings.split,
        language=language,
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
