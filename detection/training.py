"""Training a language detector: logistic regression by scikit-learn, made small and calibrated on what was held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_array

from ..errors import UserError
from ..files import new_file
from ..settings import DetectorTrain
from .detector import OTHER, Calibration, LanguageDetector
from .grams import letters_of, read_grams
from .samples import HELD_OUT, Samples, draw_samples, read_sentences
from .scores import measure

STRENGTH = 10.0
"""Of the fit against the squares of the weights (scikit-learn's C)."""
_STEPS = 250
_TOLERANCE = 1e-4
_LARGEST = 127
_CLIPPED = 1e-4
"""Share of the weights that are cut to the largest that one byte holds."""
_HOTTEST = 20.0
_LEAST, _SURE = 0.5, 0.99
"""Bounds of the threshold: at the first there is one most probable language."""


def train_detector(settings: DetectorTrain, out: str | Path) -> dict[str, Any]:
    """Train a detector and write it.

    Args:
        settings: the text, and how to train.
        out: file to write; the same settings and text make the same bytes.

    Returns:
        samples of each language; of held-out ones how many were answered and how many of these rightly; the threshold;
        and with dev data what ``eval detector`` tells.

    Raises:
        UserError: for files that cannot be read, a language without text, or if scikit-learn is missing.
    """
    dev = {name: read_sentences(paths, settings.text_column) for name, paths in settings.dev.items()}
    learned, held = draw_samples(settings)
    if not held.texts:
        raise UserError(f"corpora: expected {HELD_OUT} documents or more in a file, as one in {HELD_OUT} is held out")
    languages = [name for name in (*settings.languages, OTHER) if name in learned.languages]
    if missing := set(settings.languages) - set(languages):
        raise UserError(f"languages: no corpora or words for {', '.join(sorted(missing))}")
    weights, bias = _fit(learned, languages, settings.bits)
    small, scale = _made_small(weights)
    answers = np.array([languages.index(name) for name in held.languages])
    warm = LanguageDetector(languages, small, bias, Calibration(scale, 1.0, _LEAST)).probabilities(held.texts)
    temperature = _temperature(warm, answers)
    cool = LanguageDetector(languages, small, bias, Calibration(scale, temperature, _LEAST)).probabilities(held.texts)
    threshold = _threshold(cool, answers, settings.precision)
    detector = LanguageDetector(languages, small, bias, Calibration(scale, temperature, threshold))
    with new_file(out) as temporary:
        detector.save(temporary)
    sure = cool.max(axis=1) > threshold
    told = {
        "samples": dict(Counter(learned.languages)),
        "held_out": len(held.texts),
        "answered": round(float(sure.mean()), 4),
        "right": round(float((cool.argmax(axis=1) == answers)[sure].mean()), 4) if sure.any() else None,
        "threshold": threshold,
    }
    return told | ({"dev": measure(detector, dev)} if dev else {})


def _fit(samples: Samples, languages: Sequence[str], bits: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights of each bucket for each language, shape (buckets, languages), and the bias of each language."""
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise UserError("detector train: needs an extra: pip install 'swissxmod[baselines]'") from error
    if len(languages) < 2:
        raise UserError(f"languages: expected two or more to tell apart, found {', '.join(languages)}")
    model = LogisticRegression(C=STRENGTH, max_iter=_STEPS, tol=_TOLERANCE, class_weight="balanced")
    model.fit(_matrix(samples.texts, bits), [languages.index(name) for name in samples.languages])
    # Of two classes scikit-learn has the weights of the second, against those of the first.
    both = len(model.classes_) == 2
    weights = np.concatenate([-model.coef_, model.coef_]) / 2 if both else model.coef_
    bias = np.concatenate([-model.intercept_, model.intercept_]) / 2 if both else model.intercept_
    return weights.T.astype(np.float32), bias.astype(np.float32)


def _matrix(texts: Sequence[str], bits: int) -> csr_array:
    """The n-grams of texts as the detector weighs them, shape (texts, buckets)."""
    rows, columns = [], []
    letters = np.zeros(len(texts))
    for grams in read_grams(texts, bits):
        sizes = np.diff(np.append(grams.starts, grams.buckets.shape[1]))
        owners = grams.first + np.repeat(np.arange(len(sizes)), sizes)
        letters[grams.texts] += letters_of(grams)
        found = grams.buckets > 0
        rows.append(np.broadcast_to(owners, found.shape)[found].astype(np.int32))
        columns.append(grams.buckets[found].astype(np.int32) - 1)
    row = np.concatenate(rows)
    values = (1 / np.sqrt(np.maximum(letters, 1)))[row].astype(np.float32)
    matrix = csr_array((values, (row, np.concatenate(columns))), shape=(len(texts), 1 << bits))
    matrix.sum_duplicates()
    return matrix


def _made_small(weights: NDArray[np.float32]) -> tuple[NDArray[np.int8], float]:
    """Weights in a byte each, without what all languages share, which says nothing; and what 1 stands for."""
    centred = weights - weights.mean(axis=1, keepdims=True)
    used = np.abs(centred[centred != 0])
    scale = float(np.quantile(used, 1 - _CLIPPED)) / _LARGEST if len(used) else 1.0
    return np.clip(np.rint(centred / scale), -_LARGEST, _LARGEST).astype(np.int8), scale


def _temperature(found: NDArray[np.float64], answers: NDArray[np.int64]) -> float:
    """What logits must be divided by so that held-out answers are most probable.

    Guo et al. 2017, "On calibration of modern neural networks", section 4.2.
    """
    logits = np.log(np.maximum(found, np.finfo(np.float64).tiny))

    def surprise(heat: float) -> float:
        cooled = logits / heat
        right = cooled[np.arange(len(answers)), answers]
        return float(np.mean(np.logaddexp.reduce(cooled, axis=1) - right))

    return round(float(minimize_scalar(surprise, bounds=(1 / _HOTTEST, _HOTTEST), method="bounded").x), 4)


def _threshold(found: NDArray[np.float64], answers: NDArray[np.int64], precision: float) -> float:
    """The least probability, in hundredths, above which so many answers are right."""
    best, right = found.max(axis=1), found.argmax(axis=1) == answers
    for threshold in np.arange(_LEAST, _SURE, 0.01):
        if (answered := right[best > threshold]).size and answered.mean() >= precision:
            return round(float(threshold), 2)
    return _SURE
