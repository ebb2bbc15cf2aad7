"""The models: names, weights and outputs of ``transformers``' X-MOD, computed without padding.

A checkpoint saved by either library loads in the other. What differs is inside: tokens are packed (see ``packing``),
mixed precision works, and an unknown language is an error instead of a missing adapter.
"""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel, XmodConfig
from transformers import initialization as init
from transformers.modeling_outputs import (
    BaseModelOutputWithPooling,
    MaskedLMOutput,
    SequenceClassifierOutput,
    TokenClassifierOutput,
)

from ..errors import UserError
from .languages import resolve_language
from .layers import ClassificationHead, Embeddings, Encoder, LMHead, Pooler
from .packing import plan_batch, positions_from_ids


class XmodPreTrainedModel(PreTrainedModel):
    """What all X-MOD models share: loading and saving, and names of languages."""

    config_class = XmodConfig
    config: XmodConfig
    base_model_prefix = "roberta"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _no_split_modules = ["Layer", "Embeddings"]

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, LMHead):
            init.zeros_(module.bias)

    @property
    def languages(self) -> tuple[str, ...]:
        """The adapters, in the order of their ``lang_ids``."""
        return tuple(str(language) for language in self.config.languages)

    def language_id(self, language: str) -> int:
        """The number to give as ``lang_ids`` for ``language``, a BCP-47 tag or an adapter's key.

        Raises:
            UserError: if no adapter, or more than one, fits.
        """
        return self.languages.index(resolve_language(language, self.languages))

    def set_default_language(self, language: str) -> None:
        """Use the adapter of ``language`` wherever ``lang_ids`` is not given.

        Raises:
            UserError: if no adapter, or more than one, fits.
        """
        self.config.default_language = resolve_language(language, self.languages)


class XmodModel(XmodPreTrainedModel):
    """The encoder without a head."""

    def __init__(self, config: XmodConfig, add_pooling_layer: bool = True) -> None:
        super().__init__(config)
        if config.is_decoder or config.add_cross_attention:
            raise UserError("swissxmod models are encoders: is_decoder and add_cross_attention must be false")
        self.embeddings = Embeddings(config)
        self.encoder = Encoder(config)
        self.pooler = Pooler(config) if add_pooling_layer else None
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """The word embeddings."""
        return self.embeddings.word_embeddings

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Replace the word embeddings."""
        self.embeddings.word_embeddings = value

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        lang_ids: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> BaseModelOutputWithPooling | tuple[Tensor, ...]:
        """Encode a padded batch.

        Args:
            input_ids: piece ids, shape (batch, sequence).
            attention_mask: true for real tokens, shape (batch, sequence); without it padding counts as text.
            lang_ids: adapter of each sentence, shape (batch,), or of each token, shape (batch, sequence); without it
                the default language's.
            token_type_ids: shape (batch, sequence); zeros by default.
            position_ids: shape (batch, sequence) or (1, sequence); counted over real tokens by default.
            inputs_embeds: word embeddings instead of ids, shape (batch, sequence, hidden).
            output_hidden_states: also return the embeddings and the states after every layer.
            return_dict: false for a plain tuple.

        Returns:
            ``last_hidden_state``, shape (batch, sequence, hidden), zero at padded positions; ``pooler_output``.

        Raises:
            UserError: if the language is unknown, the shapes disagree, a sentence is empty or longer than the
                model's positions.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise UserError("give exactly one of input_ids and inputs_embeds")
        given = cast(Tensor, inputs_embeds if input_ids is None else input_ids)
        shape = (given.shape[0], given.shape[1])
        batch = plan_batch(shape, attention_mask, self._lang_ids(lang_ids, given), len(self.languages))
        positions = self._positions(input_ids, position_ids, shape, given.device)
        types = torch.zeros(shape, dtype=torch.long, device=given.device) if token_type_ids is None else token_type_ids
        packed = batch.pack(given)
        words = packed if input_ids is None else self.embeddings.word_embeddings(packed)
        states = self.embeddings(words, batch.pack(positions), batch.pack(types))
        keep_all = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        states, kept = self.encoder(states, batch, keep_all=bool(keep_all))
        last = batch.unpack(states)
        output = BaseModelOutputWithPooling(
            last_hidden_state=last,
            pooler_output=None if self.pooler is None else self.pooler(last),
            hidden_states=tuple(batch.unpack(layer) for layer in kept) or None,
        )
        return output if self._wants_dict(return_dict) else output.to_tuple()

    def _wants_dict(self, return_dict: bool | None) -> bool:
        return self.config.return_dict if return_dict is None else return_dict

    def _lang_ids(self, lang_ids: Tensor | None, given: Tensor) -> Tensor:
        if lang_ids is not None:
            return lang_ids.to(given.device)
        if self.config.default_language is None:
            raise UserError(
                "the language of the input is unknown: give lang_ids or call set_default_language() with one of "
                + ", ".join(self.languages)
            )
        number = self.language_id(self.config.default_language)
        return torch.full(given.shape[:1], number, dtype=torch.long, device=given.device)

    def _positions(
        self, input_ids: Tensor | None, position_ids: Tensor | None, shape: tuple[int, int], device: torch.device
    ) -> Tensor:
        if position_ids is not None:
            return position_ids.expand(shape)
        padding = int(self.config.pad_token_id or 0)
        if input_ids is None:
            positions = torch.arange(padding + 1, padding + 1 + shape[1], device=device).expand(shape)
        else:
            positions = positions_from_ids(input_ids, padding)
        if shape[1] > (room := self.max_tokens) and int(positions.max()) >= self.config.max_position_embeddings:
            raise UserError(f"a sequence of {shape[1]} tokens is longer than the {room} positions of the model")
        return positions

    @property
    def max_tokens(self) -> int:
        """The longest sequence the position table has room for, special tokens included."""
        return self.config.max_position_embeddings - int(self.config.pad_token_id or 0) - 1


