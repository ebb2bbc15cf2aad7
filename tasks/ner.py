"""Named entity recognition: fine-tuning in some languages, tagging in any with an adapter."""

from __future__ import annotations

import copy
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from tqdm.auto import tqdm
from transformers import (
    PreTrainedTokenizerFast,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)

from ..errors import UserError
from ..files import existing_folder, read_json, refuse_used_folder
from ..settings import FinetuneNer
from ..tokenizer.folders import is_hub_name
from ..xmod.adapters import PLANS, learned, train_only
from ..xmod.checkpoints import load_with_tokenizer, read_history, save_checkpoint, seed_folder
from ..xmod.inference import (
    Pieces,
    count_dropped,
    count_windowed,
    cut_words,
    pad_batch,
    run_pieces,
    window_size,
    windows,
)
from ..xmod.inputs import IGNORED
from ..xmod.languages import by_adapter
from ..xmod.modeling import XmodForTokenClassification
from ..xmod.packing import PackedBatch
from ..xmod.training import TrainingPlan, dropout, precision_name, train
from .conll import entity_types
from .decoding import Decoder
from .ner_data import read_tagged
from .ner_scores import entity_counts, f1
from .schemes import OUTSIDE, inside
from .sentences import TaggedSentence

STEP = "finetune ner"
HEAD = ("classifier.",)


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
    refuse_used_folder(out)
    if settings.seeds == 1:
        return _finetune(settings, out)
    each = [replace(settings, seed=seed, seeds=1) for seed in range(settings.seed, settings.seed + settings.seeds)]
    return {seed_folder(one.seed): _finetune(one, Path(out) / seed_folder(one.seed)) for one in each}


def _finetune(settings: FinetuneNer, out: str | Path) -> dict[str, Any]:
    data = {
        name: _sample(read_tagged(path, settings), settings.sentences, settings.seed)
        for name, path in settings.train.items()
    }
    types = sorted({kind for sentences in data.values() for kind in entity_types(sentences)})
    if not types:
        raise UserError("train: no entity in the training data")
    set_seed(settings.seed)
    model, tokenizer = _tagger(settings.model, types)
    data = by_adapter(data, model.languages)
    dev = by_adapter(_dev_data(settings), model.languages)
    if foreign := [language for language in dev if language not in data]:
        raise UserError(f"dev: {', '.join(foreign)} is not trained on; choosing by it would spoil its zero-shot score")
    dataset = TaggedPieces(data, model, tokenizer)
    parts = train_only(model, PLANS["task" if settings.freeze else "full"])
    best = BestEpoch(tokenizer, dev)
    with tempfile.TemporaryDirectory() as work, dropout(model, settings.dropout):
        plan = TrainingPlan.of(
            settings, steps=settings.epochs * -(-len(dataset) // settings.batch_size), title="finetune ner"
        )
        curve = train(model, dataset, dataset.collate, plan, Path(work), [best]).curve
    best.restore(model)
    record = {
        "step": STEP,
        "languages": list(data),
        "sentences": {language: len(sentences) for language, sentences in data.items()},
        "windowed": dataset.windowed,
        **learned(parts),
        "epochs": best.scores,
        "kept_epoch": best.kept,
        "precision": precision_name(settings.precision),
        "seed": settings.seed,
    }
    save_checkpoint(out, model, tokenizer, [*(read_history(settings.model) or []), record], curve)
    return {key: record[key] for key in ("sentences", "windowed", "epochs", "kept_epoch")} | {"parameters": parts}


def _tagger(source: str, types: list[str]) -> tuple[XmodForTokenClassification, PreTrainedTokenizerFast]:
    labels = [OUTSIDE, *(f"{prefix}-{kind}" for kind in types for prefix in "BI")]
    _check_head(source, labels)
    names = dict(enumerate(labels))
    return load_with_tokenizer(
        XmodForTokenClassification,
        source,
        new_parts=HEAD,
        id2label=names,
        label2id={label: number for number, label in names.items()},
    )


def _check_head(source: str, labels: list[str]) -> None:
    """Refuse to go on from a tagger of other labels, or from one of which nobody knows what it was trained on."""
    if is_hub_name(source):
        return
    config = read_json(existing_folder(source) / "config.json")
    if "XmodForTokenClassification" not in (config.get("architectures") or []):
        return
    if read_history(source) is None:
        raise UserError(
            f"{source}: a tagger without swissxmod.json: which languages it was trained on is unknown, so no score of "
            "what comes of it could be called zero-shot; start from the model it was made from"
        )
    if set(config.get("label2id", {})) != set(labels):
        raise UserError(
            f"{source}: a tagger of the labels {', '.join(config.get('label2id', {}))}; the training data has "
            f"{', '.join(labels)}; start from the model it was made from"
        )


def _sample(sentences: list[TaggedSentence], count: int | None, seed: int) -> list[TaggedSentence]:
    if count is None or count >= len(sentences):
        return sentences
    return random.Random(seed).sample(sentences, count)


def _dev_data(settings: FinetuneNer) -> dict[str, list[TaggedSentence]]:
    return {
        name: _sample(read_tagged(path, settings), settings.dev_sentences, settings.seed)
        for name, path in settings.dev.items()
    }


class TaggedPieces(Dataset[dict[str, Any]]):
    """Training examples: windows of pieces, the first piece of each word labelled in exactly one of them."""

    def __init__(
        self,
        data: dict[str, list[TaggedSentence]],
        model: XmodForTokenClassification,
        tokenizer: PreTrainedTokenizerFast,
    ) -> None:
        self.tokenizer = tokenizer
        self.examples: list[dict[str, Any]] = []
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

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.examples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Ids and labels of a window, special pieces included, and its adapter."""
        return self.examples[index]

    def collate(self, examples: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        """Pad examples to a batch."""
        ids, mask = pad_batch([example["ids"] for example in examples], self.tokenizer.pad_token_id)
        labels, _ = pad_batch([example["labels"] for example in examples], IGNORED)
        lang_ids = torch.tensor([example["language"] for example in examples])
        return {"input_ids": ids, "attention_mask": mask, "labels": labels, "lang_ids": lang_ids}


class BestEpoch(TrainerCallback):
    """Measures the model after every epoch and keeps the weights of the best."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, dev: dict[str, list[TaggedSentence]]) -> None:
        self.tokenizer = tokenizer
        self.dev = dev
        self.scores: list[dict[str, float]] = []
        self.kept: int | None = None
        self.weights: dict[str, Tensor] = {}

    def on_epoch_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: XmodForTokenClassification,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Score, and remember the weights if no epoch was better."""
        if not self.dev:
            return
        scores = {language: dev_f1(model, self.tokenizer, data, language) for language, data in self.dev.items()}
        scores["mean"] = round(sum(scores.values()) / len(scores), 2)
        model.train()
        if self.kept is None or scores["mean"] > self.scores[self.kept - 1]["mean"]:
            self.kept = len(self.scores) + 1
            learned = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
            self.weights = copy.deepcopy(learned)
        self.scores.append(scores)
        told = ", ".join(f"{language} {score}" for language, score in scores.items())
        tqdm.write(f"epoch {len(self.scores)}: dev F1 {told}", file=sys.stderr)

    def restore(self, model: XmodForTokenClassification) -> None:
        """Give ``model`` the weights of the best epoch."""
        model.load_state_dict(self.weights, strict=False)


def model_types(model: XmodForTokenClassification) -> list[str]:
    """Entity types that a tagger knows, sorted."""
    return sorted({label[2:] for label in model.config.label2id if label != OUTSIDE})


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
