"""Masked words of texts: what a model expects there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ..detection.choice import tell_languages
from ..errors import UserError
from ..files import opened
from ..settings import PredictFill
from ..texts import batched, json_line, read_texts
from ..xmod.checkpoints import load_with_tokenizer
from ..xmod.inference import cut_texts, run_pieces
from ..xmod.modeling import XmodForMaskedLM
from ..xmod.packing import PackedBatch

ResultT = TypeVar("ResultT")
TOGETHER = 64
"""Texts that are read at once."""


class Guess(NamedTuple):
    """A piece that may stand in the place of a mask."""

    piece: str
    """As text; a blank before it begins a word."""
    probability: float


def predict_fill(settings: PredictFill, out: str | Path) -> dict[str, Any]:
    """Write the most probable pieces for each mask of each text.

    Args:
        settings: the model and the texts.
        out: JSONL file to write, or "-": what each object had, and "masks", a list of guesses for each mask.

    Returns:
        numbers of texts and of masks, and where no language is given, the languages that were detected.

    Raises:
        UserError: for text that cannot be read or has no mask, or a language that has no adapter or cannot be detected.
    """
    model, tokenizer = load_with_tokenizer(XmodForMaskedLM, settings.model)
    texts, masks, detected = 0, 0, Counter[str]()
    with opened(out) as file:
        for part in batched(read_texts(settings.text, settings.text_column), TOGETHER):
            written = [row[settings.text_column] for _, row in part]
            rows = cut_texts(tokenizer, written)
            for text, ids, (place, _) in zip(written, rows, part, strict=True):
                if tokenizer.mask_token_id not in ids:
                    raise UserError(f"{place}: expected a text with {tokenizer.mask_token}, found {text[:60]!r}")
            languages = tell_languages(part, settings.language, written, written, model.languages, detected)
            guesses = fill(model, tokenizer, rows, languages, settings.top)
            for (_, row), found in zip(part, guesses, strict=True):
                file.write(json_line(row | {"masks": [[guess._asdict() for guess in mask] for mask in found]}))
                masks += len(found)
            texts += len(part)
    return {"texts": texts, "masks": masks} | ({"detected": dict(detected)} if detected else {})


def fill(
    model: XmodForMaskedLM,
    tokenizer: PreTrainedTokenizerFast,
    rows: Sequence[list[int]],
    languages: str | Sequence[str],
    top: int,
) -> list[list[list[Guess]]]:
    """The most probable pieces for each mask of each text.

    Args:
        model: with its masked-language-modelling head; in evaluation mode afterwards.
        tokenizer: of the model.
        rows: ids of each text, special ones left out; one longer than the model's positions is read in windows.
        languages: of all texts, or one for each.
        top: guesses for each mask, the most probable first.

    Raises:
        UserError: if the model has no adapter for a language.
    """
    masks = [[place for place, piece in enumerate(row) if piece == tokenizer.mask_token_id] for row in rows]

    def guesses(_: int, logits: Tensor) -> list[list[Guess]]:
        chances = logits.softmax(dim=-1)
        best = chances.topk(min(top, chances.shape[-1]))
        return [
            [_guess(tokenizer, *guess) for guess in zip(*mask, strict=True)]
            for mask in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ]

    return at_places(model, tokenizer, rows, masks, languages, guesses, title="fill")


def at_places(
    model: XmodForMaskedLM,
    tokenizer: PreTrainedTokenizerFast,
    rows: Sequence[Sequence[int]],
    places: Sequence[list[int]],
    languages: str | Sequence[str],
    finish: Callable[[int, Tensor], ResultT],
    *,
    title: str,
) -> list[ResultT]:
    """What ``finish`` makes of the logits at some places of each text, so that no others are computed.

    Args:
        model: with its masked-language-modelling head; in evaluation mode afterwards.
        tokenizer: of the model.
        rows: ids of each text, special ones left out.
        places: of each text.
        languages: of all texts, or one for each.
        finish: takes the number of a text and logits, shape (places, vocabulary), on the processor.
        title: of the progress bar.

    Raises:
        UserError: if the model has no adapter for a language.
    """

    def states(input_ids: Tensor, packed: PackedBatch) -> Tensor:
        return model.base_model(input_ids, packed=packed).last_hidden_state

    def finished(number: int, found: Tensor) -> ResultT:
        return finish(number, model.lm_head(found[places[number]].to(model.device)).float().cpu())

    return run_pieces(model, tokenizer, rows, languages, states, finished, title=title)


def _guess(tokenizer: PreTrainedTokenizerFast, piece: int, probability: float) -> Guess:
    return Guess(tokenizer.convert_ids_to_tokens(piece).replace("▁", " "), round(probability, 4))
