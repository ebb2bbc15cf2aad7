"""What a detector learns from: sentences and short parts of them, and random words of languages without text."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from ..errors import UserError
from ..files import read_lines
from ..settings import DetectorTrain
from ..texts import Paths, as_list, kind_of, read_documents, take_characters
from .detector import OTHER

CHARACTERS = 50_000_000
"""Most of each language that is read, from the beginning."""
HELD_OUT = 20
"""Every so many a document is held out, for what is not learned but chosen."""
SHORT = 4
"""Most words of a short part."""
LONG = 25
"""Most words of any part."""
WORD = re.compile(r"[^\W\d_]+")
_END = re.compile(r"(?<=[.!?])\s+(?=[\"'«“„(]?[A-ZÀ-Þ])|\n")
_MARKS = re.compile(r"[\u0300-\u036f]")


@dataclass
class Samples:
    """Texts with their languages."""

    texts: list[str] = field(default_factory=list)
    languages: list[str] = field(default_factory=list)

    def add(self, texts: Sequence[str], language: str) -> None:
        """Some more of one language."""
        self.texts += texts
        self.languages += [language] * len(texts)


def draw_samples(settings: DetectorTrain) -> tuple[Samples, Samples]:
    """What to learn from, and what is held out.

    Of each language come as many samples as the settings say: sentences, most of them cut to one to four words, and
    runs of random words, by their frequency. Of a language with both a third are words; all further languages
    together, which are one answer, have twice as many.

    Raises:
        UserError: for a file that cannot be read.
    """
    learned, held = Samples(), Samples()
    shares = ((learned, 1), (held, 1 / HELD_OUT))
    for name, paths in settings.corpora.items():
        generator = _generator(settings.seed, name)
        count = settings.sentences * 2 // 3 if name in settings.words else settings.sentences
        for (samples, share), sentences in zip(shares, _sentences(paths, settings), strict=True):
            drawn = _draw(sentences, round(count * share), generator)
            samples.add([_varied(text, generator) for text in drawn], _class_of(name, settings))
    further = sum(_class_of(name, settings) == OTHER for name in settings.words)
    for name, paths in settings.words.items():
        generator = _generator(settings.seed, f"words {name}")
        kind = _class_of(name, settings)
        whole = 2 * settings.sentences // further if kind == OTHER else settings.sentences
        count = whole // 3 if name in settings.corpora else whole
        for samples, share in shares:
            samples.add(_random_words(paths, max(1, round(count * share)), generator), kind)
    return learned, held


def read_sentences(paths: Paths, column: str) -> list[str]:
    """Sentences of text, as a detector is measured on them: those without a letter are left out.

    Raises:
        UserError: for a file that cannot be read.
    """
    documents = chain.from_iterable(_documents(path, column) for path in as_list(paths))
    return [text for document in documents for text in split_sentences(document) if WORD.search(text)]


def split_sentences(document: str) -> list[str]:
    """Sentences of a document, by their last sign; a line is never joined to the next."""
    return [part for part in _END.split(document) if part.strip()]


def _class_of(name: str, settings: DetectorTrain) -> str:
    return name if name in settings.languages else OTHER


def _generator(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def _sentences(paths: Paths, settings: DetectorTrain) -> tuple[list[str], list[str]]:
    """Sentences to learn from, and held out."""
    learned: list[str] = []
    held: list[str] = []
    for path in as_list(paths):
        for number, document in enumerate(take_characters(_documents(path, settings.text_column), CHARACTERS)):
            (learned if (number + 1) % HELD_OUT else held).extend(split_sentences(document))
    return learned, held


def _documents(path: str, column: str) -> Iterator[str]:
    return _tokens_joined(path) if kind_of(path) == ".conll" else read_documents(path, column)


def _tokens_joined(path: str) -> Iterator[str]:
    """Sentences of a CoNLL file, a blank between their words."""
    words: list[str] = []
    for line in chain(read_lines(path), [""]):
        if line.strip():
            words.append(line.split()[0])
        elif words:
            yield " ".join(words)
            words = []


def _draw(sentences: Sequence[str], count: int, generator: np.random.Generator) -> list[str]:
    if len(sentences) <= count:
        return list(sentences)
    return [sentences[number] for number in generator.choice(len(sentences), count, replace=False)]


def _varied(text: str, generator: np.random.Generator) -> str:
    """A run of its words, six in ten times of four or fewer; one in ten in capitals, half of these without accents."""
    words = text.split()
    count = int(generator.integers(1, SHORT + 1)) if generator.random() < 0.6 else LONG
    start = int(generator.integers(max(1, len(words) - count + 1)))
    text = " ".join(words[start : start + count])
    if generator.random() < 0.1:
        text = text.upper()
        if generator.random() < 0.5:
            text = _MARKS.sub("", unicodedata.normalize("NFD", text))
    return text


def _random_words(paths: Paths, count: int, generator: np.random.Generator) -> list[str]:
    words, weights = _word_list(paths)
    texts = []
    for number in range(count):
        length = int(generator.integers(SHORT + 1, LONG + 1) if number % 2 else generator.integers(1, SHORT + 1))
        texts.append(" ".join(words[i] for i in generator.choice(len(words), length, p=weights)))
    return texts


def _word_list(paths: Paths) -> tuple[list[str], np.ndarray]:
    words, frequencies = [], []
    for path in as_list(paths):
        for number, line in enumerate(read_lines(path), 1):
            word, _, frequency = line.partition("\t")
            try:
                words.append(word)
                frequencies.append(float(frequency))
            except ValueError:
                raise UserError(
                    f"{path}:{number}: expected a word, a tab and its frequency, found {line[:60]!r}"
                ) from None
    return words, np.array(frequencies) / sum(frequencies)
