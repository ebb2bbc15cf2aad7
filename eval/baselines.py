"""Baselines for labels: what any model must beat to have learned something."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from ..errors import UserError, first_line
from ..tasks.stance import Comment

Baseline = Callable[[Sequence[Comment]], list[str]]


def majority(learned: Sequence[Comment]) -> Baseline:
    """Always the most frequent label; the first in the alphabet of equals."""
    counts = Counter(str(item.label) for item in learned)
    best = min(counts, key=lambda label: (-counts[label], label))
    return lambda items: [best] * len(items)


def tfidf(learned: Sequence[Comment]) -> Baseline:
    """Logistic regression on words and word pairs of question and comment, weighted by TF-IDF.

    Raises:
        UserError: if scikit-learn is not installed, or the comments have one label or no word.
    """
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
    except ImportError as error:
        raise UserError("baseline_train: needs an extra: pip install 'swissxmod[baselines]'") from error
    pipeline = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(max_iter=1000))
    try:
        pipeline.fit([_text(item) for item in learned], [str(item.label) for item in learned])
    except ValueError as error:
        raise UserError(f"baseline_train: TF-IDF cannot learn from these comments: {first_line(error)}") from error
    return lambda items: [str(label) for label in pipeline.predict([_text(item) for item in items])]


def _text(item: Comment) -> str:
    return f"{item.question} {item.comment}"
