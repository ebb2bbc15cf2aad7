"""What callers give an encoder, checked and packed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn
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
    given: PackedBatch
    """The batch without the virtual tokens that the model puts before its sentences."""
    own: Tensor | None = None
    """Places of the caller's tokens where there are virtual ones, shape (n,)."""

    def restore(self, tokens: Tensor) -> Tensor:
        """(n, ...) as the caller gave the inputs: packed, or (batch, sequence, ...)."""
        tokens = tokens if self.own is None else tokens.index_select(0, self.own)
        return tokens if self.given_packed else self.given.unpack(tokens)

    def pack_labels(self, labels: Tensor) -> Tensor:
        """Labels in the shape of the caller's inputs to (n,); those of padding fall away, virtual tokens have none."""
        packed = labels if self.given_packed else self.given.pack(labels)
        if self.own is None:
            return packed
        return packed.new_full((sum(self.batch.lengths),), IGNORED).index_copy(0, self.own, packed)

    def with_virtual(self, embed: nn.Module, prompts: Tensor, first_position: int) -> PackedInputs:
        """The inputs with learned embeddings before each sentence.

        Args:
            embed: the word embeddings.
            prompts: the learned ones, shape (virtual tokens, hidden).
            first_position: number of the first position; the sentence's own come after the virtual ones.
        """
        batch, own, theirs = self.batch.with_virtual(len(prompts))
        words = embed(self.input_ids) if self.inputs_embeds is None else self.inputs_embeds
        rows = len(batch.lengths)
        together = words.new_zeros(len(own) + len(theirs), words.shape[1])
        together = together.index_copy(0, own, words).index_copy(0, theirs, prompts.to(words).repeat(rows, 1))
        numbers = torch.arange(len(prompts), device=own.device) + first_position
        positions = self.position_ids.new_empty(len(together)).index_copy(0, own, self.position_ids.reshape(-1))
        positions = positions.index_copy(0, theirs, numbers.repeat(rows).to(positions))
        types = self.token_type_ids.new_zeros(len(together)).index_copy(0, own, self.token_type_ids)
        return replace(
            self,
            input_ids=None,
            inputs_embeds=together,
            position_ids=positions,
            token_type_ids=types,
            batch=batch,
            own=own,
        )

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
    before: int = 0,
) -> PackedInputs:
    """Check the inputs of :meth:`XmodModel.forward` and pack what is not packed yet.

    ``before`` is the number of positions that virtual tokens take, after which those of the text are counted.

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
        positions = batch.pack(_grid_positions(config, input_ids, position_ids, shape, given.device, before))
        given, types = batch.pack(given), None if token_type_ids is None else batch.pack(token_type_ids)
    else:
        if attention_mask is not None or lang_ids is not None:
            raise UserError("a packed batch has no padding and knows its languages: leave out attention_mask, lang_ids")
        batch = packed if packed.offsets.device == given.device else packed.to(given.device)
        types = token_type_ids
        positions = _packed_positions(config, batch, given, before) if position_ids is None else position_ids
    _check_adapters(config, batch)
    return PackedInputs(
        input_ids=None if input_ids is None else given,
        inputs_embeds=None if inputs_embeds is None else given,
        position_ids=positions,
        token_type_ids=torch.zeros_like(positions) if types is None else types,
        batch=batch,
        given_packed=packed is not None,
        given=batch,
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
    before: int,
) -> Tensor:
    if position_ids is not None:
        return position_ids.expand(shape)
    padding = _padding(config)
    if input_ids is None:
        positions = torch.arange(padding + 1, padding + 1 + shape[1], device=device).expand(shape)
    else:
        positions = positions_from_ids(input_ids, padding)
    if shape[1] > max_tokens(config) - before and int(positions.max()) >= config.max_position_embeddings - before:
        raise _too_long(config, shape[1], before)
    return positions + before


def _packed_positions(config: XmodConfig, batch: PackedBatch, given: Tensor, before: int) -> Tensor:
    if len(given) != (total := sum(batch.lengths)):
        raise UserError(f"packed describes a batch of {total} tokens, found an input of {len(given)}")
    if (longest := max(batch.lengths)) > max_tokens(config) - before:
        raise _too_long(config, longest, before)
    lengths = torch.tensor(batch.lengths, device=given.device)
    starts = batch.offsets[:-1].repeat_interleave(lengths, output_size=total)
    return torch.arange(total, device=given.device) - starts + first_position(config) + before


def _too_long(config: XmodConfig, length: int, before: int) -> UserError:
    taken = f", of which {before} are for the virtual tokens before it" if before else ""
    return UserError(
        f"a sequence of {length} tokens is longer than the {max_tokens(config)} positions of the model{taken}"
    )


def first_position(config: XmodConfig) -> int:
    """Number of the first position, after that of padding."""
    return _padding(config) + 1


def _check_adapters(config: XmodConfig, batch: PackedBatch) -> None:
    present = [adapter for adapter, _ in batch.slices]
    if min(present) < 0 or max(present) >= len(config.languages):
        raise UserError(
            f"lang_ids must be between 0 and {len(config.languages) - 1}, found {min(present)} to {max(present)}"
        )
