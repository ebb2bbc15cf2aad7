"""Vectors of texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Literal, overload

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ..errors import UserError
from ..settings import Layer
from ..texts import refuse_one_text
from .inference import cut_texts, run_pieces
from .modeling import XmodPreTrainedModel
from .packing import PackedBatch


@overload
def encode(
    model: XmodPreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    texts: Sequence[str],
    language: str | Sequence[str],
    *,
    pooling: Literal["mean"] = "mean",
    layer: Layer = -1,
    special: bool = False,
) -> Tensor: ...


@overload
def encode(
    model: XmodPreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    texts: Sequence[str],
    language: str | Sequence[str],
    *,
    pooling: Literal["none"],
    layer: Layer = -1,
    special: bool = False,
) -> list[Tensor]: ...


def encode(
    model: XmodPreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    texts: Sequence[str],
    language: str | Sequence[str],
    *,
    pooling: Literal["mean", "none"] = "mean",
    layer: Layer = -1,
    special: bool = False,
) -> Tensor | list[Tensor]:
    """Encode a whole corpus: sorted and packed inside, in the order given outside, with a progress bar on a terminal.

    Args:
        model: an encoder, or a model with a head, whose encoder is used; in evaluation mode afterwards.
        tokenizer: of the model.
        texts: of any length; one longer than the model's positions is read in overlapping windows.
        language: of all texts, or one for each; a BCP-47 tag or an adapter's key.
        pooling: "mean" of the pieces or "none".
        layer: whose states: 0 are the embeddings, 1 the first layer, -1 the last; or "mean" of all of these.
        special: count ``<s>`` and ``</s>`` as pieces, as the mean of sentence-transformers does.

    Returns:
        float32 on the processor: shape (texts, hidden), zero for a text without a piece; without pooling one tensor of
        shape (pieces, hidden) for each text.

    Raises:
        UserError: if the model has no such adapter or layer, languages and texts differ in number, or texts are one
            string.
    """
    count = model.config.num_hidden_layers + 1
    if layer != "mean" and not (isinstance(layer, Integral) and -count <= layer < count):
        raise UserError(f"layer: expected {-count} to {count - 1} or mean, found {layer}")
    refuse_one_text(texts)
    if pooling not in ("mean", "none"):
        raise UserError(f"pooling: expected 'mean' or 'none', found {pooling!r}")
    states = states_of(model, layer if layer == "mean" else int(layer) % count)

    def pool(_: int, rows: Tensor) -> Tensor:
        return rows if pooling == "none" else rows.sum(dim=0) / max(1, len(rows))

    vectors = run_pieces(
        model, tokenizer, cut_texts(tokenizer, texts), language, states, pool, special=special, title="encode"
    )
    if pooling == "none":
        return vectors
    return torch.stack(vectors) if vectors else torch.zeros(0, model.config.hidden_size)


def states_of(model: XmodPreTrainedModel, layer: Layer | None) -> Callable[..., Tensor]:
    """What computes the states of packed pieces, for :func:`~swissxmod.xmod.inference.run_pieces`.

    Args:
        model: an encoder, or a model with a head.
        layer: 0 are the embeddings; "mean" is that of the embeddings and all layers, None all of them apart.

    Returns:
        function of ``input_ids`` and ``packed`` that gives float32 of shape (pieces, hidden), or (pieces, layers + 1,
        hidden).
    """
    encoder = model.base_model

    def states(input_ids: Tensor, packed: PackedBatch) -> Tensor:
        if isinstance(layer, int):
            return encoder(input_ids, packed=packed, layers=layer).last_hidden_state.float()
        every = torch.stack(encoder(input_ids, packed=packed, output_hidden_states=True).hidden_states, dim=1).float()
        return every if layer is None else every.mean(dim=1)

    return states
