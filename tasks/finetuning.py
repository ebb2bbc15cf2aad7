"""What fine-tuning for any task has in common: data of several languages, a new head, the best epoch, seeds."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerFast

from ..errors import UserError
from ..files import existing_folder, read_json, refuse_used_folder
from ..settings import Bits, Freeze, TaskTraining
from ..texts import sampled
from ..tokenizer.folders import is_hub_name
from ..xmod.checkpoints import load_with_tokenizer, read_history, seed_folder
from ..xmod.inference import pad_batch
from ..xmod.languages import by_adapter
from ..xmod.learning import Learning
from ..xmod.modeling import XmodPreTrainedModel
from ..xmod.precision import precision_name
from ..xmod.training import TrainingPlan, dropout, train
from ..xmod.tuned_folders import HEAD
from ..xmod.tuning import peak_rate, refuse_virtual
from .best_epoch import BestEpoch

_PLANS: dict[Freeze, str] = {True: "task", "adapters": "all but adapters", False: "full"}
"""What learns, by what is frozen."""
ItemT = TypeVar("ItemT")
ModelT = TypeVar("ModelT", bound=XmodPreTrainedModel)
SettingsT = TypeVar("SettingsT", bound=TaskTraining)


def with_each_seed(
    settings: SettingsT, out: str | Path, finetune: Callable[[SettingsT, str | Path], dict[str, Any]]
) -> dict[str, Any]:
    """Fine-tune once, or once with each of several seeds: then a folder in ``out`` each, there as soon as it is done.

    Raises:
        UserError: if ``out`` is in use.
    """
    refuse_used_folder(out)
    if settings.seeds == 1:
        return finetune(settings, out)
    each = [replace(settings, seed=seed, seeds=1) for seed in range(settings.seed, settings.seed + settings.seeds)]
    return {seed_folder(one.seed): finetune(one, Path(out) / seed_folder(one.seed)) for one in each}


def load_head(
    model_class: type[ModelT], source: str, labels: Sequence[str], bits: Bits | None = None
) -> tuple[ModelT, PreTrainedTokenizerFast]:
    """A model with a head for the labels: its own if it has one for just these, else a new one.

    Args:
        model_class: with the head.
        source: folder or hub name.
        labels: what the head tells apart.
        bits: of the trunk's matrices; see :func:`load_with_tokenizer`.

    Raises:
        UserError: for a model with a head for other labels, or with one of which nobody knows what it was trained on.
    """
    if not is_hub_name(source):
        _check_head(source, model_class.__name__, labels)
    names = dict(enumerate(labels))
    numbers = {label: number for number, label in names.items()}
    loaded = load_with_tokenizer(model_class, source, new_parts=HEAD, bits=bits, id2label=names, label2id=numbers)
    refuse_virtual(loaded[0], source)
    return loaded


def _check_head(source: str, architecture: str, labels: Sequence[str]) -> None:
    config = read_json(existing_folder(source) / "config.json")
    if architecture not in (config.get("architectures") or []):
        return
    if read_history(source) is None:
        raise UserError(
            f"{source}: a fine-tuned model without swissxmod.json: which languages it was trained on is unknown, so no "
            "score of what comes of it could be called zero-shot; start from the model it was made from"
        )
    if set(config.get("label2id", {})) != set(labels):
        raise UserError(
            f"{source}: a model for the labels {', '.join(config.get('label2id', {}))}; the training data has "
            f"{', '.join(labels)}; start from the model it was made from"
        )


def read_samples(
    paths: Mapping[str, str], read: Callable[[str, str], list[ItemT]], count: int | None, seed: int
) -> dict[str, list[ItemT]]:
    """A seeded sample of what each language's path has, by ``read`` of language and path; all of it without a count."""
    return {name: sampled(read(name, path), count, seed) for name, path in paths.items()}


def dev_of(
    settings: TaskTraining, read: Callable[[str, str], list[ItemT]], trained: Mapping[str, object], known: Sequence[str]
) -> dict[str, list[ItemT]]:
    """Development data under the adapters of their languages.

    Args:
        settings: where it is.
        read: reads what a path has of a language.
        trained: adapters of the languages that are trained on.
        known: all adapters.

    Raises:
        UserError: for a language that is not trained on.
    """
    dev = by_adapter(read_samples(settings.dev, read, settings.dev_sentences, settings.seed), known)
    if foreign := [language for language in dev if language not in trained]:
        raise UserError(f"dev: {', '.join(foreign)} is not trained on; choosing by it would spoil its zero-shot score")
    return dev


class Examples(Dataset[dict[str, Any]]):
    """Training examples: ids with the special pieces, labels (one for each id, or one for all), and an adapter."""

    def __init__(self, padding_id: int, padding_label: int) -> None:
        self.padding_id = padding_id
        self.padding_label = padding_label
        self.examples: list[dict[str, Any]] = []

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.examples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Ids, labels and the number of the adapter."""
        return self.examples[index]

    def collate(self, examples: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        """Pad examples to a batch."""
        ids, mask = pad_batch([example["ids"] for example in examples], self.padding_id)
        labels = [example["labels"] for example in examples]
        padded = pad_batch(labels, self.padding_label)[0] if isinstance(labels[0], list) else torch.tensor(labels)
        lang_ids = torch.tensor([example["language"] for example in examples])
        return {"input_ids": ids, "attention_mask": mask, "labels": padded, "lang_ids": lang_ids}


def fit(
    settings: TaskTraining,
    out: str | Path,
    model: XmodPreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    examples: Examples,
    best: BestEpoch,
    record: dict[str, Any],
) -> dict[str, Any]:
    """Train, take the best epoch, and write the model.

    Args:
        settings: how to train.
        out: folder to make.
        model: with its new head.
        tokenizer: of the model.
        examples: to learn from.
        best: measures the epochs.
        record: what the model's history shall say besides what is the same for every task.

    Returns:
        scores of the epochs, the one that was kept, and how many parameters learned.
    """
    learning = Learning.of(model, settings.model, settings, _PLANS[settings.freeze], settings.dropout)
    steps = settings.epochs * -(-len(examples) // settings.batch_size)
    checkpointing = settings.gradient_checkpointing
    with tempfile.TemporaryDirectory() as work, dropout(model, settings.dropout):
        plan = TrainingPlan.of(
            settings,
            steps=steps,
            title=record["step"],
            learning_rate=peak_rate(settings),
            micro_batch=settings.micro_batch,
            gradient_checkpointing=settings.bits is not None if checkpointing is None else checkpointing,
            paged=settings.bits is not None and torch.cuda.is_available(),
        )
        curve = train(learning.module, examples, examples.collate, plan, Path(work), [best]).curve
    best.restore(learning.module)
    record |= {
        **learning.told,
        **({"bits": settings.bits} if settings.peft else {}),
        "epochs": best.scores,
        "kept_epoch": best.kept,
        "precision": precision_name(settings.precision),
        "seed": settings.seed,
    }
    learning.save(out, tokenizer, record, curve)
    return {"epochs": best.scores, "kept_epoch": best.kept, "parameters": learning.parts}
