"""An encoder for sentence-transformers: its tools for search, clustering and contrastive training, on our adapters."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ..errors import UserError
from ..xmod.checkpoints import load_with_tokenizer
from ..xmod.inference import cut_texts, pad_batch, window_size
from ..xmod.languages import resolve_language
from ..xmod.modeling import XmodModel

try:
    from sentence_transformers.base.modules import InputModule
except ImportError as error:
    raise UserError("sentence-transformers is not installed: pip install swissxmod[sentence-transformers]") from error

LOG = logging.getLogger(__name__)


class SentenceEncoder(InputModule):
    """The mean of the last layer's states, ``<s>`` and ``</s>`` included, as ``align sentences`` takes it.

    The only module that a ``SentenceTransformer`` needs:
    ``SentenceTransformer(modules=[SentenceEncoder("aligner", language="de")])``. Texts are in the language that
    ``encode(texts, language="rm")`` names, else in the one that the prompt names (a prompt, with which
    sentence-transformers says what a column of training data is, is a language here), else in the module's.
    """

    config_file_name = "sentence_encoder_config.json"
    config_keys = ["language", "max_seq_length"]
    forward_kwargs = {"language"}
    tokenizer: PreTrainedTokenizerFast

    def __init__(self, model: str | Path, language: str | None = None, max_seq_length: int | None = None) -> None:
        """Load an encoder.

        Args:
            model: folder or hub name of a model of any kind; a head is left away.
            language: of texts without a language of their own.
            max_seq_length: pieces that are read of a text, with ``<s>`` and ``</s>``; as many as the model can by
                default. Texts that lose some are counted in a warning.

        Raises:
            UserError: for a model that cannot be loaded, a language without an adapter, or fewer than three
            pieces to read.
        """
        super().__init__()
        self.model, self.tokenizer = load_with_tokenizer(XmodModel, str(model), add_pooling_layer=False)
        self.language = language and resolve_language(language, self.model.languages)
        longest = window_size(self.model) + 2
        if max_seq_length is not None and max_seq_length < 3:
            raise UserError(
                f"max_seq_length: expected 3 pieces or more, two of them <s> and </s>, found {max_seq_length}"
            )
        self.max_seq_length = min(max_seq_length or longest, longest)

    def preprocess(
        self,
        inputs: Sequence[Any],
        prompt: str | None = None,
        language: str | None = None,
        **kwargs: Any,  # noqa: ANN401 - what other modules take
    ) -> dict[str, Tensor]:
        """Cut texts and pad them.

        Args:
            inputs: texts.
            prompt: the name of their language, where ``language`` is not given.
            language: of the texts.
            kwargs: not used.

        Raises:
            UserError: for no language, or one without an adapter, or what is not a text.
        """
        if others := [each for each in inputs if not isinstance(each, str)]:
            raise UserError(f"expected texts, found {type(others[0]).__name__}")
        named = language or prompt or self.language
        if named is None:
            known = ", ".join(self.model.languages)
            raise UserError(f"in which language are the texts? Give language= or prompt=, one of {known}")
        number = self.model.language_id(named)
        room = self.max_seq_length - 2
        cut = cut_texts(self.tokenizer, inputs)
        if longer := sum(len(ids) > room for ids in cut):
            LOG.warning("%d of %d texts are longer than %d pieces; their ends are not read", longer, len(cut), room)
        begin, end = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        ids, mask = pad_batch([[begin, *pieces[:room], end] for pieces in cut], self.tokenizer.pad_token_id)
        return {"input_ids": ids, "attention_mask": mask, "lang_ids": torch.full((len(cut),), number)}

    def forward(self, features: dict[str, Tensor], **kwargs: Any) -> dict[str, Tensor]:  # noqa: ANN401
        """Add "token_embeddings", shape (texts, pieces, hidden), and "sentence_embedding", (texts, hidden)."""
        inputs = {name: features[name] for name in ("input_ids", "attention_mask", "lang_ids")}
        states = self.model(**inputs).last_hidden_state
        mask = inputs["attention_mask"][..., None].to(states.dtype)
        features["token_embeddings"] = states
        features["sentence_embedding"] = (states * mask).sum(dim=1) / mask.sum(dim=1)
        return features

    def get_embedding_dimension(self) -> int:
        """Width of the vectors."""
        return int(self.model.config.hidden_size)

    def save(self, output_path: str, *args: Any, safe_serialization: bool = True, **kwargs: Any) -> None:  # noqa: ANN401
        """Write the model, its tokenizer and the settings.

        What it was trained on by others is not known here: a model's history is not written on.
        """
        self.model.save_pretrained(output_path)
        self.save_tokenizer(output_path)
        self.save_config(output_path)

    @classmethod
    def load(
        cls,
        model_name_or_path: str,
        subfolder: str = "",
        token: bool | str | None = None,
        cache_folder: str | None = None,
        revision: str | None = None,
        local_files_only: bool = False,
        init_defaults: dict[str, Any] | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> Self:
        """Load what :meth:`save` wrote; the arguments are those of sentence-transformers."""
        where = subfolder, token, cache_folder, revision, local_files_only
        folder = cls.load_dir_path(model_name_or_path, *where)
        config = (init_defaults or {}) | cls.load_config(model_name_or_path, subfolder, None, *where[1:])
        return cls(folder or model_name_or_path, **config)
