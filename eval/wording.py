"""Records in words: names of languages, numbers as printed, the summary and the limits of a report."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from itertools import combinations

from .records import LOWER_IS_BETTER, Record

LANGUAGES = {
    "de": "German",
    "en": "English",
    "fr": "French",
    "gsw": "Swiss German",
    "it": "Italian",
    "lld": "Ladin",
    "rm": "Romansh",
}
METRICS = {
    "f1": "F1",
    "macro_f1": "macro F1",
    "aer": "AER",
    "accuracy": "accuracy",
    "bits_per_character": "bits per character",
}
TASKS = {
    "ner": "Named entities",
    "stance": "Stance",
    "word-alignment": "Word alignment",
    "sentence-retrieval": "Sentence retrieval",
    "fill-mask": "Masked words",
}
_DECIMALS = {"f1": 1, "macro_f1": 1, "aer": 3, "accuracy": 1, "bits_per_character": 3}
_BETWEEN = {">": " → ", "-": " – "}
_DEV = {"dev", "devel", "development", "val", "valid", "validation"}
# WikiNEuRal does not say "silver" in its name, but was annotated by machine (Tedeschi et al. 2021).
_SILVER = ("silver", "wikineural")
_MANY = 3
"""More systems than these are summed up by the best of them."""
_SMALL = 200
"""Fewer sentences than these are a small test set."""


def language_name(key: str) -> str:
    """A language in words with its key, "German (de_CH)"; both sides of a pair; an unknown key stays as it is."""
    for sign, shown in _BETWEEN.items():
        sides = key.split(sign)
        if len(sides) == 2 and all(_language(side) in LANGUAGES for side in sides):
            return shown.join(language_name(side) for side in sides)
    name = LANGUAGES.get(_language(key))
    return f"{name} ({key})" if name else key


def begun(text: str) -> str:
    """The text at the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def languages_in_words(keys: Iterable[str]) -> str:
    """The languages of a training, "German and French"; with their keys where two have the same name."""
    found = list(dict.fromkeys(keys))
    names = [LANGUAGES.get(_language(key), key) for key in found]
    return listing(names if len(set(names)) == len(names) else map(language_name, found))


def _language(key: str) -> str:
    return re.split("[-_]", key)[0]


def listing(parts: Iterable[str]) -> str:
    """The different parts as "a, b and c", in order of appearance."""
    *first, last = dict.fromkeys(parts)
    return f"{', '.join(first)} and {last}" if first else last


def number(value: float | None, metric: str) -> str:
    """A score as printed: F1 and accuracy with one decimal, AER with three; a dash where there is none."""
    return "–" if value is None else f"{value:.{_DECIMALS[metric]}f}"


def interval(record: Record) -> str:
    """Both ends of the interval, such as "72.0–78.1"."""
    return f"{number(record.low, record.metric)}–{number(record.high, record.metric)}"


def named(system: str, adapter: str | None, language: str) -> str:
    """What was measured, and whose adapter read the text where it was another language's."""
    return system if adapter in (None, language) else f"{system}, adapter {adapter}"


def label(record: Record, among: Iterable[Record]) -> str:
    """:func:`named`, with its training and its seed where the system stands among the records with several."""
    same = [other for other in among if (other.task, other.system) == (record.task, record.system)]
    trained = record.provenance.finetuned_on
    seed = record.provenance.train_seed
    seeds = {other.provenance.train_seed for other in same if other.provenance.finetuned_on == trained}
    several = len({tuple(other.provenance.finetuned_on) for other in same}) > 1
    name = f"{record.system} trained on {listing(trained or ['nothing'])}" if several else record.system
    told = named(name, record.adapter, record.language)
    return f"{told}, seed {seed}" if len(seeds) > 1 and seed is not None else told


def read_by_other(record: Record) -> str:
    """A system of which one language was read by another one's adapter, as if it had none of its own."""
    return f"{record.system}, {language_name(record.language)} read as {language_name(record.adapter or '')}"


def data_name(record: Record) -> str:
    """Data set and split, "wikineural (dev)"."""
    return f"{record.dataset} ({record.split})"


