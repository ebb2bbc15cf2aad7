"""Pretraining as one step: text and a model in, an adapted model out."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from ...errors import UserError
from ...files import fingerprint, refuse_used_folder
from ...processes import is_main
from ...settings import PATHS, Pretrain
from ...texts import as_list
from ..adapter_files import export_adapter
from ..adapters import PLANS, checksums, frozen_checksums, learned, parameter_counts, train_only, with_one_more
from ..checkpoints import load_with_tokenizer, read_history, save_checkpoint
from ..languages import adapter_key, by_adapter, by_adapter_pair, may_mean, starting_adapters
from ..modeling import XmodForMaskedLM
from ..precision import precision_name
from ..training import MONITOR_LOGS, Trained, TrainingPlan, dropout, train
from . import relora
from .corpus import Blocks, draw_blocks
from .data import dev_sets, frame_of, open_sources, steps_of
from .masking import MaskedBlocks
from .measure import dev_bits
from .picture import write_curve
from .sources import Source
from .trainer import PretrainingTrainer

# What may change between a run and its continuation: none of these changes what is learned.
_HOW = ("micro_batch", "gradient_checkpointing", "compile", "monitor", "save_steps")
LOG = logging.getLogger(__name__)


def pretrain(settings: Pretrain, out: str | Path) -> dict[str, Any]:
    """Pretrain a model and write it; a run that was interrupted goes on from its last checkpoint.

    With a launcher (``accelerate launch``, ``torchrun``) every process calls this; the first one writes.

    Args:
        settings: the model, the text, and how to train.
        out: folder to make; beside it a hidden work folder holds the checkpoints until the end.

    Returns:
        trainable and total parameters of each part, steps made and kept, pieces seen of each language, and the dev
        loss of each language before and after, in bits per character; nothing in processes other than the first.

    Raises:
        UserError: for a model, language or text that cannot be used.
    """
    out = Path(out)
    refuse_used_folder(out)
    model, tokenizer = load_with_tokenizer(XmodForMaskedLM, settings.model)
    if settings.add_language:
        model = _with_new_language(model, settings)
        texts = {
            *by_adapter(settings.corpora, model.languages),
            *chain(*by_adapter_pair(settings.parallel, model.languages)),
        }
        if model.languages[-1] not in texts:
            raise UserError(
                f"add_language: there is no text of {model.languages[-1]}; give --corpora.{model.languages[-1]}"
            )
    frame = frame_of(settings, model, tokenizer)
    dev = dev_sets(settings, model, tokenizer, frame)
    sources, shares = open_sources(settings, model, tokenizer, frame)
    steps = steps_of(settings, sources, shares)
    blocks = draw_blocks(sources, shares, steps * settings.batch_size, settings.seed)
    frozen, parts = _freeze(model, settings, sources)
    before = dev_bits(model, dev, settings)
    work = out.parent / f".{out.name}-{_run_name(settings)}.work"
    trained = _train(model, tokenizer, blocks, dev, settings, steps, work)
    if not is_main():
        return {}
    model = _finished(model, trained, frozen)
    summary = {
        "parameters": parts,
        "steps": trained.steps,
        "kept_step": trained.kept,
        "pieces": blocks.pieces(trained.steps * settings.batch_size),
        "bits_per_character": {"before": before, "after": dev_bits(model, dev, settings)},
    }
    _write(out, work, model, tokenizer, settings, summary, sources, trained)
    return summary


def parameter_table(parts: Mapping[str, tuple[int, int]]) -> str:
    """What learns, for people: a line for each part with its trainable and all parameters."""
    rows = [*parts.items(), ("total", tuple(map(sum, zip(*parts.values(), strict=True))))]
    lines = [f"{name:<12}{learning:>14,}{total:>14,}" for name, (learning, total) in rows]
    return "\n".join([f"{'part':<12}{'trainable':>14}{'parameters':>14}", *lines])


def _with_new_language(model: XmodForMaskedLM, settings: Pretrain) -> XmodForMaskedLM:
    """The model with one more language, whose adapter is that of another one, or an average."""
    language = adapter_key(str(settings.add_language))
    if there := [name for name in model.languages if may_mean(language, name)]:
        raise UserError(f"add_language: the model has {language!r} already, as {there[0]}")
    olds = starting_adapters(language, as_list(settings.start), model.languages, "--start")
    return with_one_more(model, language, olds).to(model.device)


def _freeze(
    model: XmodForMaskedLM, settings: Pretrain, sources: Sequence[Source]
) -> tuple[dict[str, int], dict[str, tuple[int, int]]]:
    """Let learn what the plan says; returns the checksums of what must not change, and what learns of each part."""
    mine = {model.languages[source.languages[0]] for source in sources if len(source.languages) == 1}
    every_adapter = settings.plan in ("full", "relora")
    train_only(model, PLANS[settings.plan], None if every_adapter else mine)
    frozen = frozen_checksums(model)
    if settings.plan == "relora":
        relora.wrap(model, settings.relora_rank, settings.seed)
    parts = parameter_counts(model)
    if is_main():
        LOG.info(parameter_table(parts))
    return frozen, parts


def _run_name(settings: Pretrain) -> str:
    return fingerprint({key: value for key, value in asdict(settings).items() if key not in _HOW}, PATHS)[:12]


def _train(
    model: XmodForMaskedLM,
    tokenizer: PreTrainedTokenizerFast,
    blocks: Blocks,
    dev: dict[str, MaskedBlocks],
    settings: Pretrain,
    steps: int,
    work: Path,
) -> Trained:
    dataset = MaskedBlocks(blocks, tokenizer, settings.mask_probability, settings.seed, settings.whole_words)
    plan = TrainingPlan.of(
        settings,
        steps=steps,
        title="pretrain",
        micro_batch=settings.micro_batch,
        gradient_checkpointing=settings.gradient_checkpointing,
        save_steps=settings.save_steps,
        eval_steps=settings.eval_steps,
        patience=settings.patience,
        compile=settings.compile,
        monitor=settings.monitor,
        tokens=sum(blocks.pieces(len(blocks)).values()) / steps,
    )
    low_rank, rounds = settings.plan == "relora", settings.relora_rounds
    restarts = partial(relora.restart_factor, steps=steps, rounds=rounds, warmup=settings.warmup)
    trainer = partial(
        PretrainingTrainer,
        languages=model.languages,
        eval_dataset=dev,
        measure=partial(dev_bits, settings=settings),
        restart_factor=restarts if low_rank else None,
    )
    callbacks = [relora.Restarts(rounds, settings.seed)] if low_rank else []
    with dropout(model, settings.dropout):
        trained = train(model, dataset, dataset.collate, plan, work, callbacks, trainer)
    if low_rank:
        relora.unwrap(model)
    return trained


def _finished(model: XmodForMaskedLM, trained: Trained, frozen: dict[str, int]) -> XmodForMaskedLM:
    """The trained model, whole; refuses one in which a frozen weight changed."""
    if trained.weights is not None:
        model = type(model)(model.config)
        model.load_state_dict(trained.weights)
    if changed := [name for name, checksum in checksums(model, frozen).items() if checksum != frozen[name]]:
        raise RuntimeError(f"training changed {len(changed)} weights that were frozen, such as {changed[0]}")
    return model


def _write(
    out: Path,
    work: Path,
    model: XmodForMaskedLM,
    tokenizer: PreTrainedTokenizerFast,
    settings: Pretrain,
    summary: dict[str, Any],
    sources: Sequence[Source],
    trained: Trained,
) -> None:
    seen = [source for source in sources if summary["pieces"][source.name]]
    record = {
        "step": "pretrain",
        "languages": list(dict.fromkeys(model.languages[number] for source in seen for number in source.languages)),
        "plan": settings.plan,
        **({"added": adapter_key(settings.add_language)} if settings.add_language else {}),
        **learned(summary["parameters"]),
        **{key: summary[key] for key in ("steps", "kept_step", "pieces", "bits_per_character")},
        "precision": precision_name(settings.precision),
        "seed": settings.seed,
    }
    history = [*(read_history(settings.model) or []), record]
    bits = summary["bits_per_character"]
    measured = {0: bits["before"], trained.kept: bits["after"]}
    extras: dict[str, Callable[[Path], object]] = {"training.png": partial(write_curve, trained.curve, measured)}
    if settings.add_language:
        extras["adapter"] = partial(export_adapter, model, adapter_key(settings.add_language), history=history)
    if (logs := work / MONITOR_LOGS).is_dir():
        extras[MONITOR_LOGS] = partial(shutil.copytree, logs)
    save_checkpoint(out, model, tokenizer, history, trained.curve, extras)
    shutil.rmtree(work, ignore_errors=True)
