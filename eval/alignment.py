"""Measuring word alignment: AER with its interval, of the mean of all layers and of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ..files import RESULTS, new_folder, refuse_used_folder
from ..settings import EvalAlignment
from ..tasks.word_alignment import (
    Gold,
    WordVectors,
    alignment_counts,
    alignment_error_rate,
    layer_links,
    load_encoder,
    read_gold,
    read_parallel,
    word_vectors,
)
from ..xmod.checkpoints import read_history
from ..xmod.languages import resolve_language
from .intervals import bootstrap_interval
from .provenance import provenance
from .records import Record, write_records


def evaluate_alignment(settings: EvalAlignment, out: str | Path) -> dict[str, Any]:
    """Measure word alignment by matching and write the record: AER on the mean of all layers, and of each layer.

    Args:
        settings: the model, the sentences and the gold links.
        out: folder to make, with ``results.jsonl``.

    Returns:
        AER on the mean of all layers with its interval, and of the best layer.

    Raises:
        UserError: for files that cannot be read or do not fit together, or a language without an adapter.
    """
    refuse_used_folder(out)
    start = perf_counter()
    history = read_history(settings.model) or []
    model, tokenizer = load_encoder(settings.model)
    pairs = read_parallel(settings.source, settings.target)
    gold = read_gold(settings.gold, pairs)
    names = [resolve_language(name, model.languages) for name in (settings.source_language, settings.target_language)]
    source, target = (
        word_vectors(model, tokenizer, [pair[side] for pair in pairs], name) for side, name in enumerate(names)
    )
    n_layers = model.config.num_hidden_layers
    counts = {layer: _alignment_counts((source, target), gold, layer) for layer in (None, *range(n_layers + 1))}
    rates = {layer: round(float(alignment_error_rate(rows.sum(axis=0))), 4) for layer, rows in counts.items()}
    best = min(range(n_layers + 1), key=lambda layer: rates[layer])
    low, high = bootstrap_interval(counts[None], alignment_error_rate, seed=settings.seed)
    files = [settings.source, settings.target, settings.gold]
    details: dict[str, float] = {f"layer {layer}": rates[layer] for layer in range(n_layers + 1)}
    record = Record(
        task="word-alignment",
        dataset=settings.dataset,
        split=settings.split,
        language="-".join(names),
        system=settings.system,
        metric="aer",
        score=rates[None],
        low=round(low, 4),
        high=round(high, 4),
        sentences=len(pairs),
        clusters=len(pairs),
        items=sum(len(links.possible) for links in gold),
        windowed=source.windowed + target.windowed,
        dropped=source.dropped + target.dropped,
        details=details | {"layer mean": rates[None], "best layer": best},
        provenance=provenance(settings.model, files, history, "", settings.seed, perf_counter() - start),
    )
    with new_folder(out) as folder:
        write_records(folder / RESULTS, [record])
    return {"aer": rates[None], "interval": [record.low, record.high], "best_layer": best, "best_aer": rates[best]}


def _alignment_counts(sides: tuple[WordVectors, WordVectors], gold: Sequence[Gold], layer: int | None) -> np.ndarray:
    return np.array([alignment_counts(f, g) for f, g in zip(layer_links(sides, layer), gold, strict=True)])
