"""Measuring a model: scores with intervals, as records that know what the model has seen."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ..errors import UserError
from ..files import RESULTS, content_hash, existing_folder, new_folder, refuse_used_folder
from ..settings import EvalAlignment, EvalNer, EvalSentences
from ..tasks.conll import entity_types
from ..tasks.ner import STEP, Tagging, model_types, tag_sentences
from ..tasks.ner_data import read_tagged
from ..tasks.ner_scores import entity_counts, f1, precision, recall
from ..tasks.sentence_alignment import SentenceVectors, accuracy, read_sentences, retrieve, sentence_vectors
from ..tasks.sentences import TaggedSentence
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
from ..texts import HUB
from ..tokenizer.folders import is_hub_name
from ..xmod.checkpoints import History, languages_seen, load_with_tokenizer, model_hash, read_history
from ..xmod.languages import by_adapter, resolve_language
from ..xmod.modeling import XmodForTokenClassification, XmodModel
from .intervals import bootstrap_interval, by_cluster
from .records import Provenance, Record, hardware, versions, write_records


def evaluate_ner(settings: EvalNer, out: str | Path) -> dict[str, Any]:
    """Measure a tagger in every language given, each with its own adapter, and write the records.

    Args:
        settings: the model and the data.
        out: folder to make, with ``results.jsonl``.

    Returns:
        F1 in percent, its interval, and whether it is zero-shot, for each language.

    Raises:
        UserError: for a model without a history (what it has seen is then unknown), data that cannot be read, or
            entity types that the model does not know.
    """
    refuse_used_folder(out)
    history = _known_history(settings.model)
    model, tokenizer = load_with_tokenizer(XmodForTokenClassification, settings.model)
    paths = by_adapter(settings.data, model.languages)
    data = {language: read_tagged(path, settings) for language, path in paths.items()}
    known = model_types(model)
    for language, sentences in data.items():
        if strange := set(entity_types(sentences)) - set(known):
            raise UserError(
                f"{paths[language]}: entity types {', '.join(sorted(strange))} are not the model's ({', '.join(known)})"
            )
    records = []
    for language, sentences in data.items():
        start = perf_counter()
        tagging = tag_sentences(model, tokenizer, [sentence.words for sentence in sentences], language)
        where = _provenance(settings.model, [paths[language]], history, STEP, settings.seed, perf_counter() - start)
        records.append(_ner_record(sentences, tagging, known, language, settings, where))
    with new_folder(out) as folder:
        write_records(folder / RESULTS, records)
    return {r.language: {"f1": r.score, "interval": [r.low, r.high], "zero_shot": r.zero_shot} for r in records}


def _ner_record(
    sentences: Sequence[TaggedSentence],
    tagging: Tagging,
    types: Sequence[str],
    language: str,
    settings: EvalNer,
    provenance: Provenance,
) -> Record:
    counts = entity_counts([sentence.tags for sentence in sentences], tagging.tags, types)
    total = counts.sum(axis=(0, 1))
    clusters = by_cluster(counts.sum(axis=1), [sentence.document for sentence in sentences])
    low, high = bootstrap_interval(clusters, f1, seed=settings.seed)
    by_type = dict(zip(types, f1(counts.sum(axis=0)), strict=True))
    details = {"precision": precision(total), "recall": recall(total)} | {f"f1 {kind}": by_type[kind] for kind in types}
    return Record(
        task="ner",
        dataset=settings.dataset,
        split=settings.split,
        language=language,
        system=settings.system,
        metric="f1",
        score=_percent(f1(total)),
        low=_percent(low),
        high=_percent(high),
        sentences=len(sentences),
        clusters=len(clusters),
        items=int(total[2]),
        windowed=tagging.windowed,
        dropped=tagging.dropped,
        details={name: _percent(value) for name, value in details.items()},
        provenance=provenance,
    )


def _percent(share: float | np.ndarray) -> float:
    return round(100 * float(share), 2)


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
    names = _both_languages(settings, model)
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
        provenance=_provenance(settings.model, files, history, "", settings.seed, perf_counter() - start),
    )
    with new_folder(out) as folder:
        write_records(folder / RESULTS, [record])
    return {"aer": rates[None], "interval": [record.low, record.high], "best_layer": best, "best_aer": rates[best]}


def _alignment_counts(sides: tuple[WordVectors, WordVectors], gold: Sequence[Gold], layer: int | None) -> np.ndarray:
    return np.array([alignment_counts(f, g) for f, g in zip(layer_links(sides, layer), gold, strict=True)])


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
    names = _both_languages(settings, model)
    sides = [
        sentence_vectors(model, tokenizer, [pair[side] for pair in pairs], name) for side, name in enumerate(names)
    ]
    found = retrieve(sides[0].vectors, sides[1].vectors, pairs)
    files = [settings.source, settings.target]
    where = _provenance(settings.model, files, history, "", settings.seed, perf_counter() - start)
    views = [("-".join(names), found), (">".join(names), found[:, :1]), (">".join(names[::-1]), found[:, 1:])]
    records = [_sentence_record(hits, sides, language, settings, where) for language, hits in views]
    with new_folder(out) as folder:
        write_records(folder / RESULTS, records)
    return {r.language: {"accuracy": r.score, "interval": [r.low, r.high]} for r in records}


def _sentence_record(
    hits: np.ndarray,
    sides: Sequence[SentenceVectors],
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
        score=_percent(accuracy(counts.sum(axis=0))),
        low=_percent(low),
        high=_percent(high),
        sentences=len(hits),
        clusters=len(hits),
        items=hits.size,
        windowed=sum(side.windowed for side in sides),
        dropped=sum(side.dropped for side in sides),
        provenance=provenance,
    )


def _both_languages(settings: EvalAlignment | EvalSentences, model: XmodModel) -> list[str]:
    """The adapters of the two sides."""
    return [resolve_language(name, model.languages) for name in (settings.source_language, settings.target_language)]


def _known_history(model: str) -> History:
    if not is_hub_name(model):
        existing_folder(model)
    history = read_history(model)
    if history is None:
        raise UserError(
            f"{model}: no swissxmod.json in the folder: which languages the model has seen is unknown, "
            "so nothing can be said about zero-shot; fine-tune with `swissxmod finetune ner`"
        )
    return history


def _provenance(model: str, files: Sequence[str], history: History, step: str, seed: int, seconds: float) -> Provenance:
    trained = [record for record in history if "precision" in record]
    return Provenance(
        model=Path(model).name,
        model_hash=model_hash(model),
        data_hash=hashlib.sha256("".join(map(_data_hash, files)).encode()).hexdigest(),
        pretrained_on=languages_seen(history, "pretrain"),
        finetuned_on=languages_seen(history, step),
        train_seed=trained[-1]["seed"] if trained else None,
        seed=seed,
        precision=trained[-1]["precision"] if trained else "float32",
        seconds=round(seconds, 1),
        hardware=hardware(),
        versions=versions(),
        commit=_commit(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _data_hash(source: str) -> str:
    """Of a file its content, of a data set of the hub its name: which revision it was, the hub decides."""
    return hashlib.sha256(source.encode()).hexdigest() if source.startswith(HUB) else content_hash(source)


def _commit() -> str | None:
    """The commit of the checkout that the package runs from, "-dirty" with changes; None when it is installed."""
    package = Path(__file__).parents[1]
    if not (package / ".git").exists():
        return None
    command = ["git", "-C", str(package), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    except OSError:
        return None  # git is not installed
    return found.stdout.strip() or None
