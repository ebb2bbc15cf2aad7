"""Systems side by side on the same items: how much better is one, how sure is that, and how does it vary over seeds?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np

from ..errors import NothingToCompare, UserError
from ..files import COMPARISON, COMPARISON_TABLE, new_folder, refuse_used_folder, write_text
from ..settings import EvalCompare
from ..texts import as_list
from ..xmod.languages import parse_tag
from . import wording
from .comparison import Comparison, by_task, comparison_page
from .counts import STATISTICS, Measured, read_measured
from .intervals import holm, paired_difference
from .records import LOWER_IS_BETTER, Record


def compare_results(settings: EvalCompare, out: str | Path) -> dict[str, Any]:
    """Compare all systems that were measured on the same items after the same training, pair by pair.

    Args:
        settings: the results.
        out: folder to make, with ``comparison.jsonl`` and a table, ``comparison.md``.

    Returns:
        for each comparison the systems, the difference with its interval, and the adjusted p-value.

    Raises:
        UserError: for results that cannot be read.
        NothingToCompare: for none of two systems on the same items; the message says of which data the items differ.
    """
    refuse_used_folder(out)
    measured = _different(each for path in as_list(settings.results) for each in read_measured(path))
    found = compare(measured, seed=settings.seed, resamples=settings.resamples)
    if not found:
        raise NothingToCompare(_nothing_to_compare(measured))
    with new_folder(out) as folder:
        write_text(folder / COMPARISON, "".join(f"{each.model_dump_json()}\n" for each in found))
        write_text(folder / COMPARISON_TABLE, comparison_page(found))
    told = [
        {
            "data": f"{each.dataset} ({each.split}), {each.language}",
            "trained_on": " ".join(each.trained_on) or "-",
            "systems": f"{each.first} - {each.second}",
            "difference": each.difference,
            "interval": [each.low, each.high],
            "p_holm": each.p_holm,
        }
        for each in found
    ]
    return {"comparisons": told}


def compare(measured: Sequence[Measured], *, seed: int, resamples: int) -> list[Comparison]:
    """Compare all pairs of systems, see :func:`compare_results`; in the order of the tasks.

    Args:
        measured: records with their counts.
        seed: of the resampling.
        resamples: how many.
    """
    groups: dict[tuple[Any, ...], dict[tuple[str, str | None], list[Measured]]] = {}
    for each in measured:
        record = each.record
        languages = frozenset(parse_tag(name).language for name in record.provenance.finetuned_on)
        where = (record.task, record.dataset, record.split, record.metric, _direction(record), each.items, languages)
        adapter = record.adapter if record.by_other_adapter else None
        groups.setdefault(where, {}).setdefault((record.system, adapter), []).append(each)
    pairs = [pair for systems in groups.values() for pair in combinations(systems.values(), 2)]
    found = [told for pair in pairs if (told := _compared(*pair, seed=seed, resamples=resamples)) is not None]
    return [
        each.model_copy(update={"p_holm": round(p, 5)})
        for family in by_task(found).values()
        for each, p in zip(family, holm([each.p for each in family]), strict=True)
    ]


def _different(measured: Iterable[Measured]) -> list[Measured]:
    """Without what several files hold, or baselines that stand beside several models."""
    first: dict[tuple[Any, ...], Measured] = {}
    for each in measured:
        seed = each.record.provenance.train_seed
        key = (each.record.provenance.model_hash, seed, each.items, *_place(each.record))
        first.setdefault(key, each)
    return list(first.values())


def _place(record: Record) -> tuple[Any, ...]:
    return record.task, record.dataset, record.split, record.language, record.system, record.adapter


def _direction(record: Record) -> str:
    """Of a pair of languages which one was searched from: the same sentences are found both ways."""
    source, sign, _ = record.language.partition(">")
    return parse_tag(source).language if sign else ""


def _compared(one: Sequence[Measured], other: Sequence[Measured], *, seed: int, resamples: int) -> Comparison | None:
    """The comparison of two systems; None if they were trained with different seeds only."""
    seeds, pairs = _of_same_seeds(one, other)
    if not pairs:
        return None
    first, second = pairs[0]
    if any(each.clusters != first.clusters for pair in pairs for each in pair):
        raise UserError(f"{_where(first.record)}: the same items, but in other documents; measure both again")
    metric = first.record.metric
    scale = 1.0 if metric in LOWER_IS_BETTER else 100.0
    places = 4 if metric in LOWER_IS_BETTER else 2
    counts, others = (np.stack([pair[side].counts for pair in pairs]) for side in (0, 1))
    told = paired_difference(counts, others, STATISTICS[metric], seed=seed, resamples=resamples)
    record, beside = first.record, second.record
    scores = [[pair[side].record.score for pair in pairs] for side in (0, 1)]
    return Comparison(
        task=record.task,
        dataset=record.dataset,
        split=record.split,
        language=record.language,
        metric=metric,
        trained_on=record.provenance.finetuned_on,
        system=record.system,
        other=beside.system,
        adapter=record.adapter,
        other_adapter=beside.adapter,
        score=round(fmean(scores[0]), places),
        other_score=round(fmean(scores[1]), places),
        spread=_spread(one, scores[0], places),
        other_spread=_spread(other, scores[1], places),
        seeds=seeds,
        difference=round(scale * told.difference, places),
        low=round(scale * told.low, places),
        high=round(scale * told.high, places),
        p=round(told.p, 5),
        p_holm=1.0,
        clusters=len(first.clusters),
    )


def _of_same_seeds(
    one: Sequence[Measured], other: Sequence[Measured]
) -> tuple[list[int], list[tuple[Measured, Measured]]]:
    """Pairs of the same seed; what was not trained with a seed stands beside each, and single models stand together."""
    if len(one) == len(other) == 1:
        seed, beside = (side[0].record.provenance.train_seed for side in (one, other))
        return [seed] if seed is not None and seed == beside else [], [(one[0], other[0])]
    sides = [{each.record.provenance.train_seed: each for each in side} for side in (one, other)]
    fixed = [side.get(None) for side in sides]
    seeds = sorted({seed for side in sides for seed in side if seed is not None})
    pairs = [(sides[0].get(s) or fixed[0], sides[1].get(s) or fixed[1]) for s in seeds] or [(fixed[0], fixed[1])]
    whole = [(a, b) for a, b in pairs if a is not None and b is not None]
    kept = [seed for seed, (a, b) in zip(seeds, pairs, strict=False) if a is not None and b is not None]
    return kept, whole


def _spread(side: Sequence[Measured], scores: Sequence[float], places: int) -> float | None:
    """Of the scores that are compared; None of a system that was not trained several times."""
    return round(stdev(scores), places) if len(side) > 1 and len(scores) > 1 else None


def _where(record: Record) -> str:
    return f"{record.task}, {wording.data_name(record)}, {record.language}"


def _nothing_to_compare(measured: Sequence[Measured]) -> str:
    items: dict[str, set[str]] = {}
    for each in measured:
        items.setdefault(_where(each.record), set()).add(each.items)
    if other := [where for where, found in items.items() if len(found) > 1]:
        return f"{other[0]}: the systems were measured on different items, so they cannot be compared"
    return "results: expected two systems or more on the same data, after training in the same languages; found none"
