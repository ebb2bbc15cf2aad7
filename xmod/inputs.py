"""What callers give an encoder, checked and packed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from transformers import XmodConfig

from ..errors import UserError
from .languages import resolve_language
from .packing import PackedBatch, plan_batch, positions_from_ids

IGNORED = -100
"""Label of a token that there is nothing to say of, as in ``transformers``."""


@dataclass(frozen=True)
class PackedInputs:
    """What the encoder reads, packed, and the batch that says what is where."""

    input_ids: Tensor | None
    inputs_embeds: Tensor | None
    position_ids: Tensor
    token_type_ids: Tensor
    batch: PackedBatch
    given_packed: bool
    """Whether the caller packed them, and so wants packed outputs."""

    def restore(self, tokens: Tensor) -> Tensor:
        """(n, ...) as the caller gave the inputs: packed, or (batch, sequence, ...)."""
        return tokens if self.given_packed else self.batch.unpack(tokens)

    def pack_labels(self, labels: Tensor) -> Tensor:
        """Labels in the shape of the caller's inputs to (n,); those of padding fall away."""
        return labels if self.given_packed else self.batch.pack(labels)

    @torch.compiler.disable
    def labelled(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Packed places of the tokens with a label, and their labels, in the order of the caller's inputs."""
        packed = self.pack_labels(labels)
        places = packed.ne(IGNORED).nonzero().squeeze(1)
        if not self.given_packed and self.batch.index is not None:
            places = places[self.batch.index[places].argsort()]
        return places, packed[places]


@torch.compiler.disable  # reads lengths and languages back from the tensors
def pack_inputs(
    config: XmodConfig,
    input_ids: Tensor | None,
    attention_mask: Tensor | None,
    lang_ids: Tensor | None,
    token_type_ids: Tensor | None,
    position_ids: Tensor | None,
    inputs_embeds: Tensor | None,
    packed: PackedBatch | None,
) -> PackedInputs:
    """Check the inputs of :meth:`XmodModel.forward` and pack what is not packed yet.

    Raises:
        UserError: if the language is unknown, the shapes disagree, a sentence is empty or longer than the model's
            positions.
    """
    if (input_ids is None) == (inputs_embeds is None):
        raise UserError("give exactly one of input_ids and inputs_embeds")
    given = cast(Tensor, inputs_embeds if input_ids is None else input_ids)
    if packed is None:
        shape = (given.shape[0], given.shape[1])
        batch = plan_batch(shape, attention_mask, _lang_ids(config, lang_ids, given))
        positions = batch.pack(_grid_positions(config, input_ids, position_ids, shape, given.device))
        given, types = batch.pack(given), None if token_type_ids is None else batch.pack(token_type_ids)
    else:
        if attention_mask is not None or lang_ids is not None:
            raise UserError("a packed batch has no padding and knows its languages: leave out attention_mask, lang_ids")
        batch = packed if packed.offsets.device == given.device else packed.to(given.device)
        types = token_type_ids
        positions = _packed_positions(config, batch, given) if position_ids is None else position_ids
    _check_adapters(config, batch)
    return PackedInputs(
        input_ids=None if input_ids is None else given,
        inputs_embeds=None if inputs_embeds is None else given,
        position_ids=positions,
        token_type_ids=torch.zeros_like(positions) if types is None else types,
        batch=batch,
        given_packed=packed is not None,
    )


def max_tokens(config: XmodConfig) -> int:
    """The longest sequence the position table has room for, special tokens included."""
    return config.max_position_embeddings - _padding(config) - 1


def _padding(config: XmodConfig) -> int:
    return int(config.pad_token_id or 0)


def _lang_ids(config: XmodConfig, lang_ids: Tensor | None, given: Tensor) -> Tensor:
    if lang_ids is not None:
        return lang_ids.to(given.device)
    languages = [str(language) for language in config.languages]
    if config.default_language is None:
        raise UserError(
            "the language of the input is unknown: give lang_ids or call set_default_language() with one of "
            + ", ".join(languages)
        )
    number = languages.index(resolve_language(config.default_language, languages))
    return torch.full(given.shape[:1], number, device=given.device)


def _grid_positions(
    config: XmodConfig,
    input_ids: Tensor | None,
    position_ids: Tensor | None,
    shape: tuple[int, int],
    device: torch.device,
) -> Tensor:
    if position_ids is not None:
        return position_ids.expand(shape)
    padding = _padding(config)
    if input_ids is None:
        positions = torch.arange(padding + 1, padding + 1 + shape[1], device=device).expand(shape)
    else:
        positions = positions_from_ids(input_ids, padding)
    if shape[1] > max_tokens(config) and int(positions.max()) >= config.max_position_embeddings:
        raise _too_long(config, shape[1])
    return positions


def _packed_positions(config: XmodConfig, batch: PackedBatch, given: Tensor) -> Tensor:
    if len(given) != (total := sum(batch.lengths)):
        raise UserError(f"packed describes a batch of {total} tokens, found an input of {len(given)}")
    if (longest := max(batch.lengths)) > max_tokens(config):
        raise _too_long(config, longest)
    lengths = torch.tensor(batch.lengths, device=given.device)
    starts = batch.offsets[:-1].repeat_interleave(lengths, output_size=total)
    return torch.arange(total, device=given.device) - starts + _padding(config) + 1


def _too_long(config: XmodConfig, length: int) -> UserError:
    return UserError(f"a sequence of {length} tokens is longer than the {max_tokens(config)} positions of the model")


def _check_adapters(config: XmodConfig, batch: PackedBatch) -> None:
    present = [adapter for adapter, _ in batch.slices]
    if min(present) < 0 or max(present) >= len(config.languages):
        raise UserError(
            f"lang_ids must be between 0 and {len(config.languages) - 1}, found {min(present)} to {max(present)}"
        )
