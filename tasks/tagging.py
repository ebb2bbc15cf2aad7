"""Tags for sentences of words, by a fine-tuned tagger; apart from what trains one, which takes seconds to import."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ..xmod.inference import count_dropped, count_windowed, cut_words, run_pieces
from ..xmod.modeling import XmodForTokenClassification
from ..xmod.packing import PackedBatch
from .decoding import Decoder
from .schemes import OUTSIDE, inside


@dataclass(frozen=True)
class Tagging:
    """Tags of sentences, and what the model could not see as a whole."""

    tags: list[list[str]]
    scores: list[list[float]]
    """Probability of each tag, from 0 to 1."""
    windowed: int
    """Sentences longer than the model's positions, read in overlapping windows."""
    dropped: int
    """Words without a piece; they are tagged O."""


def model_types(model: XmodForTokenClassification) -> list[str]:
    """Entity types that a tagger knows, sorted."""
    return sorted({label[2:] for label in model.config.label2id if label != OUTSIDE})


def tag_sentences(
    model: XmodForTokenClassification,
    tokenizer: PreTrainedTokenizerFast,
    sentences: Sequence[Sequence[str]],
    language: str | Sequence[str],
) -> Tagging:
    """Tag sentences of words: the most probable tags that are valid in IOB2, by the first piece of each word.

    Args:
        model: a tagger.
        tokenizer: of the model.
        sentences: words of each; an empty one is a part of the word before it and has its tag.
        language: of all sentences, or one for each; a BCP-47 tag or an adapter's key.

    Raises:
        UserError: if the model has no adapter for the language.
    """
    cut = cut_words(tokenizer, sentences)
    names = [model.config.id2label[number] for number in range(model.config.num_labels)]
    decode, outside = Decoder(names), names.index(OUTSIDE)

    def label_scores(input_ids: Tensor, packed: PackedBatch) -> Tensor:
        return model(input_ids, packed=packed).logits.float().log_softmax(dim=-1)

    def tag(number: int, scores: Tensor) -> tuple[list[str], list[float]]:
        first = cut[number].first_pieces()
        # A word without a piece, which the model cannot see, is outside for sure.
        words = np.full((len(sentences[number]), len(names)), -np.inf)
        words[:, outside] = 0
        if first:
            words[list(first)] = scores[list(first.values())].numpy()
        whole = [place for place, word in enumerate(sentences[number]) if word or not place]
        best = decode(words[whole])
        chances = np.exp(words[whole, best])
        return _carried(whole, len(words), [names[label] for label in best], chances)

    ids = [pieces.ids for pieces in cut]
    tagged = run_pieces(model, tokenizer, ids, language, label_scores, tag, title="tag")
    return Tagging(
        tags=[tags for tags, _ in tagged],
        scores=[scores for _, scores in tagged],
        windowed=count_windowed(model, ids),
        dropped=count_dropped(cut, sentences),
    )


def _carried(
    whole: Sequence[int], count: int, tags: Sequence[str], scores: np.ndarray
) -> tuple[list[str], list[float]]:
    """Tags and scores of ``count`` words, of which those at ``whole`` have their own and the rest that before them."""
    owner = np.searchsorted(whole, np.arange(count), side="right") - 1
    starts = set(whole)
    carried = [tags[o] if i in starts else inside(tags[o]) for i, o in enumerate(owner)]
    return carried, scores[owner].tolist()