class XmodForMaskedLM(XmodPreTrainedModel):
    """The encoder with a masked-language-modelling head."""

    _tied_weights_keys = {
        "lm_head.decoder.weight": "roberta.embeddings.word_embeddings.weight",
        "lm_head.decoder.bias": "lm_head.bias",
    }

    def __init__(self, config: XmodConfig) -> None:
        super().__init__(config)
        self.roberta = XmodModel(config, add_pooling_layer=False)
        self.lm_head = LMHead(config)
        self.post_init()

    def get_output_embeddings(self) -> nn.Module:
        """The output rows, tied to the word embeddings."""
        return self.lm_head.decoder

    def set_output_embeddings(self, new_embeddings: nn.Linear) -> None:
        """Replace the output rows and, as the two are one parameter, the bias."""
        self.lm_head.decoder = new_embeddings
        self.lm_head.bias = new_embeddings.bias

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        lang_ids: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        logits_at: Literal["all", "labels"] | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> MaskedLMOutput | tuple[Tensor, ...]:
        """Score the vocabulary; see :meth:`XmodModel.forward` for the inputs.

        Args:
            labels: ids to predict, -100 where nothing is, shape (batch, sequence).
            logits_at: "all" computes logits of shape (batch, sequence, vocabulary), "labels" only where there is a
                label, shape (labelled tokens, vocabulary). By default "labels" in training with labels (where the
                full logits are most of the memory and nobody reads them), else "all".

        Returns:
            ``loss``, the mean over labelled tokens (NaN if there is none), and ``logits``.
        """
        output = self.roberta(
            input_ids, attention_mask, lang_ids, token_type_ids, position_ids, inputs_embeds, output_hidden_states, True
        )
        states = output.last_hidden_state
        if logits_at is None:
            logits_at = "labels" if self.training and labels is not None else "all"
        if logits_at == "all":
            logits = self.lm_head(states)
            loss = None if labels is None else functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
        elif labels is None:
            raise UserError("logits_at='labels' needs labels")
        else:
            chosen = labels.ne(-100)
            logits = self.lm_head(states[chosen])
            loss = functional.cross_entropy(logits, labels[chosen])
        result = MaskedLMOutput(loss=loss, logits=logits, hidden_states=output.hidden_states)
        return result if self.roberta._wants_dict(return_dict) else result.to_tuple()


class XmodForTokenClassification(XmodPreTrainedModel):
    """The encoder with a label per token."""

    def __init__(self, config: XmodConfig) -> None:
        super().__init__(config)
        self.num_labels = config.num_labels
        self.roberta = XmodModel(config, add_pooling_layer=False)
        share = config.hidden_dropout_prob if config.classifier_dropout is None else config.classifier_dropout
        self.dropout = nn.Dropout(share)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        lang_ids: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> TokenClassifierOutput | tuple[Tensor, ...]:
        """Score the labels of every token; see :meth:`XmodModel.forward` for the inputs.

        Args:
            labels: shape (batch, sequence), -100 where nothing is to be learned.

        Returns:
            ``loss`` and ``logits``, shape (batch, sequence, labels).
        """
        output = self.roberta(
            input_ids, attention_mask, lang_ids, token_type_ids, position_ids, inputs_embeds, output_hidden_states, True
        )
        logits = self.classifier(self.dropout(output.last_hidden_state))
        loss = None if labels is None else functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
        result = TokenClassifierOutput(loss=loss, logits=logits, hidden_states=output.hidden_states)
        return result if self.roberta._wants_dict(return_dict) else result.to_tuple()


class XmodForSequenceClassification(XmodPreTrainedModel):
    """The encoder with labels (or, with one label, a number) per sentence."""

    def __init__(self, config: XmodConfig) -> None:
        super().__init__(config)
        self.num_labels = config.num_labels
        self.roberta = XmodModel(config, add_pooling_layer=False)
        self.classifier = ClassificationHead(config)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        lang_ids: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> SequenceClassifierOutput | tuple[Tensor, ...]:
        """Score the labels of every sentence; see :meth:`XmodModel.forward` for the inputs.

        Args:
            labels: classes, shape (batch,); numbers for a regression; (batch, labels) of 0 and 1 for several at once.
                The loss follows ``config.problem_type``, or is inferred from the labels as in ``transformers``.

        Returns:
            ``loss`` and ``logits``, shape (batch, labels).
        """
        output = self.roberta(
            input_ids, attention_mask, lang_ids, token_type_ids, position_ids, inputs_embeds, output_hidden_states, True
        )
        logits = self.classifier(output.last_hidden_state)
        loss = None if labels is None else self._loss(logits, labels)
        result = SequenceClassifierOutput(loss=loss, logits=logits, hidden_states=output.hidden_states)
        return result if self.roberta._wants_dict(return_dict) else result.to_tuple()

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        if self.config.problem_type is None:
            single = labels.dtype in (torch.long, torch.int)
            several = "single_label_classification" if single else "multi_label_classification"
            self.config.problem_type = "regression" if self.num_labels == 1 else several
        if self.config.problem_type == "regression":
            return functional.mse_loss(logits.squeeze(), labels.squeeze())
        if self.config.problem_type == "single_label_classification":
            return functional.cross_entropy(logits.view(-1, self.num_labels), labels.view(-1))
        return functional.binary_cross_entropy_with_logits(logits, labels)
