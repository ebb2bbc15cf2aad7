"""Scores of labels: counts in, ratios out."""

from __future__ import annotations

import numpy as np


def confusion(gold: np.ndarray, found: np.ndarray, labels: int) -> np.ndarray:
    """One confusion table per item, flat: numbers of labels, (items,) each, to (items, labels * labels)."""
    counts = np.zeros((len(gold), labels * labels), dtype=np.int64)
    counts[np.arange(len(gold)), gold * labels + found] = 1
    return counts


def label_f1(counts: np.ndarray) -> np.ndarray:
    """F1 of each label, of summed tables (..., labels * labels); NaN for one that is neither given nor found."""
    size = round(counts.shape[-1] ** 0.5)
    table = np.asarray(counts, dtype=float).reshape(*counts.shape[:-1], size, size)
    total = table.sum(axis=-1) + table.sum(axis=-2)
    return np.where(total > 0, 2 * np.diagonal(table, axis1=-2, axis2=-1) / np.where(total > 0, total, 1), np.nan)


def macro_f1(counts: np.ndarray) -> np.ndarray:
    """Mean F1 of the labels that are given or found, of summed tables (..., labels * labels).

    Of two labels it is the macro average of the x-stance evaluation (Vamvas and Sennrich 2020).
    """
    return np.nanmean(label_f1(counts), axis=-1)