def summary(records: Sequence[Record]) -> list[str]:
    """What was measured, and what was found: a sentence or two for each tagger and each text of the other tasks.

    Of many taggers, only the best of each text are named. Where another language's adapter read a text, it is not told.
    """
    own = [record for record in records if not record.by_other_adapter]
    tagged = [record for record in own if record.task == "ner"]
    taggers = dict.fromkeys(map(_tagger, tagged))
    stances = [record for record in own if record.task == "stance"]
    aligned = [record for record in own if record.task == "word-alignment"]
    searched = [record for record in own if record.task == "sentence-retrieval" and ">" not in record.language]
    filled = [record for record in own if record.task == "fill-mask"]
    names = (
        [_best_taggers(group, len(taggers)) for group in by_text(tagged)]
        if len(taggers) > _MANY
        else [_ner_summary([r for r in tagged if _tagger(r) == tagger], taggers) for tagger in taggers]
    )
    return [
        _overview(records),
        *names,
        *map(_stance_summary, by_text(stances)),
        *map(_alignment_summary, by_text(aligned)),
        *map(_retrieval_summary, by_text(searched)),
        *map(_fill_summary, by_text(filled)),
    ]


def _overview(records: Sequence[Record]) -> str:
    tasks = listing(TASKS[record.task].lower() for record in records)
    systems = {record.system for record in records}
    keys = dict.fromkeys(key for record in records for key in sides(record.language))
    zero_shot = sum(record.zero_shot is True for record in records)
    told = f", {zero_shot} of them zero-shot" if zero_shot else ""
    return (
        f"Measured: {tasks}, with {_counted(systems, 'system')} in {_counted(keys, 'language')}; "
        f"{_counted(records, 'score')}{told}. In brackets 95% intervals."
    )


