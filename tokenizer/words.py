"""Text as counted words: all that a unigram vocabulary is trained on, whatever the size of the corpus."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from tqdm.auto import tqdm

from ..texts import smoothed_shares
from .lattice import LONGEST_WORD
from .unigram import Count

BATCH = 1_000_000
"""Characters counted at a time."""


@dataclass(frozen=True)
class CountedText:
    """What was read of one language."""

    words: Counter[str]
    """White-space words, normalised."""
    characters: int
    """Characters counted."""
    share: float
    """Share of the documents that was drawn: 1, or a half, a quarter and so on of text beyond the limit."""

    @property
    def size(self) -> float:
        """Characters there are, as estimated from what was drawn."""
        return self.characters / self.share


def count_words(
    documents: Callable[[], Iterable[str]], split: Callable[[str], list[str]], *, limit: int, seed: str, title: str
) -> CountedText:
    """Count the words of a stream in memory that grows with the number of different words only.

    Where there is more text than the limit, a random half of the documents is counted, or a quarter and so on. It takes
    another pass each time, which together cost no more than one over the whole.

    Args:
        documents: starts the stream, as often as it is called.
        split: the words of a text, as the tokenizer sees them.
        limit: most characters to count.
        seed: of the draw.
        title: for the progress bar.
    """
    share = 1.0
    while True:
        words: Counter[str] = Counter()
        characters = 0
        with tqdm(desc=title, unit="char", unit_scale=True, disable=None, leave=False) as bar:
            drawn = 0
            for batch in _batches(_draw(documents(), share, seed)):
                drawn += len(batch)
                size = sum(map(len, batch))
                characters += size
                bar.update(size)
                words.update(split("\n".join(batch)))
                if characters > limit and drawn > 1:
                    break
            else:
                return CountedText(words, characters, share)
        share /= 2


def _draw(documents: Iterable[str], share: float, seed: str) -> Iterator[str]:
    """The first document, and the others by chance."""
    generator = random.Random(seed)
    return (document for number, document in enumerate(documents) if number == 0 or generator.random() < share)


def _batches(documents: Iterator[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for document in documents:
        batch.append(document)
        size += len(document)
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def smoothed_counts(
    texts: Mapping[str, CountedText], alpha: float, minimum: float
) -> tuple[Counter[str], dict[str, float], dict[str, float]]:
    """How often each word was seen, what it counts, and the share of each language in that.

    Small languages are lifted by weight instead of by reading them several times: the estimate is the same, without the
    noise of a sample.
    """
    shares = smoothed_shares({language: text.size for language, text in texts.items()}, alpha, minimum)
    total = sum(text.characters for text in texts.values())
    seen: Counter[str] = Counter()
    weights: defaultdict[str, float] = defaultdict(float)
    for language, text in texts.items():
        factor = shares[language] * total / text.characters
        for word, count in text.words.items():
            seen[word] += count
            weights[word] += factor * count
    return seen, weights, shares


def count_parts(
    seen: Mapping[str, int], weights: Mapping[str, float], cut: Callable[[str], Iterable[str]], without: Collection[str]
) -> dict[str, Count]:
    """The parts of words that pieces may not cross, counted.

    Args:
        seen: how often each word occurs.
        weights: what it counts.
        cut: the parts of a word.
        without: parts that are no text to learn from (the user's symbols).
    """
    parts_seen: defaultdict[str, int] = defaultdict(int)
    parts_weight: defaultdict[str, float] = defaultdict(float)
    for word, count in seen.items():
        for part in cut(word):
            # Longer ones are lines of a table or addresses; nothing is lost where these are cut.
            for start in range(0, len(part), LONGEST_WORD):
                piece = part[start : start + LONGEST_WORD]
                parts_seen[piece] += count
                parts_weight[piece] += weights[word]
    return {part: Count(count, parts_weight[part]) for part, count in parts_seen.items() if part not in without}
