"""The bricks of the encoder, over packed tokens of shape (n, hidden).

Modules and parameters carry the names of ``transformers``' X-MOD, so that state dicts are interchangeable.
Architecture: Pfeiffer et al. 2022, "Lifting the Curse of Multilinguality by Pre-training Modular Transformers".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import XmodConfig
from transformers.activations import ACT2FN
from transformers.modeling_layers import GradientCheckpointingLayer

from .attention import Prefix, attend
from .packing import PackedBatch
from .routing import Adapter, route


class Embeddings(nn.Module):
    """Word, position and token-type embeddings, normalised."""

    def __init__(self, config: XmodConfig) -> None:
        super().__init__()
        size, padding = config.hidden_size, config.pad_token_id
        self.word_embeddings = nn.Embedding(config.vocab_size, size, padding_idx=padding)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, size, padding_idx=padding)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, size)
        self.LayerNorm = nn.LayerNorm(size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, words: Tensor, position_ids: Tensor, token_type_ids: Tensor) -> Tensor:
        """Sum the three.

        Args:
            words: word embeddings, shape (n, hidden).
            position_ids: shape (n,).
            token_type_ids: shape (n,).

        Returns:
            shape (n, hidden).
        """
        summed = words + self.token_type_embeddings(token_type_ids) + self.position_embeddings(position_ids)
        return self.dropout(self.LayerNorm(summed))


class SelfAttention(nn.Module):
    """Multi-head attention within each sentence."""

    def __init__(self, config: XmodConfig) -> None:
        super().__init__()
        if config.hidden_size % config.num_attention_heads:
            raise ValueError(
                f"hidden_size ({config.hidden_size}) must be a multiple of num_attention_heads "
                f"({config.num_attention_heads})"
            )
        self.config = config  # `set_attn_implementation` changes it later
        self.n_heads = config.num_attention_heads
        self.dropout = nn.Dropout(config.attention_probs_dropout_prob)
        self.query = nn.Linear(config.hidden_size, config.hidden_size)
        self.key = nn.Linear(config.hidden_size, config.hidden_size)
        self.value = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, states: Tensor, batch: PackedBatch, prefix: Prefix | None = None) -> Tensor:
        """(n, hidden) to (n, hidden)."""
        query, key, value = (
            part(states).unflatten(-1, (self.n_heads, -1)) for part in (self.query, self.key, self.value)
        )
        eager = self.config._attn_implementation == "eager"
        return attend((query, key, value), batch, self.dropout.p if self.training else 0.0, eager, prefix)


class AttentionOutput(nn.Module):
    """The projection after attention, with its residual."""

    def __init__(self, config: XmodConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, states: Tensor, residual: Tensor) -> Tensor:
        """(n, hidden) to (n, hidden)."""
        return self.dropout(self.dense(states)) + residual


class Attention(nn.Module):
    """Self-attention, normalised before (``pre_norm``) or after."""

    def __init__(self, config: XmodConfig) -> None:
        super().__init__()
        self.self = SelfAttention(config)
        self.output = AttentionOutput(config)
        self.pre_norm = config.pre_norm

    def forward(self, states: Tensor, batch: PackedBatch, prefix: Prefix | None = None) -> Tensor:
        """(n, hidden) to (n, hidden)."""
        if self.pre_norm:
            return self.output(self.self(self.output.LayerNorm(states), batch, prefix), states)
        return self.output.LayerNorm(self.output(self.self(states, batch, prefix), states))


class Intermediate(nn.Module):
    """The widening half of the feed-forward."""

    def __init__(self, config: XmodConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.intermediate_size)
        self.activation = ACT2FN[config.hidden_act]

    def forward(self, states: Tensor) -> Tensor:
        """(n, hidden) to (n, intermediate)."""
        return self.activation(self.dense(states))


class Output(nn.Module):
    """The narrowing half of the feed-forward, then the adapter of each token's language."""

    def __init__(self, config: XmodConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.intermediate_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.adapter_layer_norm = (
            nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps) if config.adapter_layer_norm else None
        )
        self.adapter_modules = nn.ModuleDict({str(language): Adapter(config) for language in config.languages})
        self.ln_before_adapter = config.ln_before_adapter
        self.reuse_layer_norm = config.adapter_reuse_layer_norm

    def forward(self, states: Tensor, residual: Tensor, batch: PackedBatch) -> Tensor:
        """(n, intermediate) and the residual (n, hidden) to (n, hidden)."""
        states = self.dropout(self.dense(states)) + residual
        normed = self._normed(states)
        adapted = route(normed, self.adapters, batch)
        return self.dropout(adapted) + (normed if self.ln_before_adapter else states)

    @property
    def adapters(self) -> list[Adapter]:
        """In the order of ``lang_ids``."""
        return [cast(Adapter, adapter) for adapter in self.adapter_modules.values()]

    def _normed(self, states: Tensor) -> Tensor:
        if self.adapter_layer_norm is not None:
            return self.adapter_layer_norm(states)
        return self.LayerNorm(states) if self.reuse_layer_norm else states


