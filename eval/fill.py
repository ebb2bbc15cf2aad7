"""Measuring how well a model predicts masked words: bits per character with their interval, in each language."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Any

from ..errors import UserError
from ..files import new_folder, refuse_used_folder
from ..settings import EvalFill
from ..tasks.masked_words import bits_per_character, masked_bits
from ..texts import read_documents, sampled
from ..xmod.checkpoints import load_with_tokenizer, read_history
from ..xmod.modeling import XmodForMaskedLM
from .adapters import distinct_readers
from .counts import Measured, digest, single, write_measured
from .intervals import bootstrap_interval
from .provenance import provenance
from .records import Record

NO_STEP = ""
"""Predicting masked words is no task that was learned: what a checkpoint had read before is not known."""


def evaluate_fill(settings: EvalFill, out: str | Path) -> dict[str, Any]:
    """Measure the prediction of masked words and write the records: bits per character in each language.

    Args:
        settings: the model and the texts.
        out: folder to make, with ``results.jsonl``.

    Returns:
        for each language bits per character with their interval.

    Raises:
        UserError: for a model without the head, texts that cannot be read, or a language without an adapter.
    """
    refuse_used_folder(out)
    history = read_history(settings.model) or []
    model, tokenizer = load_with_tokenizer(XmodForMaskedLM, settings.model)
    measured = []
    for name, (language, adapter) in distinct_readers(settings.data, settings.read_as, model.languages).items():
        start = perf_counter()
        documents = read_documents(settings.data[name], settings.text_column)
        texts = sampled([text.split() for text in documents], settings.documents, settings.seed)
        told = masked_bits(model, tokenizer, texts, adapter, settings.share, settings.seed)
        counts = told.counts
        if not counts[:, 1].any():
            raise UserError(f"{settings.data[name]}: no word in it that the model has a piece for")
        low, high = bootstrap_interval(counts, bits_per_character, seed=settings.seed)
        record = Record(
            task="fill-mask",
            dataset=settings.dataset,
            split=settings.split,
            language=language,
            adapter=adapter,
            system=settings.system,
            metric="bits_per_character",
            score=round(float(bits_per_character(counts.sum(axis=0))), 4),
            low=round(low, 4),
            high=round(high, 4),
            sentences=len(texts),
            clusters=len(texts),
            items=int(counts[:, 2].sum()),
            windowed=told.windowed,
            dropped=told.dropped,
            provenance=provenance(
                settings.model, [settings.data[name]], history, NO_STEP, settings, perf_counter() - start
            ),
        )
        items = digest([texts, settings.share, settings.seed])
        measured.append(Measured(record, counts[:, :2], single(len(texts)), items))
    with new_folder(out) as folder:
        write_measured(folder, measured)
    return {
        each.record.language: {
            "bits_per_character": each.record.score,
            "interval": [each.record.low, each.record.high],
        }
        for each in measured
    }
