"""Measuring word alignment: AER with its interval, of the mean of all layers and of each."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Any

from ..files import new_folder, refuse_used_folder
from ..settings import EvalAlignment, Layer
from ..tasks.alignment_tuning import STEP
from ..tasks.word_alignment import (
    alignment_error_rate,
    chosen,
    count_links,
    count_pairs,
    load_encoder,
    read_gold,
    read_parallel,
    word_vectors,
)
from ..texts import as_list
from ..xmod.checkpoints import read_history
from .adapters import readers
from .counts import Measured, digest, single, write_measured
from .intervals import bootstrap_interval
from .provenance import provenance
from .records import Record


def evaluate_alignment(settings: EvalAlignment, out: str | Path) -> dict[str, Any]:
    """Measure word alignment and write the record: AER of one layer or the mean of all, and of each layer.

    Args:
        settings: the model, the sentences and the gold links.
        out: folder to make, with ``results.jsonl``.

    Returns:
        AER with its interval, the layer and the method it is of, and the best layer's.

    Raises:
        UserError: for files that cannot be read or do not fit together, or a language without an adapter.
    """
    refuse_used_folder(out)
    start = perf_counter()
    history = read_history(settings.model) or []
    model, tokenizer = load_encoder(settings.model)
    linking = chosen(settings, model)
    pairs = read_parallel(settings.source, settings.target)
    gold = read_gold(settings.gold, pairs)
    counted = count_pairs(pairs, settings)
    names, adapters = zip(*readers(settings.languages, settings.read_as, model.languages), strict=True)
    source, target = (
        word_vectors(model, tokenizer, [pair[side] for pair in pairs], name, pieces=linking.pieces)
        for side, name in enumerate(adapters)
    )
    n_layers = model.config.num_hidden_layers
    layers: list[Layer] = ["mean", *range(n_layers + 1)]
    counts = {each: count_links((source, target), gold, linking._replace(layer=each), counted) for each in layers}
    rates = {each: round(float(alignment_error_rate(rows.sum(axis=0))), 4) for each, rows in counts.items()}
    best = min(range(n_layers + 1), key=lambda each: rates[each])
    low, high = bootstrap_interval(counts[linking.layer], alignment_error_rate, seed=settings.seed)
    files = [settings.source, settings.target, settings.gold, *as_list(settings.counts)]
    details: dict[str, float] = {f"layer {each}": rates[each] for each in range(n_layers + 1)}
    record = Record(
        task="word-alignment",
        dataset=settings.dataset,
        split=settings.split,
        language="-".join(names),
        adapter=None if adapters == names else "-".join(adapters),
        system=settings.system,
        metric="aer",
        score=rates[linking.layer],
        low=round(low, 4),
        high=round(high, 4),
        sentences=len(pairs),
        clusters=len(pairs),
        items=sum(len(links.possible) for links in gold),
        windowed=source.windowed + target.windowed,
        dropped=source.dropped + target.dropped,
        details=details | {"layer mean": rates["mean"], "best layer": best},
        provenance=provenance(settings.model, files, history, STEP, settings, perf_counter() - start),
    )
    items = digest([*pair, sorted(links.sure), sorted(links.possible)] for pair, links in zip(pairs, gold, strict=True))
    with new_folder(out) as folder:
        write_measured(folder, [Measured(record, counts[linking.layer], single(len(pairs)), items)])
    return {
        "aer": rates[linking.layer],
        "interval": [record.low, record.high],
        **linking._asdict(),
        "best_layer": best,
        "best_aer": rates[best],
    }
