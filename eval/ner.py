"""Measuring a tagger: F1 with its interval, as records that know what the model has seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from time import perf_counter
from typing import Any

import numpy as np

from ..errors import UserError
from ..files import EXAMPLES, new_folder, refuse_used_folder
from ..settings import EvalNer
from ..tasks.conll import drop_lower_case, entity_types
from ..tasks.hipe_scores import FUZZY, STRICT, hipe_counts, macro_by_document
from ..tasks.ner import STEP
from ..tasks.ner_data import read_tagged
from ..tasks.ner_scores import entity_counts, f1, precision, recall
from ..tasks.sentences import TaggedSentence
from ..tasks.tagging import Tagging, model_types, tag_sentences
from ..texts import sampled
from ..xmod.checkpoints import load_with_tokenizer, of_each_seed
from ..xmod.languages import by_adapter, resolve_language
from ..xmod.modeling import XmodForTokenClassification
from .adapters import distinct_readers
from .counts import Measured, digest, write_measured
from .examples import Example, only_types, sample, write_examples
from .intervals import bootstrap_interval, paired_difference
from .provenance import known_history, provenance
from .records import Record, percent

TagPair = tuple[list[str], list[str]]
"""Gold and predicted IOB2 tags of a sentence, as they are counted."""


def evaluate_ner(settings: EvalNer, out: str | Path) -> dict[str, Any]:
    """Measure a tagger in every language given, each with its own adapter, and write the records.

    The score is strict micro F1 (CoNLL-2003, ``seqeval``); the details have precision, recall and F1, each also of
    every type, and the scores of the HIPE shared tasks. Some sentences with mistakes are kept beside the records, as
    :mod:`.examples` draws them. An adapter tried in the place of a language's own gets a record of its own,
    with what it adds to the score on the same documents, the 95% interval of that, and its p-value.

    Args:
        settings: the model and the data.
        out: folder to make, with ``results.jsonl`` and ``examples.jsonl``.

    Returns:
        F1 in percent, its interval, fuzzy F1, and whether it is zero-shot, for each language; of an adapter tried in
        its place ("rm_CH by de_CH") also the difference. Of models trained with several seeds the mean F1 and the
        standard deviation.

    Raises:
        UserError: for a model without a history (what it has seen is then unknown), data that cannot be read, entity
            types that the model does not know, or a language or adapter that it does not have.
    """
    refuse_used_folder(out)
    found = [each for model in of_each_seed(settings.model) for each in _measured(model, settings)]
    with new_folder(out) as folder:
        write_measured(folder, [measured for measured, _ in found])
        write_examples(folder / EXAMPLES, (example for _, examples in found for example in examples))
    records = [measured.record for measured, _ in found]
    groups: dict[str, list[Record]] = {}
    for record in records:
        name = f"{record.language} by {record.adapter}" if record.by_other_adapter else record.language
        groups.setdefault(name, []).append(record)
    return {name: _summary(group) for name, group in groups.items()}


def _measured(source: str, settings: EvalNer) -> Iterator[tuple[Measured, list[Example]]]:
    """Each record, and what to keep of the mistakes that a language's own adapter makes."""
    history = known_history(source, "swissxmod finetune ner")
    model, tokenizer = load_with_tokenizer(XmodForTokenClassification, source, bits=settings.bits)
    reading = distinct_readers(settings.data, settings.read_as, model.languages)
    others = _other_adapters(settings, [language for language, _ in reading.values()], model.languages)
    known = model_types(model)
    for option, types in (("only", settings.only), ("skip_lower_case", settings.skip_lower_case)):
        if strange := set(types) - set(known):
            raise UserError(f"{option}: {', '.join(sorted(strange))} are not the model's types ({', '.join(known)})")
    scored = settings.only or known
    for name, path in settings.data.items():
        language, first = reading[name]
        sentences = read_tagged(path, settings)
        if strange := set(entity_types(sentences)) - set(known):
            raise UserError(
                f"{path}: entity types {', '.join(sorted(strange))} are not the model's ({', '.join(known)})"
            )
        sentences = _drawn(sentences, settings.documents, settings.seed)
        own: _Counts | None = None
        for adapter in (first, *others.get(language, [])):
            start = perf_counter()
            tagging = tag_sentences(model, tokenizer, [sentence.read for sentence in sentences], adapter)
            counted = _counted_tags(sentences, tagging, settings.skip_lower_case)
            counts = _count(sentences, counted, scored)
            record = Record(
                task="ner",
                dataset=settings.dataset,
                split=settings.split,
                language=language,
                adapter=adapter,
                system=settings.held(settings.system),
                metric="f1",
                **_scores(counts, settings.seed),
                sentences=len(sentences),
                windowed=tagging.windowed,
                dropped=tagging.dropped,
                details=_details(counts, scored, settings.seed) | _difference(counts, own, settings.seed),
                provenance=provenance(source, [path], history, STEP, settings, perf_counter() - start),
            )
            measured = Measured(record, counts.strict.sum(axis=1), counts.documents, counts.items)
            examples = [] if record.by_other_adapter else _wrong_sentences(record, sentences, counted, scored)
            yield measured, examples
            own = own or counts


def _drawn(sentences: list[TaggedSentence], count: int | None, seed: int) -> list[TaggedSentence]:
    """Those of so many documents, in the order of the file."""
    kept = set(sampled(list(dict.fromkeys(sentence.document for sentence in sentences)), count, seed))
    return [sentence for sentence in sentences if sentence.document in kept]


