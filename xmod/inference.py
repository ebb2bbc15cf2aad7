"""Running a model over many sentences of any length: sorted and packed, long ones in overlapping windows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor
from tqdm.auto import tqdm
from transformers import PreTrainedTokenizerFast

from ..errors import UserError
from ..texts import filled, whole_signs
from .modeling import XmodPreTrainedModel
from .packing import pack_rows
from .products import reading

OVERLAP_SHARE = 0.25
ResultT = TypeVar("ResultT")


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


def cut_texts(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> list[list[int]]:
    """Ids of the pieces of each text, special ones left out."""
    if not texts:
        return []
    ids: list[list[int]] = tokenizer(list(map(whole_signs, texts)), add_special_tokens=False, verbose=False)[
        "input_ids"
    ]
    return ids


def cut_words(tokenizer: PreTrainedTokenizerFast, sentences: Sequence[Sequence[str]]) -> list[Pieces]:
    """Cut sentences of words into pieces."""
    if not sentences:
        return []
    encoded = tokenizer(
        [list(map(whole_signs, words)) for words in sentences],
        is_split_into_words=True,
        add_special_tokens=False,
        verbose=False,
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


def count_windowed(model: XmodPreTrainedModel, sentences: Sequence[Sequence[int]]) -> int:
    """Sentences that are longer than the model's positions and so read in windows."""
    longest = window_size(model)
    return sum(len(sentence) > longest for sentence in sentences)


def count_dropped(cut: Sequence[Pieces], sentences: Sequence[Sequence[str]]) -> int:
    """Words without a piece, which the model cannot see; an empty one is no word."""
    return sum(sum(map(bool, words)) - len(set(pieces.words)) for pieces, words in zip(cut, sentences, strict=True))


def pad_batch(rows: Sequence[Sequence[int]], padding_id: int) -> tuple[Tensor, Tensor]:
    """Ids and attention mask of rows of different lengths, both of shape (batch, longest)."""
    longest = max(len(row) for row in rows)
    ids = torch.tensor([[*row, *[padding_id] * (longest - len(row))] for row in rows])
    lengths = torch.tensor([len(row) for row in rows])
    return ids, (torch.arange(longest)[None, :] < lengths[:, None]).long()


def token_budget(device: torch.device) -> int:
    """Tokens to compute at once: what stays in a processor's caches, or fills a graphics card."""
    return 2048 if device.type == "cpu" else 32_768


def run_pieces(
    model: XmodPreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    sentences: Sequence[Sequence[int]],
    languages: str | Sequence[str],
    forward: Callable[..., Tensor],
    finish: Callable[[int, Tensor], ResultT],
    *,
    special: bool = False,
    title: str = "",
) -> list[ResultT]:
    """What ``forward`` computes for every piece of every sentence, in the order given.

    Sentences are sorted by language and length and computed as many at once as :func:`token_budget` allows, so that
    neither padding nor memory grows with the corpus.

    Args:
        model: in evaluation mode afterwards.
        tokenizer: of the model.
        sentences: ids of the pieces of each, special ones left out; of any length, empty ones too.
        languages: of all sentences, or one for each.
        forward: takes ``input_ids`` and ``packed``, returns (n, ...).
        finish: takes the number of a sentence and its rows, (pieces, ...), on the processor, as soon as they are there;
            what it returns is kept.
        special: give ``finish`` the rows of ``<s>`` and ``</s>`` too, first and last, once per sentence.
        title: of the progress bar.

    Returns:
        what ``finish`` made of each sentence.

    Raises:
        UserError: if the model has no adapter for a language, or languages and sentences differ in number.
    """
    model.eval()
    numbers = _language_ids(model, languages, len(sentences))
    size = window_size(model)
    jobs = [(i, w) for i, sentence in enumerate(sentences) for w in windows(len(sentence), size)]
    jobs.sort(key=lambda job: (numbers[job[0]], job[1].start - job[1].stop))
    waiting = Counter(i for i, _ in jobs)
    parts: dict[int, dict[int, Tensor]] = defaultdict(dict)
    results: dict[int, ResultT] = {}
    begin, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    with reading(model), tqdm(total=len(sentences), desc=title, unit="sentence", disable=None, leave=False) as bar:
        for batch in filled(jobs, lambda job: job[1].stop - job[1].start + 2, token_budget(model.device)):
            rows = [[begin, *sentences[i][w.start : w.stop], end] for i, w in batch]
            ids, packed = pack_rows(rows, [numbers[i] for i, _ in batch])
            states = forward(input_ids=ids.to(model.device), packed=packed).cpu()
            for (i, w), row in zip(batch, packed.split(states), strict=True):
                # A copy, so that the batch does not live on in it.
                parts[i][w.start] = row[_kept(w, len(sentences[i]), special=special)].clone()
                waiting[i] -= 1
                if not waiting[i]:
                    results[i] = finish(i, torch.cat([part for _, part in sorted(parts.pop(i).items())]))
                    bar.update()
    return [results[i] for i in range(len(sentences))]


def _kept(window: Window, length: int, *, special: bool) -> slice:
    """Rows to take of a window over a sentence of ``length`` pieces; its row 0 is ``<s>``, its last ``</s>``."""
    begin = special and window.start == 0
    end = special and window.stop == length
    return slice(1 + window.keep_start - window.start - begin, 1 + window.keep_stop - window.start + end)


def _language_ids(model: XmodPreTrainedModel, languages: str | Sequence[str], count: int) -> list[int]:
    if isinstance(languages, str):
        return [model.language_id(languages)] * count
    if len(languages) != count:
        raise UserError(f"expected a language for each of {count} sentences, found {len(languages)}")
    numbers = {language: model.language_id(language) for language in set(languages)}
    return [numbers[language] for language in languages]
