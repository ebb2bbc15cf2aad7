"""The languages of texts, with probabilities: runs on numpy alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ..errors import UserError
from ..files import existing_file
from ..texts import filled, refuse_one_text
from .grams import LONGEST, letters_of, read_grams

OTHER, UNSURE = "other", "unsure"
"""What stands for all further languages, and for a text whose language does not show."""
WEIGHTS, BIAS, FACTS = "weights", "bias", "facts"
FORMAT = 1
_BUNDLED = "languages.safetensors"
_TOGETHER = 1_000_000
"""Characters that are read together: memory does not grow with the number of texts."""


class Detected(NamedTuple):
    """What a detector says of a text."""

    language: str
    """One of the detector's languages, "other", or "unsure"."""
    probability: float
    """Of the most probable language, also where it is not enough to say so."""


@dataclass(frozen=True)
class Calibration:
    """How sums of weights become probabilities, and which of these are enough."""

    scale: float
    """What a weight of 1 stands for."""
    temperature: float
    """Logits are divided by it."""
    threshold: float
    """An answer needs a greater probability."""


class LanguageDetector:
    """Tells the language of texts: weights of their character n-grams, summed and softened."""

    def __init__(
        self, languages: Sequence[str], weights: NDArray[np.int8], bias: NDArray[np.float32], calibration: Calibration
    ) -> None:
        """A detector of its parts.

        Args:
            languages: what it tells apart; "other" may be one of them.
            weights: of each bucket for each language, shape (buckets, languages), the number of buckets a power of 2.
            bias: of each language.
            calibration: of its probabilities.
        """
        self.languages = list(languages)
        self.bias = bias
        self.calibration = calibration
        self.bits = len(weights).bit_length() - 1
        # A first row for what is no n-gram. Six of these whole numbers fit 16 bits, and sums of them are exact in any
        # order, so that a text gets the same answer alone and among others. Eight in a row are read fastest.
        self._weights = np.zeros((len(weights) + 1, -(-len(self.languages) // 8) * 8), np.int16)
        self._weights[1:, : len(self.languages)] = weights

    @classmethod
    def load(cls, path: str | Path | None = None) -> LanguageDetector:
        """The detector of a file that ``detector train`` wrote, or the one that comes with the package.

        That one tells German, French, Italian, Romansh and English from each other and from "other".

        Raises:
            UserError: for a file that is no detector.
        """
        return _bundled() if path is None else _read(existing_file(path))

    def save(self, path: str | Path) -> None:
        """Write it as :meth:`load` reads it."""
        facts = {"format": FORMAT, "languages": self.languages, "calibration": asdict(self.calibration)}
        weights = self._weights[1:, : len(self.languages)].astype(np.int8)
        save_file({WEIGHTS: weights, BIAS: self.bias}, path, metadata={FACTS: json.dumps(facts)})

    def detect(self, texts: Sequence[str]) -> list[Detected]:
        """The language of each text.

        Args:
            texts: whatever they contain; one without letters is "unsure".
        """
        found = self.probabilities(texts)
        best, chances = found.argmax(axis=1), found.max(axis=1)
        said = np.where(self.are_sure(chances), best, len(self.languages))
        names = [*self.languages, UNSURE]
        return [Detected(names[number], chance) for number, chance in zip(said.tolist(), chances.tolist(), strict=True)]

    def are_sure(self, probabilities: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which probabilities are enough to say so."""
        return probabilities > self.calibration.threshold

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Of each language for each text, shape (texts, languages); all alike for a text without letters."""
        refuse_one_text(texts)
        parts = [self._logits(part) for part in filled(texts, lambda text: min(len(text), LONGEST) + 1, _TOGETHER)]
        logits = np.concatenate([np.zeros((0, len(self.languages))), *parts]) / self.calibration.temperature
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    def _logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        sums = np.zeros((len(texts), self._weights.shape[1]), np.int64)
        letters = np.zeros((len(texts), 1), np.int64)
        for grams in read_grams(texts, self.bits):
            rows = np.zeros((grams.buckets.shape[1], self._weights.shape[1]), np.int16)
            for buckets in grams.buckets:
                rows += self._weights.take(buckets, axis=0, mode="clip")
            sums[grams.texts] += np.add.reduceat(rows, grams.starts, axis=0, dtype=np.int32)
            letters[grams.texts, 0] += letters_of(grams)
        # Evidence grows with the root of the length: neighbouring n-grams say much the same.
        means = self.calibration.scale * sums[:, : len(self.languages)] / np.sqrt(np.maximum(letters, 1))
        return np.where(letters > 0, means + self.bias, 0.0)


@cache
def _bundled() -> LanguageDetector:
    with resources.as_file(resources.files(__package__) / _BUNDLED) as path:
        return _read(path)


def _read(path: Path) -> LanguageDetector:
    try:
        with safe_open(path, framework="numpy") as file:
            facts = json.loads((file.metadata() or {})[FACTS])
            weights, bias = file.get_tensor(WEIGHTS), file.get_tensor(BIAS)
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise UserError(f"{path}: expected a language detector, as detector train writes it") from error
    if facts["format"] != FORMAT:
        raise UserError(f"{path}: a detector of form {facts['format']}, expected {FORMAT}; train it again")
    return LanguageDetector(facts["languages"], weights, bias, Calibration(**facts["calibration"]))