def _wrong_sentences(
    record: Record, sentences: Sequence[TaggedSentence], tags: Sequence[TagPair], scored: Sequence[str]
) -> list[Example]:
    pairs = [(only_types(gold, scored), only_types(predicted, scored)) for gold, predicted in tags]
    about = {
        "model_hash": record.provenance.model_hash,
        "dataset": record.dataset,
        "split": record.split,
        "language": record.language,
    }
    return [
        Example(**about, words=list(sentences[number].words), gold=pairs[number][0], predicted=pairs[number][1])
        for number in sample(pairs, record.provenance.seed)
    ]


def _other_adapters(settings: EvalNer, data: Sequence[str], adapters: Sequence[str]) -> dict[str, list[str]]:
    others = by_adapter(settings.other_adapters, adapters)
    if foreign := [language for language in others if language not in data]:
        raise UserError(f"other_adapters: there is no data of {', '.join(foreign)}; give --data.{foreign[0]}")
    return {language: [resolve_language(name, adapters) for name in names] for language, names in others.items()}


@dataclass(frozen=True)
class _Counts:
    """Counts of each document."""

    strict: np.ndarray
    """As ``entity_counts``, (documents, types, 3)."""
    hipe: np.ndarray
    """As ``hipe_counts``, (documents, 2, types of the gold standard, 3)."""
    types: list[str]
    """Types of the gold standard."""
    documents: list[str]
    items: str
    """SHA-256 of the words and of what is to be found in them."""


def _counted_tags(
    sentences: Sequence[TaggedSentence], tagging: Tagging, skip_lower_case: Sequence[str]
) -> list[TagPair]:
    return [
        (
            drop_lower_case(sentence.words, sentence.tags, skip_lower_case),
            drop_lower_case(sentence.words, tags, skip_lower_case),
        )
        for sentence, tags in zip(sentences, tagging.tags, strict=True)
    ]


def _count(sentences: Sequence[TaggedSentence], tags: Sequence[TagPair], scored: Sequence[str]) -> _Counts:
    documents: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for sentence, sides in zip(sentences, tags, strict=True):
        for whole, part in zip(documents[sentence.document], sides, strict=True):
            whole += part
    gold, predicted = zip(*documents.values(), strict=True)
    types = [kind for kind in entity_types(sentences) if kind in scored]
    items = digest([types, *zip(documents, gold, strict=True), [sentence.words for sentence in sentences]])
    strict, hipe = entity_counts(gold, predicted, scored), hipe_counts(gold, predicted, types)
    return _Counts(strict, hipe, types, list(documents), items)


def _scores(counts: _Counts, seed: int) -> dict[str, Any]:
    clusters = counts.strict.sum(axis=1)
    total = clusters.sum(axis=0)
    low, high = bootstrap_interval(clusters, f1, seed=seed)
    return {
        "score": percent(f1(total)),
        "low": percent(low),
        "high": percent(high),
        "clusters": len(clusters),
        "items": int(total[2]),
    }


def _details(counts: _Counts, scored: Sequence[str], seed: int) -> dict[str, float]:
    by_type = counts.strict.sum(axis=0)
    total = by_type.sum(axis=0)
    strict, fuzzy = (counts.hipe[:, regime].sum(axis=1) for regime in (STRICT, FUZZY))
    low, high = bootstrap_interval(fuzzy, f1, seed=seed)
    shares = {
        "precision": precision(total),
        "recall": recall(total),
        **{
            f"{name} {kind}": value
            for name, share in (("f1", f1), ("precision", precision), ("recall", recall))
            for kind, value in zip(scored, share(by_type), strict=True)
        },
        "fuzzy f1": f1(fuzzy.sum(axis=0)),
        "fuzzy low": low,
        "fuzzy high": high,
        "fuzzy precision": precision(fuzzy.sum(axis=0)),
        "fuzzy recall": recall(fuzzy.sum(axis=0)),
        **{
            f"fuzzy f1 {kind}": value
            for kind, value in zip(counts.types, f1(counts.hipe[:, FUZZY].sum(axis=0)), strict=True)
        },
        "strict f1, mean of documents": macro_by_document(strict)["f1"],
        "fuzzy f1, mean of documents": macro_by_document(fuzzy)["f1"],
    }
    return {name: percent(value) for name, value in shares.items()}


def _difference(counts: _Counts, own: _Counts | None, seed: int) -> dict[str, float]:
    """What another adapter adds to the score of the language's own, in points."""
    if own is None:
        return {}
    found = paired_difference(counts.strict.sum(axis=1), own.strict.sum(axis=1), f1, seed=seed)
    return {
        "difference": percent(found.difference),
        "difference low": percent(found.low),
        "difference high": percent(found.high),
        "p": round(found.p, 4),
    }


def _summary(records: Sequence[Record]) -> dict[str, Any]:
    """What is told of one language, by one adapter: of one model, or the mean of several and their spread."""
    first = records[0]
    if len(records) > 1:
        scores = [record.score for record in records]
        told: dict[str, Any] = {"f1": round(mean(scores), 2), "spread": round(stdev(scores), 2), "of_each_seed": scores}
    else:
        told = {"f1": first.score, "interval": [first.low, first.high], "fuzzy_f1": first.details["fuzzy f1"]}
        if "difference" in first.details:
            told["difference"] = first.details["difference"]
            told["difference_interval"] = [first.details["difference low"], first.details["difference high"]]
            told["p"] = first.details["p"]
    return told | {"zero_shot": first.zero_shot}
