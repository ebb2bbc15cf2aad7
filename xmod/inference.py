"""Running a model over many sentences of any length: sorted into even batches, long ones in overlapping windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm.auto import tqdm
from transformers import PreTrainedTokenizerFast

from ..errors import UserError
from .modeling import XmodPreTrainedModel

TOKEN_BUDGET = 4096
OVERLAP_SHARE = 0.25


@dataclass(frozen=True)
class Pieces:
    """A sentence cut into pieces, special ones left out."""

    ids: tuple[int, ...]
    words: tuple[int, ...]
    """For each piece, the number of the word it belongs to."""

    def first_pieces(self) -> dict[int, int]:
        """Place of the first piece of each word that has one."""
        places: dict[int, int] = {}
        for place, word in enumerate(self.words):
            places.setdefault(word, place)
        return places


@dataclass(frozen=True)
class Window:
    """Pieces ``start`` to ``stop`` are read together; the results for ``keep_start`` to ``keep_stop`` are taken."""

    start: int
    stop: int
    keep_start: int
    keep_stop: int


def cut_words(tokenizer: PreTrainedTokenizerFast, sentences: Sequence[Sequence[str]]) -> list[Pieces]:
    """Cut sentences of words into pieces."""
    if not sentences:
        return []
    encoded = tokenizer(
        [list(words) for words in sentences], is_split_into_words=True, add_special_tokens=False, verbose=False
    )
    return [
        Pieces(tuple(ids), tuple(word for word in encoded.word_ids(i) if word is not None))
        for i, ids in enumerate(encoded["input_ids"])
    ]


def windows(length: int, size: int) -> list[Window]:
    """Windows of at most ``size`` over ``length`` pieces, overlapping by a quarter.

    Every piece is kept exactly once, from the window in which it stands farther from a cut.
    """
    if size < 2:
        raise UserError(f"the model has room for {size} pieces between the special ones; it needs at least 2")
    if length <= size:
        return [Window(0, length, 0, length)]
    overlap = max(1, int(size * OVERLAP_SHARE))
    starts = [*range(0, length - size, size - overlap), length - size]
    found: list[Window] = []
    for number, start in enumerate(starts):
        keep_start = 0 if number == 0 else found[-1].keep_stop
        last = number == len(starts) - 1
        keep_stop = length if last else (starts[number + 1] + start + size + 1) // 2
        found.append(Window(start, start + size, keep_start, keep_stop))
    return found


def window_size(model: XmodPreTrainedModel) -> int:
    """Pieces that fit beside ``<s>`` and ``</s>``."""
    return model.base_model.max_tokens - 2


def count_windowed(model: XmodPreTrainedModel, sentences: Sequence[Pieces]) -> int:
    """Sentences that are longer than the model's positions and so read in windows."""
    longest = window_size(model)
    return sum(len(sentence.ids) > longest for sentence in sentences)


def pad_batch(rows: Sequence[Sequence[int]], padding_id: int) -> tuple[Tensor, Tensor]:
    """Ids and attention mask of rows of different lengths, both of shape (batch, longest)."""
    longest = max(len(row) for row in rows)
    ids = torch.tensor([[*row, *[padding_id] * (longest - len(row))] for row in rows])
    lengths = torch.tensor([len(row) for row in rows])
    return ids, (torch.arange(longest)[None, :] < lengths[:, None]).long()


@torch.no_grad()
def run_pieces(
    model: XmodPreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    sentences: Sequence[Pieces],
    language: str,
    forward: Callable[..., Tensor],
    *,
    title: str = "",
) -> list[Tensor]:
    """What ``forward`` computes for every piece of every sentence, in the order given.

    Args:
        model: in evaluation mode afterwards.
        tokenizer: of the model.
        sentences: cut sentences of any length, empty ones too.
        language: of all sentences.
        forward: takes ``input_ids``, ``attention_mask`` and ``lang_ids``, returns (batch, sequence, ...).
        title: of the progress bar.

    Returns:
        for each sentence a tensor of shape (pieces, ...).
    """
    model.eval()
    number = model.language_id(language)
    jobs = [(i, w) for i, sentence in enumerate(sentences) for w in windows(len(sentence.ids), window_size(model))]
    kept: dict[tuple[int, int], Tensor] = {}
    begin, end, padding = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
    with tqdm(total=len(jobs), desc=title, unit="sentence", disable=None, leave=False) as bar:
        for batch in _even_batches(jobs):
            ids, mask = pad_batch([[begin, *sentences[i].ids[w.start : w.stop], end] for i, w in batch], padding)
            lang_ids = torch.full((len(batch),), number)
            device = model.device
            states = forward(
                input_ids=ids.to(device), attention_mask=mask.to(device), lang_ids=lang_ids.to(device)
            ).cpu()
            for (i, w), row in zip(batch, states, strict=True):
                # Place 0 of the row is <s>.
                kept[i, w.start] = row[1 + w.keep_start - w.start : 1 + w.keep_stop - w.start].clone()
            bar.update(len(batch))
    parts: list[list[Tensor]] = [[] for _ in sentences]
    for i, w in jobs:
        parts[i].append(kept[i, w.start])
    return [torch.cat(rows) for rows in parts]


def _even_batches(jobs: Sequence[tuple[int, Window]]) -> Iterator[list[tuple[int, Window]]]:
    """Jobs from the longest to the shortest, as many at once as the token budget allows."""
    batch: list[tuple[int, Window]] = []
    longest = 0
    for job in sorted(jobs, key=lambda job: job[1].start - job[1].stop):
        longest = max(longest, job[1].stop - job[1].start + 2)
        if batch and longest * (len(batch) + 1) > TOKEN_BUDGET:
            yield batch
            batch, longest = [], job[1].stop - job[1].start + 2
        batch.append(job)
    if batch:
        yield batch
