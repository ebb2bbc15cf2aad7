"""What an aligner learns from: sentence pairs alone, no gold links.

Three losses, added up: the words of a pair must match better than those of a source and the other targets of the batch
(late interaction, Khattab and Zaharia 2020, "ColBERT", in both directions); words that are probably linked must become
more so (self-training after Dou and Neubig 2021, "awesome-align", here by the logarithm and on links that the vectors
and a statistical aligner find probable together); and the mean vectors of a pair must be nearer than those of others
(in-batch negatives, Henderson et al. 2017), so that sentences find each other.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_NEVER = -1e4
"""A logit that no exponential can see, and no gradient makes infinite."""
LIKELY = 0.38
"""Probability above which a link is learned (on DERMIT dev)."""


def word_means(states: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
    """Unit vectors of words, the means over their pieces.

    Args:
        states: of the pieces, shape (sentences, pieces, hidden).
        words: number of the word that each piece belongs to, -1 for none, shape (sentences, pieces).

    Returns:
        shape (sentences, words, hidden), and whether there is such a word, (sentences, words).
    """
    count = int(words.max()) + 1
    belongs = F.one_hot(words + 1, count + 1)[..., 1:].to(states.dtype)
    pieces = belongs.sum(dim=1)
    means = belongs.transpose(1, 2) @ states / pieces.clamp(min=1)[..., None]
    return F.normalize(means, dim=-1, eps=1e-6), pieces > 0


def word_similarities(source: Tensor, target: Tensor) -> Tensor:
    """Cosines of all words of all sentences: (n, words, hidden) and (m, words, hidden) to (n, m, words, words)."""
    return torch.einsum("iah,jbh->ijab", source, target)


def late_interaction(similarities: Tensor, source_mask: Tensor, target_mask: Tensor) -> Tensor:
    """How well each source sentence fits each target: the mean of every word's best match, mean of both directions.

    Args:
        similarities: shape (n, m, source words, target words).
        source_mask: true for words, shape (n, source words).
        target_mask: shape (m, target words).

    Returns:
        shape (n, m).
    """
    there = similarities.masked_fill(~target_mask[None, :, None, :], _NEVER).amax(dim=3)
    back = similarities.masked_fill(~source_mask[:, None, :, None], _NEVER).amax(dim=2)
    return (_mean(there, source_mask[:, None]) + _mean(back, target_mask[None])) / 2


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum(dim=-1) / mask.sum(dim=-1)


def in_batch(scores: Tensor, same: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of finding the own translation among those of the batch, mean of both directions.

    Args:
        scores: of each source (rows) with each target, the own on the diagonal.
        same: true where a target is another line's but the same text, or the source is; these are no negatives.
        temperature: that the scores are divided by.
    """
    logits = (scores / temperature).masked_fill(same, _NEVER)
    own = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def link_logits(similarities: Tensor, words: Tensor, temperature: float) -> Tensor:
    """Mean of the log-probabilities of each link among the words of either sentence.

    Args:
        similarities: of the words of each pair, shape (pairs, source words, target words).
        words: true where there are two words, in the same shape.
        temperature: that the similarities are divided by.
    """
    logits = (similarities / temperature).masked_fill(~words, _NEVER)
    return (logits.log_softmax(dim=2) + logits.log_softmax(dim=1)) / 2


def likely_links(logits: Tensor, words: Tensor, counted: Tensor, guidance: float) -> Tensor:
    """True for links that the vectors and a statistical aligner find probable together, in the shape of all of them.

    Args:
        logits: of :func:`link_logits`.
        words: true where there are two words.
        counted: probability of each link by :mod:`statistical_alignment`.
        guidance: how much that one counts, its weight in a mean.
    """
    return ((1 - guidance) * logits.detach().exp() + guidance * counted > LIKELY) & words


def link_loss(logits: Tensor, links: Tensor) -> Tensor:
    """Negative log-probability of the links, mean of both directions and of links; 0 without any.

    Args:
        logits: of :func:`link_logits`.
        links: true for those to learn, in the same shape.
    """
    return -logits[links].sum() / links.sum().clamp(min=1)
