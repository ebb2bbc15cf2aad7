"""Measuring stance detection: macro F1 with its interval, of a model and of the baselines it must beat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from ..errors import UserError
from ..files import new_folder, refuse_used_folder
from ..settings import EvalStance
from ..tasks.stance import STEP, Comment, detect_stance, label_numbers, read_comments, tell_settings
from ..tasks.stance_scores import confusion, label_f1, macro_f1
from ..xmod.checkpoints import History, load_with_tokenizer, of_each_seed, read_config
from ..xmod.languages import may_mean
from ..xmod.modeling import XmodForSequenceClassification
from .adapters import distinct_readers
from .baselines import Baseline, majority, tfidf
from .counts import Measured, digest, write_measured
from .intervals import bootstrap_interval, by_cluster
from .provenance import hash_of_data, known_history, provenance
from .records import Provenance, Record, percent


def evaluate_stance(settings: EvalStance, out: str | Path) -> dict[str, Any]:
    """Measure a stance detector in every language given, each with its own adapter, and write the records.

    Comments that say which setting they test (x-stance: new comments, new questions, new topics) are scored apart. The
    interval is a bootstrap over questions.

    Args:
        settings: the model, the data, and the data that baselines learn from.
        out: folder to make, with ``results.jsonl``.

    Returns:
        macro F1 in percent and its interval, by language and setting, of the model (each seed) and of the baselines.

    Raises:
        UserError: for a model without a history (what it has seen is then unknown), data that cannot be read, labels
            that the model does not know, or a language that it does not have.
    """
    refuse_used_folder(out)
    models = {model: known_history(model, "swissxmod finetune stance") for model in of_each_seed(settings.model)}
    train = {name: read_comments(path, name, labelled=True) for name, path in settings.baseline_train.items()}
    learned = [item for items in train.values() for item in items]
    tests = {
        language: tell_settings(read_comments(path, language, labelled=True), learned)
        for language, path in settings.data.items()
    }
    adapters = read_config(next(iter(models))).languages
    # The model may lack a language that only the baselines learn from: it keeps its name then.
    languages = {name: next((key for key in adapters if may_mean(name, key)), name) for name in train}
    languages |= {name: language for name, (language, _) in distinct_readers(tests, settings.read_as, adapters).items()}
    # First, as they take seconds and may fail.
    baselines = list(_baselines(train, tests, languages, settings)) if settings.baselines else []
    measured = [each for of_seed in models.items() for each in _measured(*of_seed, tests, settings)] + baselines
    with new_folder(out) as folder:
        write_measured(folder, measured)
    told: dict[str, Any] = {}
    for record in (each.record for each in measured):
        name = record.language if record.dataset == settings.dataset else f"{record.language}, {record.dataset}"
        seed = record.provenance.train_seed
        system = record.system if seed is None or len(models) == 1 else f"{record.system}, seed {seed}"
        told.setdefault(name, {})[system] = {
            "macro_f1": record.score,
            "interval": [record.low, record.high],
            "zero_shot": record.zero_shot,
        }
    return told


def _measured(
    source: str, history: History, tests: Mapping[str, list[Comment]], settings: EvalStance
) -> Iterator[Measured]:
    model, tokenizer = load_with_tokenizer(XmodForSequenceClassification, source, bits=settings.bits)
    for name, (language, adapter) in distinct_readers(tests, settings.read_as, model.languages).items():
        items = tests[name]
        gold = label_numbers(model, items)
        start = perf_counter()
        stances = detect_stance(model, tokenizer, items, adapter)
        labels = [model.config.id2label[number] for number in range(model.config.num_labels)]
        counts = confusion(gold, stances.probabilities.argmax(axis=1), len(labels))
        origin = provenance(source, [settings.data[name]], history, STEP, settings, perf_counter() - start)
        view = _View(labels, language, adapter, settings.held(settings.system), stances.cut)
        yield from _records(items, counts, view, settings, origin)


def _baselines(
    train: Mapping[str, list[Comment]],
    tests: Mapping[str, list[Comment]],
    languages: Mapping[str, str],
    settings: EvalStance,
) -> Iterator[Measured]:
    """What a constant answer reaches, and what counting words does, learned from the same comments."""
    learned = [item for items in train.values() for item in items]
    if not learned:
        return
    baselines: Mapping[str, Baseline] = {"majority": majority(learned), "TF-IDF": tfidf(learned)}
    labels = sorted({str(item.label) for item in learned})
    history: History = [{"step": STEP, "languages": [languages[name] for name in train]}]
    files = hash_of_data(settings.baseline_train.values())
    for language, items in tests.items():
        if strange := {str(item.label) for item in items} - set(labels):
            known = ", ".join(labels)
            raise UserError(
                f"{settings.data[language]}: labels {', '.join(sorted(strange))} are not in baseline_train ({known})"
            )
    for name, predict in baselines.items():
        for language, items in tests.items():
            start = perf_counter()
            found = np.array([labels.index(label) for label in predict(items)])
            seconds = perf_counter() - start
            gold = np.array([labels.index(str(item.label)) for item in items])
            origin = provenance(name, [settings.data[language]], history, STEP, settings, seconds, files)
            counts = confusion(gold, found, len(labels))
            # Under the name that the model's scores have, so that they stand side by side.
            view = _View(labels, languages[language], languages[language], name, np.zeros(len(items), dtype=bool))
            yield from _records(items, counts, view, settings, origin)


class _View(NamedTuple):
    """What told the labels of some comments."""

    labels: Sequence[str]
    language: str
    adapter: str
    system: str
    cut: np.ndarray
    """Whether each comment was too long."""


def _records(
    items: Sequence[Comment], counts: np.ndarray, view: _View, settings: EvalStance, origin: Provenance
) -> Iterator[Measured]:
    """A record of each setting that the comments name."""
    for setting in dict.fromkeys(item.setting for item in items):
        mine = [i for i, item in enumerate(items) if item.setting == setting]
        questions = [items[i].question for i in mine]
        clusters = by_cluster(counts[mine], questions)
        total = clusters.sum(axis=0)
        low, high = bootstrap_interval(clusters, macro_f1, seed=settings.seed)
        by_label = zip(view.labels, label_f1(total), strict=True)
        record = Record(
            task="stance",
            dataset=f"{settings.dataset}, {setting}" if setting else settings.dataset,
            split=settings.split,
            language=view.language,
            adapter=view.adapter,
            system=view.system,
            metric="macro_f1",
            score=percent(macro_f1(total)),
            low=percent(low),
            high=percent(high),
            sentences=len(mine),
            clusters=len(clusters),
            items=len(mine),
            windowed=0,
            dropped=0,
            cut=int(view.cut[mine].sum()),
            details={f"f1 {label}": percent(value) for label, value in by_label if not np.isnan(value)},
            provenance=origin,
        )
        tested = digest([list(view.labels), *([items[i].question, items[i].comment, items[i].label] for i in mine)])
        yield Measured(record, clusters, list(dict.fromkeys(questions)), tested)