def _counted(things: Collection[object], name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"


def sides(key: str) -> list[str]:
    """The languages of a key: itself, or both sides of a pair."""
    found = re.split("[->]", key)
    return found if len(found) == 2 and all(_language(side) in LANGUAGES for side in found) else [key]


def by_text(records: Iterable[Record]) -> list[list[Record]]:
    """Records of the same data and languages together."""
    texts: dict[tuple[str, ...], list[Record]] = {}
    for record in records:
        texts.setdefault((record.dataset, record.split, record.language), []).append(record)
    return list(texts.values())


def _tagger(record: Record) -> tuple[str, tuple[str, ...]]:
    """What was measured: its name, and the languages it was trained on."""
    return record.system, tuple(record.provenance.finetuned_on)


def _ner_summary(records: Sequence[Record], taggers: Collection[tuple[str, tuple[str, ...]]]) -> str:
    kinds = {
        False: "in {}, where the tagger had labelled training data",
        True: "in {}, zero-shot: the tagger saw no labelled sentence in {them}",
        None: "in {}, by a model without a recorded training for the task",
    }
    parts = []
    for zero_shot, words in kinds.items():
        if chosen := [record for record in records if record.zero_shot is zero_shot]:
            names = dict.fromkeys(language_name(record.language) for record in chosen)
            them = "that language" if len(names) == 1 else "these languages"
            # Names go in by replace: braces in a language's name are no places to fill.
            parts.append(f"{_span(chosen)} {words.replace('{them}', them).replace('{}', listing(names))}")
    system, trained = _tagger(records[0])
    several = len({name for name, _ in taggers}) > 1
    told = f" of {system}" if several else ""
    if trained and sum(name == system for name, _ in taggers) > 1:
        told += f"{',' if several else ' of a tagger'} trained on {listing(map(language_name, trained))}"
    return f"Finding names in text, the F1 score{told} (in percent, 100 is perfect) is {'; '.join(parts)}."


def _best_taggers(records: Sequence[Record], number_of_taggers: int) -> str:
    """The best score in a text, and the best zero-shot one where that is another's."""
    best, *others = ranking(records)
    unseen = None if best.zero_shot else next((record for record in others if record.zero_shot), None)
    told = f"; zero-shot {_by(unseen)}" if unseen else ""
    return (
        f"Finding names in {language_name(best.language)}, {data_name(best)}, the best F1 (in percent) of "
        f"{number_of_taggers} taggers is {_by(best)}{', zero-shot' if best.zero_shot else ''}{told}."
    )


def _by(record: Record) -> str:
    trained = record.provenance.finetuned_on
    told = f" trained on {languages_in_words(trained)}" if trained else ""
    return f"{number(record.score, record.metric)} ({interval(record)}) by {record.system}{told}"


def ranking(records: Iterable[Record]) -> list[Record]:
    """Records of one metric, the best first."""
    return sorted(records, key=lambda record: record.score if record.metric in LOWER_IS_BETTER else -record.score)


def _span(records: Sequence[Record]) -> str:
    scores = [record.score for record in records]
    metric = records[0].metric
    if len(records) == 1:
        return f"{number(scores[0], metric)} ({interval(records[0])})"
    return " to ".join(dict.fromkeys(number(end(scores), metric) for end in (min, max)))


def _alignment_summary(records: Sequence[Record]) -> str:
    name = language_name(records[0].language)
    return f"Aligning the words of {name}, the error rate (AER, lower is better) is {_side_by_side(records)}"


def _stance_summary(records: Sequence[Record]) -> str:
    name = language_name(records[0].language)
    return (
        f"Telling the stance of {records[0].sentences:,} comments in {name}, {data_name(records[0])}, the macro F1 "
        f"(in percent) is {_side_by_side(records)}"
    )


def _retrieval_summary(records: Sequence[Record]) -> str:
    name = language_name(records[0].language)
    return (
        f"Finding the translation of a sentence among {records[0].sentences:,} pairs of {name}, the accuracy (in "
        f"percent, mean of both directions) is {_side_by_side(records)}"
    )


def _fill_summary(records: Sequence[Record]) -> str:
    name = language_name(records[0].language)
    return (
        f"Predicting {records[0].items:,} masked words in {name}, a character costs (bits, lower is better) "
        f"{_side_by_side(records)}"
    )


def _side_by_side(records: Sequence[Record]) -> str:
    ranked = ranking(records)
    shown = records if len(records) <= _MANY else ranked[:2]
    scores = listing(f"{number(r.score, r.metric)} ({interval(r)}) for {label(r, records)}" for r in shown)
    if rest := ranked[len(shown) :]:
        return f"at best {scores}; the other {len(rest)} reach {_span(rest)}."
    verdict = ""
    if len(records) == 2:
        lower, higher = sorted(records, key=lambda record: record.score)
        verdict = f" The two intervals {'do not overlap' if lower.high < higher.low else 'overlap'}."
    return f"{scores}.{verdict}"


def limits(records: Sequence[Record], *, compared: bool = False) -> list[str]:
    """What a reader must not conclude from the scores, as far as the records tell.

    Args:
        records: the scores.
        compared: whether systems were also compared pair by pair.
    """
    found = [
        _dev_limit(records),
        _silver_limit(records),
        _seed_limit(records),
        _small_limit(records),
        _width_limit(records),
        _cluster_limit(records),
        _language_limit(records),
        _zero_shot_limit(records),
        "" if compared else _system_limit(records),
        _data_limit(records),
        _layer_limit(records),
    ]
    return [text for text in found if text]


def _dev_limit(records: Sequence[Record]) -> str:
    data = [data_name(record) for record in records if record.split.lower() in _DEV]
    if not data:
        return ""
    return (
        f"Development sets, not untouched test sets: {listing(data)}. "
        "Where they also served to choose settings, the scores are too good."
    )


def _silver_limit(records: Sequence[Record]) -> str:
    data = [record.dataset for record in records if any(word in record.dataset.lower() for word in _SILVER)]
    if not data:
        return ""
    return (
        f"Silver annotations: the labels of {listing(data)} were made by machine, not checked by people. "
        "Such a score tells how far the model agrees with that machine."
    )


def _seed_limit(records: Sequence[Record]) -> str:
    sampling = "The 95% intervals cover the sampling of the test data only"
    seeds = sorted({r.provenance.train_seed for r in records if r.provenance.train_seed is not None})
    if not seeds:
        return f"{sampling}."
    if len(seeds) == 1:
        return (
            f"One seed: every trained model is of seed {seeds[0]}. {sampling}, not how much training varies by chance."
        )
    return f"{sampling}, not how scores scatter over the seeds of training ({listing(map(str, seeds))})."


def _width_limit(records: Sequence[Record]) -> str:
    widest = {record.metric: record for record in sorted(records, key=lambda record: record.high - record.low)}
    found = [
        f"{number(widest[metric].high - widest[metric].low, metric)} of {METRICS[metric]} in "
        f"{language_name(widest[metric].language)}, with {widest[metric].sentences:,} sentences"
        for metric in METRICS
        if metric in widest
    ]
    return f"Small differences mean little. The widest interval spans {'; '.join(found)}."


def _small_limit(records: Sequence[Record]) -> str:
    small = [
        f"{data_name(record)} in {language_name(record.language)}, {record.sentences:,}"
        for record in sorted(records, key=lambda record: record.sentences)
        if record.sentences < _SMALL
    ]
    if not small:
        return ""
    return (
        f"Small test sets, by their number of texts: {'; '.join(dict.fromkeys(small))}. A few texts more move a score."
    )


def _cluster_limit(records: Sequence[Record]) -> str:
    data = [
        data_name(record) for record in records if record.clusters == record.sentences and record.task != "fill-mask"
    ]
    if not data:
        return ""
    return (
        f"Sentences were drawn one by one for the intervals of {listing(data)}, as no documents are known. Sentences "
        "of one document resemble each other, so the true uncertainty is larger."
    )


def _language_limit(records: Sequence[Record]) -> str:
    several = any(len({r.language for r in records if r.task == task}) > 1 for task in ("ner", "stance"))
    return (
        "Languages were tested on texts of their own. A gap between two of them mixes the model's skill with how hard "
        "the texts are and how they were annotated."
        if several
        else ""
    )


def _zero_shot_limit(records: Sequence[Record]) -> str:
    languages = [language_name(record.language) for record in records if record.zero_shot]
    if not languages:
        return ""
    return (
        f"Zero-shot speaks of labelled data for the task only. Text without labels in {listing(languages)} may well "
        "have been in pretraining, ours or that of the checkpoint we started from, which the records do not cover."
    )


def _system_limit(records: Sequence[Record]) -> str:
    texts: dict[tuple[str, ...], list[Record]] = {}
    for record in records:
        texts.setdefault((record.task, record.dataset, record.split, record.language), []).append(record)
    pairs = [
        (first, second)
        for group in texts.values()
        for first, second in combinations(group, 2)
        if _tagger(first) != _tagger(second)
    ]
    if not pairs:
        return ""
    overlapping = sum(first.low <= second.high and second.low <= first.high for first, second in pairs)
    return (
        "Systems were not compared pair by pair: each interval is of one system alone. Of "
        f"{len(pairs)} {'pair' if len(pairs) == 1 else 'pairs'} on the same data, {overlapping} "
        f"{'has' if overlapping == 1 else 'have'} intervals that overlap: there the order is not settled, nor is it "
        "shown that both are equally good."
    )


def _data_limit(records: Sequence[Record]) -> str:
    hashes: dict[tuple[str, ...], set[str]] = {}
    for record in records:
        key = f"{data_name(record)}, {language_name(record.language)}"
        hashes.setdefault((record.task, key), set()).add(record.provenance.data_hash)
    data = [key for (_, key), found in hashes.items() if len(found) > 1]
    if not data:
        return ""
    return f"Not the same data under the same name: {'; '.join(data)}. These rows cannot be compared."


def _layer_limit(records: Sequence[Record]) -> str:
    return (
        "The best layer of an alignment was chosen on the data it is scored on, which flatters it."
        if any("best layer" in record.details for record in records)
        else ""
    )
