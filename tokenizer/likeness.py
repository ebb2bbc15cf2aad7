"""How the pieces of a vocabulary are used in a text, as vectors: pieces with like neighbours are near.

FOCUS takes fastText vectors for this; ours are the leading singular vectors of positive pointwise mutual information,
which skip-gram with negative sampling also factors (Levy and Goldberg 2014, "Neural Word Embedding as Implicit Matrix
Factorization"), with their smoothing of contexts and half-weighted singular values (Levy et al. 2015). It needs no
further library and gives the same vectors every time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from transformers import PreTrainedTokenizerFast

from ..texts import batched, take_characters

WINDOW = 5
"""Pieces to each side."""
CONTEXT_POWER = 0.75
DIMENSIONS = 128
SPARE_DIMENSIONS, POWER_ROUNDS = 16, 4
DOCUMENTS = 256
"""Documents cut at a time."""


def likeness_vectors(
    texts: Mapping[str, Iterable[str]], tokenizer: PreTrainedTokenizerFast, characters: int
) -> NDArray[np.float32]:
    """A vector for each piece.

    Args:
        texts: documents of each language that the vocabulary is for.
        tokenizer: of the vocabulary.
        characters: how much of each language to read.

    Returns:
        shape (vocabulary, 128 or less); zeros for a piece that the text does not show.
    """
    size = len(tokenizer)
    together = sparse.csr_matrix((size, size), dtype=np.float32)
    for documents in texts.values():
        for batch in batched(take_characters(documents, characters), DOCUMENTS):
            together += _count_pairs(tokenizer(batch, add_special_tokens=False, verbose=False)["input_ids"], size)
    pairs = _mutual_information(together)
    left, values = _leading_singular_vectors(pairs, min(DIMENSIONS, size))
    vectors = (left * np.sqrt(values)).astype(np.float32)
    vectors[np.diff(pairs.indptr) == 0] = 0
    return vectors


def _leading_singular_vectors(
    matrix: sparse.csr_matrix, count: int
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Left singular vectors and values (Halko, Martinsson and Tropp 2011, "Finding Structure with Randomness").

    SciPy's ``svds`` would do, were it the same twice: it restarts from random vectors where the rank is low.
    """
    width = min(count + SPARE_DIMENSIONS, matrix.shape[1])
    basis = np.random.default_rng(0).standard_normal((matrix.shape[1], width)).astype(np.float32)
    for _ in range(POWER_ROUNDS):
        basis, _ = np.linalg.qr(matrix @ basis)
        basis, _ = np.linalg.qr(matrix.T @ basis)
    basis, _ = np.linalg.qr(matrix @ basis)
    left, values, _ = np.linalg.svd(basis.T @ matrix, full_matrices=False)
    return (basis @ left)[:, :count], values[:count]


def _count_pairs(rows: list[list[int]], size: int) -> sparse.csr_matrix:
    """How often two pieces stand within the window of each other, near ones counted more (as GloVe does)."""
    ids = np.concatenate([np.array(row, np.int32) for row in rows])
    document = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    total = sparse.csr_matrix((size, size), dtype=np.float32)
    for distance in range(1, WINDOW + 1):
        inside = document[distance:] == document[:-distance]
        one, other = ids[:-distance][inside], ids[distance:][inside]
        weights = np.full(len(one), 1 / distance, np.float32)
        total += sparse.coo_matrix((weights, (one, other)), shape=(size, size)).tocsr()
    return total + total.T


def _mutual_information(together: sparse.csr_matrix) -> sparse.csr_matrix:
    """Positive pointwise mutual information."""
    pairs = together.tocoo()
    uses = np.asarray(together.sum(axis=1)).ravel()
    contexts = uses**CONTEXT_POWER
    with np.errstate(divide="ignore"):
        information = np.log(pairs.data * contexts.sum()) - np.log(uses[pairs.row] * contexts[pairs.col])
    positive = information > 0
    return sparse.csr_matrix((information[positive], (pairs.row[positive], pairs.col[positive])), together.shape)
