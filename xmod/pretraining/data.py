"""What the settings of a pretraining say of text: where blocks come from, in what shares, and how many."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

from transformers import PreTrainedTokenizerFast

from ...errors import UserError
from ...settings import Pretrain
from ...texts import read_documents
from ..languages import by_adapter, by_adapter_pair
from ..modeling import XmodForMaskedLM
from .corpus import first_blocks, shares_of
from .masking import MaskedBlocks
from .shards import Reading, open_shard
from .sources import Frame, FullBlocks, PairBlocks, Source, WholeBlocks

DEV_SEED = 7_654_321
DEFAULT_STEPS = 1000
MOST_BLOCKS = 2**31
"""Of a run; the place of each takes 16 bytes."""
LOG = logging.getLogger(__name__)


def frame_of(settings: Pretrain, model: XmodForMaskedLM, tokenizer: PreTrainedTokenizerFast) -> Frame:
    """What every block is made with; refuses blocks that are longer than the model can read."""
    if settings.block_size > (room := model.roberta.max_tokens):
        raise UserError(f"block_size: the model has {room} positions, found {settings.block_size}")
    return Frame(int(tokenizer.bos_token_id), int(tokenizer.eos_token_id), settings.block_size)


def dev_sets(
    settings: Pretrain, model: XmodForMaskedLM, tokenizer: PreTrainedTokenizerFast, frame: Frame
) -> dict[str, MaskedBlocks]:
    """Blocks of each language to measure on."""
    sets = {}
    for language, paths in by_adapter(settings.dev, model.languages).items():
        blocks = first_blocks(
            read_documents(paths, settings.text_column),
            tokenizer,
            n_blocks=settings.dev_blocks,
            frame=frame,
            name=language,
            language=model.language_id(language),
        )
        # Always the same masks: a loss before and after, or of two runs, is measured on the same pieces.
        sets[language] = MaskedBlocks(blocks, tokenizer, settings.mask_probability, DEV_SEED)
    return sets


def open_sources(
    settings: Pretrain, model: XmodForMaskedLM, tokenizer: PreTrainedTokenizerFast, frame: Frame
) -> tuple[list[Source], list[float]]:
    """What blocks are cut from, texts before pairs, and the share that each gives."""
    texts: list[Source] = []
    for name, paths in by_adapter(settings.corpora, model.languages).items():
        only = name if settings.drop_other_languages else None
        reading = Reading(paths, settings.text_column, near_duplicates=settings.near_duplicates, only=only)
        shard, number = open_shard(reading, tokenizer), (model.language_id(name),)
        if shard.dropped:
            LOG.info("%s: %d documents are in other languages and left out", name, shard.dropped)
        if settings.packing == "full":
            texts.append(FullBlocks(name, shard, number, frame))
        else:
            texts.append(WholeBlocks(name, shard, number, frame, settings.packing))
    pairs: list[Source] = []
    for both, paths in by_adapter_pair(settings.parallel, model.languages).items():
        shard = open_shard(Reading(paths, pairs=True), tokenizer)
        numbers = model.language_id(both[0]), model.language_id(both[1])
        pairs.append(source := PairBlocks("+".join(both), shard, numbers, frame))
        if longer := shard.documents // 2 - source.size:
            LOG.info("%s: %d sentence pairs are longer than a block and left out", source.name, longer)
    return [*texts, *pairs], shares_of(texts, pairs, settings.alpha, settings.parallel_share)


def steps_of(settings: Pretrain, sources: Sequence[Source], shares: Sequence[float]) -> int:
    """Steps that the budget pays for.

    Raises:
        UserError: for more blocks than can be drawn beforehand.
    """
    steps = _steps_of(settings, sources, shares)
    if steps * settings.batch_size > MOST_BLOCKS:
        raise UserError(f"{steps:.3g} steps of {settings.batch_size} blocks: expected at most {MOST_BLOCKS:,} in all")
    return steps


def _steps_of(settings: Pretrain, sources: Sequence[Source], shares: Sequence[float]) -> int:
    if settings.steps is not None:
        return settings.steps
    if settings.tokens is not None:
        block = sum(source.mean * share for source, share in zip(sources, shares, strict=True))
        return math.ceil(round(settings.tokens / (settings.batch_size * block), 6))
    if settings.epochs is None:
        return DEFAULT_STEPS
    texts = [(source.size, share) for source, share in zip(sources, shares, strict=True) if len(source.languages) == 1]
    blocks = settings.epochs * sum(size for size, _ in texts) / sum(share for _, share in texts)
    return max(1, round(blocks / settings.batch_size))
