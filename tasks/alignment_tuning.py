"""Tuning an encoder on sentence pairs, so that words and sentences find their translation."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import compress, repeat
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset
from tqdm.auto import tqdm
from transformers import PreTrainedTokenizerFast, Trainer, TrainerControl, set_seed

from ..errors import UserError
from ..files import refuse_used_folder
from ..settings import FinetuneAlignment
from ..texts import Paths, read_pairs
from ..xmod.inference import Pieces, cut_words, pad_batch, window_size
from ..xmod.languages import by_adapter_pair
from ..xmod.learning import Learning
from ..xmod.modeling import XmodModel
from ..xmod.precision import precision_name
from ..xmod.training import TrainingPlan, dropout, train
from ..xmod.tuning import peak_rate
from . import alignment_losses as losses
from .alignment_dev import measure, read_dev
from .statistical_alignment import link_probabilities
from .word_alignment import TUNED, Linking, load_encoder
from .words import words_of

STEP = "finetune alignment"
MEASUREMENTS = 10
"""Of the dev pairs, while tuning."""
CHUNK = 10_000
"""Sentence pairs that are cut together."""


class Pair(NamedTuple):
    """A sentence and its translation, and the numbers of their adapters."""

    sides: tuple[Pieces, Pieces]
    languages: tuple[int, int]
    counted: np.ndarray
    """Probability of each link by counting, shape (source words, target words); missing ones are 0."""


Run = list[Pair]
"""Neighbouring sentence pairs."""
Words = tuple[list[str], list[str]]
"""Those of a sentence and of its translation."""


def finetune_alignment(settings: FinetuneAlignment, out: str | Path) -> dict[str, Any]:
    """Tune an encoder on sentence pairs and write it; its config says which layer and method align words best.

    Args:
        settings: the model, the pairs, and how to train.
        out: folder to make.

    Returns:
        sentence pairs of each pair of languages that are learned from, how many were too long, how words are to be
        linked, what that reaches on dev, and what learned.

    Raises:
        UserError: for a model or pairs that cannot be used.
    """
    refuse_used_folder(out)
    set_seed(settings.seed)
    model, tokenizer = load_encoder(settings.model)
    layers = model.config.num_hidden_layers
    layer = max(1, round(layers * 2 / 3)) if settings.layer is None else settings.layer
    if not 1 <= layer <= layers:
        raise UserError(f"layer: expected 1 to {layers}, found {layer}")
    parallel = by_adapter_pair(settings.parallel, model.languages)
    dev = read_dev(settings.dev, model.languages)
    runs, counts, longer = _read(settings, parallel, model, tokenizer)
    learning = Learning.of(model, settings.model, settings, "full")
    dataset = Runs(runs, tokenizer)
    plan = TrainingPlan.of(settings, steps=settings.steps, title=STEP, learning_rate=peak_rate(settings))
    if dev:
        plan = replace(plan, eval_steps=max(1, settings.steps // MEASUREMENTS))
    plan = replace(plan, batch_size=settings.batch_size // settings.neighbours)  # an example is a run of pairs

    def trainer(*args: Any, **kwargs: Any) -> AlignmentTrainer:  # noqa: ANN401
        return AlignmentTrainer(
            *args, settings=settings, layer=layer, encoder=model, tokenizer=tokenizer, eval_dataset=dev, **kwargs
        )

    with tempfile.TemporaryDirectory() as work, dropout(model, 0.0):
        curve = train(learning.module, dataset, dataset.collate, plan, Path(work), trainer=trainer).curve
    last = measure(model, tokenizer, dev) if dev else None
    linking = last.linking if last else Linking(layer, settings.method)
    model.config.update({TUNED: linking._asdict()})
    record = {
        "step": STEP,
        "languages": sorted({language for pair in parallel for language in pair}),
        "pairs": counts,
        "steps": settings.steps,
        "guidance": settings.guidance,
        "linking": linking._asdict(),
        "dev": {"aer": last.aer, "retrieval": last.retrieval} if last else None,
        **learning.told,
        "precision": precision_name(settings.precision),
        "seed": settings.seed,
    }
    learning.save(out, tokenizer, record, curve)
    told = {"aer": last.aer, "retrieval": last.retrieval} if last else {}
    return {"pairs": counts, "too_long": longer, "linking": linking._asdict(), **told, "parameters": learning.parts}


def _read(
    settings: FinetuneAlignment,
    parallel: Mapping[tuple[str, str], Paths],
    model: XmodModel,
    tokenizer: PreTrainedTokenizerFast,
) -> tuple[list[Run], dict[str, int], int]:
    """Runs of neighbouring pairs, the number of pairs of each pair of languages, and of those that are too long."""
    runs: list[Run] = []
    counts: dict[str, int] = {}
    longest, longer = min(settings.longest, window_size(model)), 0
    for languages, paths in parallel.items():
        name = "-".join(languages)
        words, cut = _cut(read_pairs(paths), tokenizer, f"cut {name}")
        short = [all(0 < len(side.ids) <= longest for side in sides) for sides in cut]
        longer += sum(any(len(side.ids) > longest for side in sides) for sides in cut)
        counted = _count(list(compress(words, short)), settings, f"count {name}")
        numbers = model.language_id(languages[0]), model.language_id(languages[1])
        kept = [Pair(sides, numbers, table) for sides, table in zip(compress(cut, short), counted, strict=True)]
        # What is left of the last run is not learned from.
        counts[name] = len(kept) - len(kept) % settings.neighbours
        runs += [kept[i : i + settings.neighbours] for i in range(0, counts[name], settings.neighbours)]
    if sum(counts.values()) < settings.batch_size:
        raise UserError(
            f"parallel: expected at least {settings.batch_size} sentence pairs of at most {longest} pieces a side, in "
            f"whole runs of {settings.neighbours} (neighbours), found {sum(counts.values())}"
        )
    return runs, counts, longer


def _cut(
    lines: Iterable[tuple[str, str]], tokenizer: PreTrainedTokenizerFast, title: str
) -> tuple[list[Words], list[tuple[Pieces, Pieces]]]:
    """The words of every sentence pair, and their pieces."""
    words = [(words_of(source), words_of(target)) for source, target in lines]
    cut: list[tuple[Pieces, Pieces]] = []
    for start in tqdm(range(0, len(words), CHUNK), desc=title, disable=None, leave=False):
        source, target = zip(*words[start : start + CHUNK], strict=True)
        cut += zip(cut_words(tokenizer, source), cut_words(tokenizer, target), strict=True)
    return words, cut


def _count(words: list[Words], settings: FinetuneAlignment, title: str) -> Iterable[np.ndarray]:
    """Probability of the links of each pair by counting; empty tables where nothing is learned from them."""
    if settings.self_training and settings.guidance:
        return link_probabilities(words, title)
    return repeat(np.zeros((0, 0), np.float16), len(words))


class Runs(Dataset[Run]):
    """Training examples: sentence pairs that stand one after the other in a text, hard to tell apart."""

    def __init__(self, runs: list[Run], tokenizer: PreTrainedTokenizerFast) -> None:
        self.runs = runs
        self.tokenizer = tokenizer

    def __len__(self) -> int:
        """Number of runs."""
        return len(self.runs)

    def __getitem__(self, index: int) -> Run:
        """Neighbouring pairs."""
        return self.runs[index]

    def collate(self, runs: Sequence[Run]) -> dict[str, Tensor]:
        """All source sentences, then all target sentences, padded.

        ``words`` numbers the word of each piece, -1 for none; ``same`` is true for two pairs with an equal side.
        """
        pairs = [pair for run in runs for pair in run]
        sentences = [pair.sides[side] for side in (0, 1) for pair in pairs]
        begin, end = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        ids, mask = pad_batch([[begin, *pieces.ids, end] for pieces in sentences], self.tokenizer.pad_token_id)
        words, _ = pad_batch([[-1, *pieces.words, -1] for pieces in sentences], -1)
        equal = [
            np.array([[one.sides[i].ids == other.sides[i].ids for other in pairs] for one in pairs]) for i in (0, 1)
        ]
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "lang_ids": torch.tensor([pair.languages[side] for side in (0, 1) for pair in pairs]),
            "words": words,
            "counted": _pad_tables([pair.counted for pair in pairs], int(words.max()) + 1),
            "same": torch.from_numpy((equal[0] | equal[1]) & ~np.eye(len(pairs), dtype=bool)),
        }


def _pad_tables(tables: Sequence[np.ndarray], words: int) -> Tensor:
    """Shape (pairs, words, words); words without a piece at the end of a sentence are left out."""
    padded = torch.zeros(len(tables), words, words)
    for place, table in zip(padded, tables, strict=True):
        known = torch.from_numpy(table[:words, :words])
        place[: known.shape[0], : known.shape[1]] = known
    return padded


class AlignmentTrainer(Trainer):
    """The trainer with the losses of :mod:`alignment_losses`."""

    def __init__(
        self,
        *args: Any,  # noqa: ANN401
        settings: FinetuneAlignment,
        layer: int,
        encoder: XmodModel,
        tokenizer: PreTrainedTokenizerFast,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(*args, **kwargs)
        self.settings = settings
        self.layer = layer
        self.encoder = encoder
        self.tokenizer = tokenizer

    def evaluate(self, *args: Any, metric_key_prefix: str = "eval", **kwargs: Any) -> dict[str, float]:  # noqa: ANN401
        """AER of the best way of linking, and retrieval, on the dev pairs."""
        now = measure(self.encoder, self.tokenizer, self.eval_dataset)
        metrics = {f"{metric_key_prefix}_aer": now.aer, f"{metric_key_prefix}_retrieval": now.retrieval}
        layer, method, _, pieces = now.linking
        how = f"layer {layer}, {method} of {'pieces' if pieces else 'words'}"
        tqdm.write(
            f"step {self.state.global_step}: dev AER {now.aer} ({how}), retrieval {now.retrieval}%",
            file=sys.stderr,
        )
        self.log(metrics)
        self.control: TrainerControl = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """The sum of the losses."""
        settings = self.settings
        words, same, counted = (inputs.pop(name) for name in ("words", "same", "counted"))
        states = model(**inputs, output_hidden_states=True).hidden_states
        n = len(same)
        vectors, there = losses.word_means(states[self.layer].float(), words)
        similar = losses.word_similarities(vectors[:n], vectors[n:])
        fits = losses.late_interaction(similar, there[:n], there[n:])
        own, pairs = similar[range(n), range(n)], there[:n, :, None] & there[n:, None]
        # By default the temperature by which links.agreement finds links.
        logits = losses.link_logits(own, pairs, 2 * settings.temperature)
        links = losses.likely_links(logits, pairs, counted, settings.guidance)
        mask = inputs["attention_mask"][..., None]
        means = F.normalize((states[-1].float() * mask).sum(dim=1) / mask.sum(dim=1), dim=-1)
        return (
            losses.in_batch(fits, same, settings.temperature)
            + settings.self_training * losses.link_loss(logits, links)
            + settings.sentences * losses.in_batch(means[:n] @ means[n:].T, same, settings.temperature)
        )
