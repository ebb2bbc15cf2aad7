"""Which of a model's adapters shall read a text whose language nobody said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError, naming
from ..texts import LANGUAGE, Row, language_of
from ..xmod.languages import may_mean, resolve_language, same_language
from .detector import OTHER, UNSURE, LanguageDetector


class Choice(NamedTuple):
    """The language that a passage is read in."""

    language: str
    """As the model resolves it: "rm", or an adapter's key where only a variant is there."""
    probability: float
    """Of that language, for the passage itself."""
    sure: bool
    """Whether the passage itself shows it; if not, the text around it or a guess does."""


class LanguageChoice:
    """Chooses among the languages of a model that a detector tells."""

    def __init__(self, adapters: Sequence[str], detector: LanguageDetector | None = None) -> None:
        """For a model with these adapters.

        Args:
            adapters: their keys.
            detector: by default the one that comes with the package.

        Raises:
            UserError: if the detector tells none of their languages, or two are of one language that it tells.
        """
        self.detector = detector or LanguageDetector.load()
        told = [name for name in self.detector.languages if name != OTHER]
        named = {name: _adapter_name(name, adapters) for name in told}
        self.names = [name for name in named.values() if name]
        self._columns = [self.detector.languages.index(language) for language, name in named.items() if name]
        if not self.names:
            raise UserError(
                f"language: the model's adapters ({', '.join(adapters)}) are of none that is detected "
                f"({', '.join(told)}): give --language"
            )

    def choose(self, passages: Sequence[str], contexts: Sequence[str], owners: Sequence[int]) -> list[Choice]:
        """The language of each passage; where it does not show, that of the text around it, or its most probable one.

        Args:
            passages: to read.
            contexts: the texts that they are from.
            owners: number of the text of each passage.
        """
        own = self._probabilities(passages)
        # A language that the model does not have may be the most probable one: then no other is sure.
        sure = self.detector.are_sure(own.max(axis=1))
        unsure = np.flatnonzero(~sure).tolist()
        rows = own.copy()
        rows[unsure] = self._probabilities([contexts[owners[number]] for number in unsure])
        best = rows.argmax(axis=1)
        chances = own[np.arange(len(own)), best]
        return [
            Choice(self.names[number], round(chance, 4), is_sure)
            for number, chance, is_sure in zip(best.tolist(), chances.tolist(), sure.tolist(), strict=True)
        ]

    def _probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        return self.detector.probabilities(texts)[:, self._columns]


def _adapter_name(language: str, adapters: Sequence[str]) -> str | None:
    """What means the adapter of a language, None if there is none; a variant only where the language itself is not."""
    plain = [key for key in adapters if may_mean(language, key)]
    fitting = plain or [key for key in adapters if same_language(key, language)]
    if len(fitting) > 1:
        raise UserError(
            f"language: {', '.join(fitting)} are all {language!r}, and which of them a text is in is not detected: "
            "give --language"
        )
    return (language if plain else fitting[0]) if fitting else None


def tell_languages(
    placed: Sequence[tuple[str, Row]],
    default: str | None,
    passages: Sequence[str],
    contexts: Sequence[str],
    adapters: Sequence[str],
    counts: Counter[str],
) -> list[str]:
    """The language of each object; one that says none is told the one detected, and how sure that is ("detected").

    Args:
        placed: objects of a file, each with its place.
        default: language of those that do not say theirs; None to detect it.
        passages: what it shows in.
        contexts: what shows it where the passage does not.
        adapters: of the model.
        counts: of the languages that were detected, and of those that did not show; added to.

    Raises:
        UserError: as :class:`LanguageChoice`, and for an object in a language without an adapter.
    """
    languages = [language_of(row, place, default) for place, row in placed]
    for language in dict.fromkeys(languages):
        if language is not None and language != default:
            check_adapter(language, adapters, placed[languages.index(language)][0])
    if silent := [number for number, language in enumerate(languages) if language is None]:
        asked, around = ([texts[number] for number in silent] for texts in (passages, contexts))
        for number, choice in zip(
            silent, LanguageChoice(adapters).choose(asked, around, range(len(silent))), strict=True
        ):
            languages[number] = choice.language
            counts[choice.language if choice.sure else UNSURE] += 1
            told = {"probability": choice.probability, "sure": choice.sure}
            placed[number][1].update({LANGUAGE: choice.language, "detected": told})
    return [str(language) for language in languages]


def check_adapter(language: str, adapters: Sequence[str], place: str) -> None:
    """Raise :class:`UserError` unless an object at ``place`` is in the language of an adapter."""
    with naming(place):
        resolve_language(language, adapters)
