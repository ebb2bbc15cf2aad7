"""From text to blocks of pieces: each of one language, in smoothed proportion."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ...errors import UserError
from ...texts import Paths, read_documents, smoothed_shares, total_characters

BATCH = 256


def draw_blocks(
    corpora: Mapping[str, Paths],
    tokenizer: PreTrainedTokenizerFast,
    *,
    n_blocks: int,
    block_size: int,
    alpha: float,
    seed: int,
) -> tuple[Tensor, list[str]]:
    """Blocks of all languages, shuffled.

    Args:
        corpora: files of each language.
        tokenizer: cuts the text.
        n_blocks: how many blocks to draw; a language with less text is read again.
        block_size: pieces of a block, special ones included.
        alpha: exponent of language smoothing.
        seed: of the order.

    Returns:
        ids (32 bits wide, as there may be many), shape (n_blocks, block_size), and the language of each block.

    Raises:
        UserError: for text that cannot be read, or a language with less than one block of it.
    """
    documents = {language: list(read_documents(paths)) for language, paths in corpora.items()}
    shares = smoothed_shares({name: total_characters(texts) for name, texts in documents.items()}, alpha)
    blocks, languages = [], []
    for language, count in _apportion(shares, n_blocks).items():
        generator = random.Random(f"{seed}-{language}")
        blocks += _take_blocks(documents[language], tokenizer, count, block_size, generator, language)
        languages += [language] * count
    order = list(range(n_blocks))
    random.Random(seed).shuffle(order)
    return torch.stack([blocks[i] for i in order]), [languages[i] for i in order]


def first_blocks(
    paths: Paths, tokenizer: PreTrainedTokenizerFast, *, n_blocks: int, block_size: int, language: str
) -> Tensor:
    """The first blocks of one language's files in their own order, at most ``n_blocks``.

    Returns:
        ids, shape (blocks, block_size).
    """
    blocks = []
    for block in _blocks(read_documents(paths), tokenizer, block_size):
        blocks.append(block)
        if len(blocks) == n_blocks:
            break
    if not blocks:
        raise UserError(f"{language}: the text is shorter than one block of {block_size} pieces")
    return torch.tensor(blocks, dtype=torch.int32)


def _apportion(shares: Mapping[str, float], total: int) -> dict[str, int]:
    """Whole numbers in proportion to ``shares`` that sum to ``total`` (largest remainders)."""
    counts = {name: int(share * total) for name, share in shares.items()}
    by_remainder = sorted(shares, key=lambda name: counts[name] - shares[name] * total)
    for name in by_remainder[: total - sum(counts.values())]:
        counts[name] += 1
    return counts


def _take_blocks(
    documents: Sequence[str],
    tokenizer: PreTrainedTokenizerFast,
    count: int,
    block_size: int,
    generator: random.Random,
    language: str,
) -> list[Tensor]:
    taken: list[Tensor] = []
    while len(taken) < count:
        before = len(taken)
        for block in _blocks(generator.sample(documents, len(documents)), tokenizer, block_size):
            taken.append(torch.tensor(block, dtype=torch.int32))
            if len(taken) == count:
                return taken
        if len(taken) == before:
            raise UserError(f"{language}: the text is shorter than one block of {block_size} pieces")
    return taken


def _blocks(
    documents: Iterator[str] | Sequence[str], tokenizer: PreTrainedTokenizerFast, size: int
) -> Iterator[list[int]]:
    """Documents in a row, parted by ``</s>``, cut into blocks that begin with ``<s>`` and end with ``</s>``."""
    begin, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    row: list[int] = []
    for batch in _batched(documents):
        for ids in tokenizer(batch, add_special_tokens=False, return_attention_mask=False, verbose=False)["input_ids"]:
            row += [*ids, end]
            whole = len(row) - len(row) % (size - 2)
            for start in range(0, whole, size - 2):
                yield [begin, *row[start : start + size - 2], end]
            row = row[whole:]


def _batched(documents: Iterator[str] | Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for document in documents:
        batch.append(document)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
