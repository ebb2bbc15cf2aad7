"""Sentences that a tagger got wrong, kept beside the scores to be looked at; no score is made of them."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

from ..checked import checked
from ..files import read_lines, write_text
from ..tasks.conll import Entity, entities
from ..tasks.schemes import OUTSIDE, is_iob2

Kind = Literal["missed", "wrong type", "wrong border", "invented"]
KINDS: tuple[Kind, ...] = ("missed", "wrong type", "wrong border", "invented")
KEPT = 20
"""Sentences to keep of each language and kind of mistake."""


@dataclass(frozen=True)
class Mistake:
    """Names of the gold standard and of the tagger that share words and differ, or one that has no counterpart."""

    gold: tuple[Entity, ...]
    predicted: tuple[Entity, ...]

    @property
    def kind(self) -> Kind:
        """What is wrong: "wrong type" where the borders are right, else "wrong border" where there are both."""
        if not self.predicted:
            return "missed"
        if not self.gold:
            return "invented"
        borders = [[entity[1:] for entity in side] for side in (self.gold, self.predicted)]
        return "wrong type" if borders[0] == borders[1] else "wrong border"

    @property
    def start(self) -> int:
        """The first word of any of the names."""
        return min(entity[1] for entity in self.gold + self.predicted)

    @property
    def stop(self) -> int:
        """The word behind the last one."""
        return max(entity[2] for entity in self.gold + self.predicted)


def mistakes(gold: Sequence[str], predicted: Sequence[str]) -> list[Mistake]:
    """What differs between two IOB2 sequences, in the order of the words; names that share words belong together."""
    wanted, found = entities(gold), entities(predicted)
    sides = [(entity, True) for entity in wanted - found] + [(entity, False) for entity in found - wanted]
    groups: list[list[tuple[Entity, bool]]] = []
    end = -1
    for entity, is_gold in sorted(sides, key=lambda side: (side[0][1], -side[0][2])):
        if entity[1] < end:
            groups[-1].append((entity, is_gold))
        else:
            groups.append([(entity, is_gold)])
        end = max(end, entity[2])
    return [
        Mistake(
            tuple(entity for entity, is_gold in group if is_gold),
            tuple(entity for entity, is_gold in group if not is_gold),
        )
        for group in groups
    ]


class Example(BaseModel):
    """A sentence with a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model_hash: str
    """The tagger, as its records name it."""
    dataset: str
    split: str
    language: str
    """Tested language, an adapter's key, which also read the text."""
    words: list[str]
    gold: list[str]
    """Tags in IOB2; types that were not scored are left out."""
    predicted: list[str]

    @model_validator(mode="after")
    def _is_a_mistake(self) -> Example:
        for name, tags in (("gold", self.gold), ("predicted", self.predicted)):
            if len(tags) != len(self.words):
                raise ValueError(f"{len(tags)} {name} tags for {len(self.words)} words")
            if not is_iob2(tags):
                raise ValueError(f"{name} tags are not valid IOB2")
        if self.gold == self.predicted:
            raise ValueError("nothing is wrong in the sentence")
        return self

    @property
    def mistakes(self) -> list[Mistake]:
        """What is wrong."""
        return mistakes(self.gold, self.predicted)


def only_types(tags: Sequence[str], types: Collection[str]) -> list[str]:
    """Tags without those of other types."""
    return [tag if tag[2:] in types else OUTSIDE for tag in tags]


def sample(pairs: Sequence[tuple[Sequence[str], Sequence[str]]], seed: int, kept: int = KEPT) -> list[int]:
    """Numbers of sentences with mistakes: of each kind so many, drawn by chance, or all that there are.

    Args:
        pairs: gold and predicted IOB2 tags of each sentence.
        seed: the same one draws the same sentences.
        kept: sentences of each kind.
    """
    having: dict[Kind, list[int]] = defaultdict(list)
    for number, (gold, predicted) in enumerate(pairs):
        for kind in {mistake.kind for mistake in mistakes(gold, predicted)}:
            having[kind].append(number)
    chance = random.Random(seed)
    return sorted({number for kind in KINDS for number in chance.sample(having[kind], min(kept, len(having[kind])))})


def write_examples(path: str | Path, examples: Iterable[Example]) -> None:
    """Write JSON Lines, whole or not at all; a perfect tagger leaves an empty file."""
    write_text(path, "".join(example.model_dump_json() + "\n" for example in examples))


def read_examples(path: str | Path) -> list[Example]:
    """Read and check JSON Lines.

    Raises:
        UserError: for a line that is not such a sentence.
    """
    if Path(path).is_file() and not Path(path).stat().st_size:
        return []
    return [
        checked(Example, line, f"{path}:{number}", "an example of a mistake", "sentence")
        for number, line in enumerate(read_lines(path), 1)
    ]


@dataclass(frozen=True)
class Segment:
    """Words of a sentence that belong together."""

    text: str
    kind: Kind | Literal["right"] | None = None
    """What they are; None for words outside of names."""
    note: str = ""
    """The types, and what the tagger said."""


def segments(example: Example) -> Iterator[Segment]:
    """The sentence in pieces: words outside, names found rightly, mistakes with what should have been."""
    words = example.words
    right = entities(example.gold) & entities(example.predicted)
    marked = [(start, stop, Segment(" ".join(words[start:stop]), "right", kind)) for kind, start, stop in right]
    for each in example.mistakes:
        text = " ".join(words[each.start : each.stop])
        marked.append((each.start, each.stop, Segment(text, each.kind, _note(each, words))))
    place = 0
    for start, stop, segment in sorted(marked, key=lambda part: part[:2]):
        if place < start:
            yield Segment(" ".join(words[place:start]))
        yield segment
        place = stop
    if place < len(words):
        yield Segment(" ".join(words[place:]))


def _note(mistake: Mistake, words: Sequence[str]) -> str:
    gold, predicted = (" + ".join(entity[0] for entity in side) for side in (mistake.gold, mistake.predicted))
    match mistake.kind:
        case "missed":
            return f"{gold} missed"
        case "invented":
            return f"{predicted} invented"
        case "wrong type":
            return f"{gold}, tagged {predicted}"
    sides = [
        " + ".join(f"{kind} “{' '.join(words[start:stop])}”" for kind, start, stop in side)
        for side in (mistake.gold, mistake.predicted)
    ]
    return f"{sides[0]}, tagged {sides[1]}"
