"""Named entity recognition: fine-tuning in some languages, tagging in any with an adapter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import (
    PreTrainedTokenizerFast,
    set_seed,
)

from ..errors import UserError
from ..settings import FinetuneNer
from ..xmod.inference import (
    Pieces,
    cut_words,
    window_size,
    windows,
)
from ..xmod.inputs import IGNORED
from ..xmod.languages import by_adapter
from ..xmod.modeling import XmodForTokenClassification
from .best_epoch import BestEpoch
from .conll import entity_types
from .finetuning import Examples, dev_of, fit, load_head, read_samples, with_each_seed
from .ner_data import read_tagged
from .ner_scores import entity_counts, f1
from .schemes import OUTSIDE
from .sentences import TaggedSentence
from .tagging import model_types, tag_sentences

STEP = "finetune ner"


def finetune_ner(settings: FinetuneNer, out: str | Path) -> dict[str, Any]:
    """Fine-tune a model to tag names and write it.

    With dev data the epoch with the best mean F1 over the training languages is kept, else the last.

    Args:
        settings: the model, the data, and how to train.
        out: folder to make; for several seeds each model is a folder in it, there as soon as it is trained.

    Returns:
        sentences and windowed sentences of each language, the dev F1 of each epoch and the epoch kept; for several
        seeds this of each, by the name of its folder.

    Raises:
        UserError: for data or a model that cannot be used, or dev data of a language that is not trained on.
    """
    return with_each_seed(settings, out, _finetune)


def _finetune(settings: FinetuneNer, out: str | Path) -> dict[str, Any]:
    def read(_: str, path: str) -> list[TaggedSentence]:
        return read_tagged(path, settings)

    data = read_samples(settings.train, read, settings.sentences, settings.seed)
    types = sorted({kind for sentences in data.values() for kind in entity_types(sentences)})
    if not types:
        raise UserError("train: no entity in the training data")
    set_seed(settings.seed)
    labels = [OUTSIDE, *(f"{prefix}-{kind}" for kind in types for prefix in "BI")]
    model, tokenizer = load_head(XmodForTokenClassification, settings.model, labels, settings.bits)
    data = by_adapter(data, model.languages)
    dev = dev_of(settings, read, data, model.languages)
    examples = TaggedPieces(data, model, tokenizer)
    best = BestEpoch("F1", lambda: {name: dev_f1(model, tokenizer, part, name) for name, part in dev.items()})
    told = {"sentences": {name: len(sentences) for name, sentences in data.items()}, "windowed": examples.windowed}
    record = {"step": STEP, "languages": list(data), **told}
    return told | fit(settings, out, model, tokenizer, examples, best, record)


class TaggedPieces(Examples):
    """Training examples: windows of pieces, the first piece of each word labelled in exactly one of them."""

    def __init__(
        self,
        data: dict[str, list[TaggedSentence]],
        model: XmodForTokenClassification,
        tokenizer: PreTrainedTokenizerFast,
    ) -> None:
        super().__init__(tokenizer.pad_token_id, IGNORED)
        self.tokenizer = tokenizer
        self.windowed = 0
        for language, sentences in data.items():
            number = model.language_id(language)
            for sentence, pieces in zip(sentences, cut_words(tokenizer, [s.read for s in sentences]), strict=True):
                self._add(sentence, pieces, number, model)

    def _add(self, sentence: TaggedSentence, pieces: Pieces, language: int, model: XmodForTokenClassification) -> None:
        labels = [IGNORED] * len(pieces.ids)
        for word, place in pieces.first_pieces().items():
            labels[place] = model.config.label2id[sentence.tags[word]]
        parts = windows(len(pieces.ids), window_size(model))
        self.windowed += len(parts) > 1
        begin, end = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        for part in parts:
            kept = [
                labels[i] if part.keep_start <= i < part.keep_stop else IGNORED for i in range(part.start, part.stop)
            ]
            if any(label != IGNORED for label in kept):
                ids = [begin, *pieces.ids[part.start : part.stop], end]
                self.examples.append({"ids": ids, "labels": [IGNORED, *kept, IGNORED], "language": language})


def dev_f1(
    model: XmodForTokenClassification,
    tokenizer: PreTrainedTokenizerFast,
    sentences: Sequence[TaggedSentence],
    language: str,
) -> float:
    """Micro F1 in percent, to two places."""
    predicted = tag_sentences(model, tokenizer, [s.read for s in sentences], language).tags
    gold = [s.tags for s in sentences]
    types = sorted({*model_types(model), *entity_types(sentences)})
    counts = entity_counts(gold, predicted, types)
    return round(100 * float(f1(counts.sum(axis=(0, 1)))), 2)