class Layer(GradientCheckpointingLayer):
    """Attention, feed-forward and language adapters."""

    def __init__(self, config: XmodConfig) -> None:
        super().__init__()
        self.attention = Attention(config)
        self.intermediate = Intermediate(config)
        self.output = Output(config)
        self.pre_norm = config.pre_norm

    def forward(self, states: Tensor, batch: PackedBatch, prefix: Prefix | None = None) -> Tensor:
        """(n, hidden) to (n, hidden)."""
        states = self.attention(states, batch, prefix)
        if self.pre_norm:
            return self.output(self.intermediate(self.output.LayerNorm(states)), states, batch)
        return self.output.LayerNorm(self.output(self.intermediate(states), states, batch))


class Encoder(nn.Module):
    """The stack of layers."""

    def __init__(self, config: XmodConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.pre_norm = config.pre_norm
        if config.pre_norm:
            self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(
        self,
        states: Tensor,
        batch: PackedBatch,
        keep_all: bool = False,
        layers: int | None = None,
        prefixes: Sequence[Prefix] | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """Run all layers, or the first of them.

        Args:
            states: shape (n, hidden).
            batch: where the tokens belong.
            keep_all: also return the input of every layer.
            layers: how many to run; all by default.
            prefixes: keys and values of virtual tokens in each layer.

        Returns:
            The last states, (n, hidden), and with ``keep_all`` the embeddings and the states after each layer (as in
            ``transformers``, the last of all normalised if the model is ``pre_norm``), else an empty list.
        """
        kept = []
        for number, layer in enumerate(self.layer[:layers]):
            if keep_all:
                kept.append(states)
            states = layer(states, batch, None if prefixes is None else prefixes[number])
        if self.pre_norm and layers in (None, len(self.layer)):
            states = self.LayerNorm(states)
        if keep_all:
            kept.append(states)
        return states, kept


class Pooler(nn.Module):
    """A projection of the first token."""

    def __init__(self, config: XmodConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, states: Tensor) -> Tensor:
        """(batch, hidden) to (batch, hidden)."""
        return torch.tanh(self.dense(states))


class LMHead(nn.Module):
    """Scores over the vocabulary; ``decoder`` is tied to the word embeddings."""

    def __init__(self, config: XmodConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.decoder = nn.Linear(config.hidden_size, config.vocab_size)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.decoder.bias = self.bias

    def forward(self, states: Tensor) -> Tensor:
        """(..., hidden) to (..., vocabulary)."""
        return self.decoder(self.layer_norm(functional.gelu(self.dense(states))))


class ClassificationHead(nn.Module):
    """Scores of a sentence from its first token."""

    def __init__(self, config: XmodConfig) -> None:
        super().__init__()
        share = config.hidden_dropout_prob if config.classifier_dropout is None else config.classifier_dropout
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.dropout = nn.Dropout(share)
        self.out_proj = nn.Linear(config.hidden_size, config.num_labels)

    def forward(self, states: Tensor) -> Tensor:
        """(batch, hidden) to (batch, labels)."""
        pooled = torch.tanh(self.dense(self.dropout(states)))
        return self.out_proj(self.dropout(pooled))
