"""Our language detector beside others that are installed: accuracy on the same sentences, then sentences a second.

Run: python benchmarks/detector.py --data de=DEV.jsonl rm=DEV.jsonl [--sentences 2000] [--json out.json]

Others are py3langid, lingua-language-detector and romansh-idiom-classifier, where they are installed. They differ in
what they tell apart: the first two choose among all of their languages, or among German, French, Italian and English
("of_four"), never Romansh, and the last knows its varieties and the same four; each variety counts as Romansh here.
Ours may be unsure, which counts as wrong ("surest" is ours that must answer); the others always answer. Sentences are
drawn with a seed, one process and one thread run each detector, all in turns. Runs of a few words are cut from
sentences of at least as many, at random places.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from common import machine, median_seconds

from swissxmod import LanguageDetector
from swissxmod.detection.samples import SHORT, WORD, read_sentences

Detect = Callable[[Sequence[str]], list[str]]
RUNS = (1, 2, 4, 8)
FOUR = ("de", "fr", "it", "en")
"""What others choose among where they may leave out languages; ours knows Romansh and "other" besides."""


class Item(NamedTuple):
    """A text to tell the language of."""

    text: str
    language: str
    kind: str


def ours() -> Detect:
    """The bundled one."""
    detector = LanguageDetector.load()
    return lambda texts: [found.language for found in detector.detect(texts)]


def surest() -> Detect:
    """The bundled one, which must answer."""
    detector = LanguageDetector.load()
    return lambda texts: [detector.languages[number] for number in detector.probabilities(texts).argmax(axis=1)]


def py3langid() -> Detect:
    """All of its languages, one text at a time, as its documentation does."""
    from py3langid import classify

    return lambda texts: [str(classify(text)[0]) for text in texts]


def py3langid_of_four() -> Detect:
    """The same among four languages."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    identifier.set_languages(list(FOUR))
    return lambda texts: [str(identifier.classify(text)[0]) for text in texts]


def lingua() -> Detect:
    """All of its languages, in its accurate mode."""
    from lingua import LanguageDetectorBuilder

    return _by_lingua(LanguageDetectorBuilder.from_all_languages())


def lingua_of_four() -> Detect:
    """The same among four languages."""
    from lingua import IsoCode639_1, LanguageDetectorBuilder

    return _by_lingua(
        LanguageDetectorBuilder.from_iso_codes_639_1(*(getattr(IsoCode639_1, code.upper()) for code in FOUR))
    )


def _by_lingua(builder: Any) -> Detect:  # noqa: ANN401 - of a package that may not be there
    """Models are loaded before the clock runs."""
    detector = builder.with_preloaded_language_models().build()

    def detect(texts: Sequence[str]) -> list[str]:
        found = [detector.detect_language_of(text) for text in texts]
        return [language.iso_code_639_1.name.lower() if language else "" for language in found]

    return detect


def romansh_idiom_classifier() -> Detect:
    """Its default model."""
    from romansh_idiom_classifier import RomanshIdiomClassifier

    classifier = RomanshIdiomClassifier()
    return lambda texts: [classifier.predict(text).partition("-")[0] for text in texts]


def installed() -> dict[str, Detect]:
    """All detectors that can be loaded."""
    found = {}
    for make in (ours, surest, py3langid, py3langid_of_four, lingua, lingua_of_four, romansh_idiom_classifier):
        try:
            found[make.__name__] = make()
        except ImportError:
            print(f"{make.__name__}: not installed")
    return found


def cut_runs(items: Sequence[Item], generator: random.Random) -> list[Item]:
    """A run of each of some numbers of words from each sentence that has them."""
    found = []
    for text, language, _ in items:
        words = [(match.start(), match.end()) for match in WORD.finditer(text)]
        for count in (count for count in RUNS if count <= len(words)):
            first = generator.randrange(len(words) - count + 1)
            run = text[words[first][0] : words[first + count - 1][1]]
            found.append(Item(run, language, f"cut to {count}"))
    return found


def accuracy(detect: Detect, items: Sequence[Item]) -> dict[str, float]:
    """Right answers in percent, for each language and kind."""
    hits: dict[str, list[bool]] = {}
    for item, said in zip(items, detect([item.text for item in items]), strict=True):
        hits.setdefault(f"{item.language}, {item.kind}", []).append(said == item.language)
    return {f"{key} (n={len(right)})": round(100 * sum(right) / len(right), 1) for key, right in sorted(hits.items())}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Language detectors side by side.")
    parser.add_argument("--data", nargs="+", required=True, help="language=file of text, as for eval detector")
    parser.add_argument("--sentences", type=int, default=2000, help="of each language")
    parser.add_argument("--text-column", default="text", help="name of the text in objects")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    generator, items = random.Random(1), []
    for item in given.data:
        language, _, path = item.partition("=")
        sentences = read_sentences(path, given.text_column)
        for text in generator.sample(sentences, min(given.sentences, len(sentences))):
            items.append(Item(text, language, "5+ words" if len(WORD.findall(text)) > SHORT else "1-4 words"))
    detectors = installed()
    everything = [*items, *cut_runs(items, generator)]
    scores = {name: accuracy(detect, everything) for name, detect in detectors.items()}
    texts = [item.text for item in items]
    runs = {name: lambda detect=detect: detect(texts) for name, detect in detectors.items()}
    seconds = median_seconds(runs, given.rounds, "cpu")
    results: dict[str, Any] = {
        name: {"accuracy": scores[name], "sentences_a_second": round(len(texts) / seconds[name])} for name in detectors
    }
    told = {"sentences": len(texts), "detectors": results, "machine": machine("cpu")}
    print(json.dumps(told, indent=2))
    if given.json:
        given.json.write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
