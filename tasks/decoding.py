"""The best tags for a sentence that are valid in IOB2."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .schemes import OUTSIDE

Floats = NDArray[np.floating]


class Decoder:
    """Finds the most probable sequence of labels in which no I- stands without its entity (Viterbi 1967)."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = list(labels)
        before = [OUTSIDE, *self.labels]
        allowed = np.array([[_may_follow(tag, previous) for tag in self.labels] for previous in before])
        penalties = np.where(allowed, 0.0, -np.inf)
        self.first, self.next = penalties[0], penalties[1:]
        """0 where a label may stand first, and where one (row) may be followed by another (column), else -inf."""

    def __call__(self, scores: Floats) -> NDArray[np.int64]:
        """Number of the label of each word.

        Args:
            scores: log-probability of each label, shape (words, labels).

        Returns:
            shape (words,).
        """
        best = scores.argmax(axis=1)
        # What is best word by word is best of all if it is valid, and it nearly always is.
        if not len(best) or (self.first[best[0]] == 0 and (self.next[best[:-1], best[1:]] == 0).all()):
            return best
        return self._search(scores)

    def _search(self, scores: Floats) -> NDArray[np.int64]:
        came_from = np.zeros(scores.shape, dtype=np.int64)
        total = self.first + scores[0]
        for word in range(1, len(scores)):
            paths = total[:, None] + self.next
            came_from[word] = paths.argmax(axis=0)
            total = paths.max(axis=0) + scores[word]
        path = [int(total.argmax())]
        for word in range(len(scores) - 1, 0, -1):
            path.append(int(came_from[word, path[-1]]))
        return np.array(path[::-1])


def _may_follow(tag: str, previous: str) -> bool:
    return not tag.startswith("I-") or (previous != OUTSIDE and previous[2:] == tag[2:])
