"""The models: names, weights and outputs of ``transformers``' X-MOD, computed without padding.

A checkpoint saved by either library loads in the other. What differs is inside: tokens are packed (see ``packing``),
mixed precision works, and an unknown language is an error instead of a missing adapter.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Cache, PreTrainedModel, XmodConfig
from transformers import initialization as init
from transformers.modeling_outputs import (
    BaseModelOutputWithPooling,
    MaskedLMOutput,
    QuestionAnsweringModelOutput,
    SequenceClassifierOutput,
    TokenClassifierOutput,
)

from ..errors import UserError
from .attention import Prefix
from .inputs import PackedInputs, first_position, max_tokens, pack_inputs
from .languages import resolve_language
from .layers import ClassificationHead, Embeddings, Encoder, LMHead, Pooler
from .packing import PackedBatch


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

    def _pack(
        self,
        input_ids: Tensor | None,
        attention_mask: Tensor | None,
        lang_ids: Tensor | None,
        token_type_ids: Tensor | None,
        position_ids: Tensor | None,
        inputs_embeds: Tensor | None,
        packed: PackedBatch | None,
        before: int = 0,
    ) -> PackedInputs:
        """:func:`pack_inputs`, with the virtual tokens of the encoder, unless they are among the inputs already."""
        encoder = self.base_model
        missing = 0 if packed is not None and packed.virtual else encoder.virtual_tokens
        inputs = pack_inputs(
            self.config, input_ids, attention_mask, lang_ids, token_type_ids, position_ids, inputs_embeds, packed,
            before + missing,
        )  # fmt: skip
        if encoder.prompts is None or not missing:
            return inputs
        words = encoder.embeddings.word_embeddings
        return inputs.with_virtual(words, encoder.prompts, first_position(self.config))

    def _encode(
        self, inputs: PackedInputs, output_hidden_states: bool | None
    ) -> tuple[Tensor, tuple[Tensor, ...] | None]:
        """Packed last states of the encoder below a head, and the hidden states as the caller wants them."""
        output = self.base_model(
            input_ids=inputs.input_ids,
            inputs_embeds=inputs.inputs_embeds,
            position_ids=inputs.position_ids,
            token_type_ids=inputs.token_type_ids,
            packed=inputs.batch,
            output_hidden_states=output_hidden_states,
            return_dict=True,
        )
        kept = output.hidden_states
        return output.last_hidden_state, None if kept is None else tuple(map(inputs.restore, kept))

    def _wants_dict(self, return_dict: bool | None) -> bool:
        return self.config.return_dict if return_dict is None else return_dict


class XmodModel(XmodPreTrainedModel):
    """The encoder without a head."""

    def __init__(self, config: XmodConfig, add_pooling_layer: bool = True) -> None:
        super().__init__(config)
        if config.is_decoder or config.add_cross_attention:
            raise UserError("swissxmod models are encoders: is_decoder and add_cross_attention must be false")
        self.embeddings = Embeddings(config)
        self.encoder = Encoder(config)
        self.pooler = Pooler(config) if add_pooling_layer else None
        # Virtual tokens that were learned beside the model, as peft holds them; most models have none.
        self.register_parameter("prompts", None)
        self.register_parameter("prefix", None)
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
        packed: PackedBatch | None = None,
        layers: int | None = None,
        past_key_values: Cache | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        return_dict: bool | None = None,
    ) -> BaseModelOutputWithPooling | tuple[Tensor, ...]:
        """Encode a batch, padded or packed.

        Args:
            input_ids: piece ids, shape (batch, sequence).
            attention_mask: true for real tokens, shape (batch, sequence); without it padding counts as text.
            lang_ids: adapter of each sentence, shape (batch,), or of each token, shape (batch, sequence); without it
                the default language's.
            token_type_ids: shape (batch, sequence); zeros by default.
            position_ids: shape (batch, sequence) or (1, sequence); counted over real tokens by default.
            inputs_embeds: word embeddings instead of ids, shape (batch, sequence, hidden).
            packed: says that the inputs are n tokens without padding, of shape (n,) instead of (batch, sequence), and
                where they belong (see :func:`~swissxmod.xmod.packing.pack_rows`); there is no mask and no ``lang_ids``
                then, and what is said of each token comes back packed too: (n, hidden).
            layers: run only the first so many; ``last_hidden_state`` is then what ``hidden_states[layers]`` would be.
            past_key_values: keys and values of virtual tokens before each sentence, as ``peft`` gives them in prefix
                tuning; a mask counts them too.
            output_hidden_states: also return the embeddings and the states after every layer.
            output_attentions: false, if given: libraries that call any model, such as ``peft``, name it.
            return_dict: false for a plain tuple.

        Returns:
            ``last_hidden_state``, shape (batch, sequence, hidden), zero at padded positions; ``pooler_output``.

        Raises:
            UserError: if the language is unknown, the shapes disagree, a sentence is empty or longer than the
                model's positions.
        """
        _no_attentions(output_attentions)
        prefixes, before = self._prefixes(past_key_values)
        if past_key_values is not None and attention_mask is not None:
            attention_mask = attention_mask[:, before:]
        inputs = self._pack(
            input_ids, attention_mask, lang_ids, token_type_ids, position_ids, inputs_embeds, packed, before
        )
        words = (
            self.embeddings.word_embeddings(inputs.input_ids) if inputs.inputs_embeds is None else inputs.inputs_embeds
        )
        states = self.embeddings(words, inputs.position_ids, inputs.token_type_ids)
        keep_all = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        states, kept = self.encoder(states, inputs.batch, bool(keep_all), layers, prefixes)
        output = BaseModelOutputWithPooling(
            last_hidden_state=inputs.restore(states),
            pooler_output=None if self.pooler is None else self.pooler(states[inputs.batch.firsts]),
            hidden_states=tuple(map(inputs.restore, kept)) or None,
        )
        return output if self._wants_dict(return_dict) else output.to_tuple()

    @property
    def max_tokens(self) -> int:
        """The longest sequence the position table has room for, special tokens included and virtual ones left out."""
        return max_tokens(self.config) - self.virtual_tokens

    @property
    def virtual_tokens(self) -> int:
        """How many learned tokens stand before each sentence."""
        learned = self.prompts if self.prefix is None else self.prefix
        return 0 if learned is None else len(learned)

    def _prefixes(self, past: Cache | None) -> tuple[list[Prefix] | None, int]:
        """Keys and values of virtual tokens in each layer, and how many of them the caller gave."""
        if past is not None:
            return [(layer.keys, layer.values) for layer in past.layers], past.get_seq_length()
        if self.prefix is None:
            return None, 0
        shape = (len(self.prefix), 2 * self.config.num_hidden_layers, self.config.num_attention_heads, -1)
        parts = self.prefix.view(shape).permute(1, 2, 0, 3).unsqueeze(1)
        return list(zip(parts[::2], parts[1::2], strict=True)), 0


class XmodForMaskedLM(XmodPreTrainedModel):
    """The encoder with a masked-language-modelling head."""

    _tied_weights_keys = {
        "lm_head.decoder.weight": "roberta.embeddings.word_embeddings.weight",
        "lm_head.decoder.bias": "lm_head.bias",
    }
    # One parameter under two names, of which files have one.
    _keys_to_ignore_on_load_missing = [r"lm_head\.decoder\.bias"]

    def __init__(self, config: XmodConfig) -> None:
        super().__init__(config)
        self.roberta = XmodModel(config, add_pooling_layer=False)
        self.lm_head = LMHead(config)
        self.post_init()

    def tie_weights(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - those of the parent
        """Tie also what a config without tied embeddings does not part: both names of the bias."""
        super().tie_weights(*args, **kwargs)
        self.lm_head.decoder.bias = self.lm_head.bias

    def get_output_embeddings(self) -> nn.Module:
        """The output rows, tied to the word embeddings unless the config parts them."""
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
        labels: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        packed: PackedBatch | None = None,
        logits_at: Literal["all", "labels"] | None = None,
        reduction: Literal["mean", "none"] = "mean",
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        return_dict: bool | None = None,
    ) -> MaskedLMOutput | tuple[Tensor, ...]:
        """Score the vocabulary; see :meth:`XmodModel.forward` for the inputs.

        Args:
            labels: ids to predict, -100 where nothing is, shape (batch, sequence).
            logits_at: "all" computes logits of shape (batch, sequence, vocabulary), "labels" only where there is a
                label, shape (labelled tokens, vocabulary), in the order of ``labels[labels != -100]``. By default
                "labels" in training with labels (where the full logits are most of the memory and nobody reads them),
                else "all".
            reduction: "mean" makes one number of the losses, "none" keeps them apart (with logits at "labels").

        Returns:
            ``loss``, the mean over labelled tokens (NaN if there is none) or, without a reduction, that of each in the
            order of their logits, and ``logits``.
        """
        _no_attentions(output_attentions)
        inputs = self._pack(input_ids, attention_mask, lang_ids, token_type_ids, position_ids, inputs_embeds, packed)
        states, hidden_states = self._encode(inputs, output_hidden_states)
        if logits_at is None:
            logits_at = "labels" if self.training and labels is not None else "all"
        if logits_at == "labels":
            if labels is None:
                raise UserError("logits_at='labels' needs labels")
            places, chosen = inputs.labelled(labels)
            logits = self.lm_head(states.index_select(0, places))
            losses = functional.cross_entropy(logits, chosen, reduction=reduction)
            result = MaskedLMOutput(losses, logits, hidden_states)
        elif reduction == "none":
            raise UserError("reduction='none' keeps the losses of labelled tokens: it needs logits_at='labels'")
        else:
            logits = self.lm_head(states)
            loss = None if labels is None else functional.cross_entropy(logits, inputs.pack_labels(labels))
            result = MaskedLMOutput(loss, inputs.restore(logits), hidden_states)
        return result if self._wants_dict(return_dict) else result.to_tuple()


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
        labels: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        packed: PackedBatch | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        return_dict: bool | None = None,
    ) -> TokenClassifierOutput | tuple[Tensor, ...]:
        """Score the labels of every token; see :meth:`XmodModel.forward` for the inputs.

        Args:
            labels: shape (batch, sequence), -100 where nothing is to be learned.

        Returns:
            ``loss`` and ``logits``, shape (batch, sequence, labels).
        """
        _no_attentions(output_attentions)
        inputs = self._pack(input_ids, attention_mask, lang_ids, token_type_ids, position_ids, inputs_embeds, packed)
        states, hidden_states = self._encode(inputs, output_hidden_states)
        logits = self.classifier(self.dropout(states))
        loss = None if labels is None else functional.cross_entropy(logits, inputs.pack_labels(labels))
        result = TokenClassifierOutput(loss=loss, logits=inputs.restore(logits), hidden_states=hidden_states)
        return result if self._wants_dict(return_dict) else result.to_tuple()


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
        labels: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        packed: PackedBatch | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        return_dict: bool | None = None,
    ) -> SequenceClassifierOutput | tuple[Tensor, ...]:
        """Score the labels of every sentence; see :meth:`XmodModel.forward` for the inputs.

        Args:
            labels: classes, shape (batch,); numbers for a regression; (batch, labels) of 0 and 1 for several at once.
                The loss follows ``config.problem_type``, or is inferred from the labels as in ``transformers``.

        Returns:
            ``loss`` and ``logits``, shape (batch, labels).
        """
        _no_attentions(output_attentions)
        inputs = self._pack(input_ids, attention_mask, lang_ids, token_type_ids, position_ids, inputs_embeds, packed)
        states, hidden_states = self._encode(inputs, output_hidden_states)
        logits = self.classifier(states[inputs.batch.firsts])
        loss = None if labels is None else self._loss(logits, labels)
        result = SequenceClassifierOutput(loss=loss, logits=logits, hidden_states=hidden_states)
        return result if self._wants_dict(return_dict) else result.to_tuple()

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


class XmodForQuestionAnswering(XmodPreTrainedModel):
    """The encoder with a score for every token to start and to end an answer."""

    def __init__(self, config: XmodConfig) -> None:
        super().__init__(config)
        if config.num_labels != 2:
            raise UserError(
                f"question answering has two scores per token, start and end; num_labels is {config.num_labels}"
            )
        self.roberta = XmodModel(config, add_pooling_layer=False)
        self.qa_outputs = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        lang_ids: Tensor | None = None,
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        return_dict: bool | None = None,
    ) -> QuestionAnsweringModelOutput | tuple[Tensor, ...]:
        """Score where an answer starts and ends; see :meth:`XmodModel.forward` for the inputs.

        Args:
            start_positions: token at which the answer starts, shape (batch,); one beyond the sequence is ignored.
            end_positions: token at which it ends, shape (batch,).

        Returns:
            ``loss``, the mean of both, and ``start_logits`` and ``end_logits``, shape (batch, sequence): the lowest
            number there is at padded positions, so that none of them is ever the answer.
        """
        _no_attentions(output_attentions)
        inputs = self._pack(input_ids, attention_mask, lang_ids, token_type_ids, position_ids, inputs_embeds, None)
        states, hidden_states = self._encode(inputs, output_hidden_states)
        logits = inputs.restore(self.qa_outputs(states))
        if (real := inputs.given.key_mask) is not None:
            logits = logits.masked_fill(~real[..., None], torch.finfo(logits.dtype).min)
        start, end = logits.unbind(-1)
        loss = None
        if start_positions is not None and end_positions is not None:
            loss = (_position_loss(start, start_positions) + _position_loss(end, end_positions)) / 2
        result = QuestionAnsweringModelOutput(loss, start, end, hidden_states)
        return result if self._wants_dict(return_dict) else result.to_tuple()


def _position_loss(logits: Tensor, positions: Tensor) -> Tensor:
    """Cross-entropy over the tokens of a sentence; positions outside of it are left out, as ``transformers`` does."""
    length = logits.shape[1]
    return functional.cross_entropy(logits, positions.view(-1).clamp(0, length), ignore_index=length)


def _no_attentions(wanted: bool | None) -> None:
    if wanted:
        raise UserError(
            "output_attentions: the weights of attention are never made whole here; the class of the same name in "
            "transformers loads the same checkpoint and gives them"
        )
