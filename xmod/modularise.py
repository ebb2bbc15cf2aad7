"""A checkpoint becomes a model for your languages, and computes what it did.

A plain encoder gets adapters that change nothing at first; of an X-MOD model adapters are copied, averaged and pruned.
With the layer norm after the adapter and a second projection of zeros, a post-norm layer with an adapter computes what
it computed without: the adapter adds zero, and the residual around it is the state itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForMaskedLM, PreTrainedConfig, PreTrainedModel, XmodConfig, set_seed

from ..errors import UserError
from ..files import refuse_used_folder
from ..settings import ModelModularise
from ..texts import as_list
from ..tokenizer.folders import load_tokenizer
from .adapters import with_languages
from .checkpoints import check_rows, load_model, load_partly, read_config, read_history, save_checkpoint
from .languages import check_languages, resolve_language, starting_adapters
from .modeling import XmodForMaskedLM
from .vocabulary import POSITIONS, move_positions

BERT = "bert"
PLAIN = (BERT, "camembert", "roberta", "xlm-roberta")
"""Architectures whose layers are X-MOD's without adapters."""
COPIED = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act",
    "hidden_dropout_prob", "attention_probs_dropout_prob", "type_vocab_size", "initializer_range", "layer_norm_eps",
    "tie_word_embeddings",
)  # fmt: skip
FROM_BERT = (
    (r"^bert\.", "roberta."),
    (r"^cls\.predictions\.transform\.LayerNorm\.", "lm_head.layer_norm."),
    (r"^cls\.predictions\.transform\.", "lm_head."),
    (r"^cls\.predictions\.", "lm_head."),
)
TOLERANCE = 1e-9
SENTENCES, LONGEST = 4, 512


def modularise_model(settings: ModelModularise, out: str | Path) -> dict[str, Any]:
    """Make an X-MOD model with the chosen languages of a BERT, RoBERTa, XLM-R or X-MOD checkpoint.

    The new model is run beside the checkpoint in every language, and not written unless the hidden states of all layers
    and the scores are the same.

    Args:
        settings: the checkpoint, the languages, and for X-MOD the adapters they start from.
        out: folder to make.

    Returns:
        number of parameters, what each language starts from, whether the masked-language-modelling head is the
        source's, and the largest difference found; an average of adapters has nothing to be compared with.

    Raises:
        UserError: for a checkpoint that is not of a known kind, does not fit its tokenizer, or cannot be loaded.
    """
    refuse_used_folder(out)
    check_languages(settings.languages)
    config = known_config(settings.source)
    tokenizer = load_tokenizer(settings.tokenizer or settings.source)
    check_rows(settings.source, tokenizer, config.vocab_size)
    set_seed(settings.seed)
    if config.model_type == XmodConfig.model_type:
        source: PreTrainedModel = load_model(XmodForMaskedLM, settings.source)
        keep_layers(source, settings.layers)
        starts = _starts(settings, source.languages)
        model = with_languages(source, starts)
        has_head = True
    else:
        if settings.start:
            raise UserError(
                f"start: {settings.source} is a {config.model_type} model and has no adapters to start from"
            )
        source, has_head = _load_plain(settings.source)
        keep_layers(source, settings.layers)
        starts = {}
        roles = {f"{role}_token_id": getattr(tokenizer, f"{role}_token_id") for role in ("pad", "bos", "eos")}
        model = modularise(source, settings.languages, settings.adapter_reduction_factor, roles, has_head=has_head)
    difference = largest_difference(source, model, starts, with_scores=has_head)
    if difference > TOLERANCE:
        raise RuntimeError(f"modularising changed the function: hidden states differ by {difference:.1e}")
    record = {
        "step": "modularise",
        "source": Path(settings.source).name,
        "start": starts,
        "layers": settings.layers,
        "seed": settings.seed,
    }
    save_checkpoint(out, model, tokenizer, [*(read_history(settings.source) or []), record])
    return {
        "parameters": model.num_parameters(),
        "languages": {language: _origin(starts.get(language, [])) for language in settings.languages},
        "head": "kept" if has_head else "new: a state first scores the embeddings it resembles",
        "largest_difference": difference,
    }


def keep_layers(model: PreTrainedModel, kept: Sequence[int] | None) -> None:
    """Drop the other layers of an encoder, in place.

    Raises:
        UserError: for a layer that there is not.
    """
    if kept is None:
        return
    count = model.config.num_hidden_layers
    if strange := [number for number in kept if not 0 <= number < count]:
        raise UserError(f"layers: expected numbers from 0 to {count - 1}, found {strange[0]}")
    encoder = model.base_model.encoder
    encoder.layer = nn.ModuleList(encoder.layer[number] for number in kept)
    model.config.num_hidden_layers = len(kept)


def _origin(olds: list[str]) -> str:
    if len(olds) > 1:
        return f"average of {', '.join(olds)}"
    return f"{olds[0]}, same function" if olds else "same function"


def modularise(
    source: PreTrainedModel,
    languages: list[str],
    reduction_factor: int = 2,
    special_ids: Mapping[str, int] | None = None,
    *,
    has_head: bool = True,
) -> XmodForMaskedLM:
    """An X-MOD model that computes what ``source`` does, whichever of ``languages`` is chosen; ``source`` stays as is.

    Args:
        source: a BERT, RoBERTa or XLM-R masked language model.
        languages: names of the adapters.
        reduction_factor: how much narrower an adapter is than the states.
        special_ids: ``pad_token_id``, ``bos_token_id``, ``eos_token_id``, where the source's config is silent or wrong.
        has_head: false if the head of ``source`` is not trained: ours then starts as the identity.
    """
    old = source.config
    own = {f"{role}_token_id": getattr(old, f"{role}_token_id", None) for role in ("pad", "bos", "eos")}
    ids: dict[str, Any] = own | dict(special_ids or {})
    # X-MOD counts positions from padding + 1, as RoBERTa does; BERT counts from 0.
    first = 0 if old.model_type == BERT else old.pad_token_id + 1
    new_first = ids["pad_token_id"] + 1
    config = XmodConfig(
        **{name: getattr(old, name) for name in COPIED},
        **ids,
        max_position_embeddings=old.max_position_embeddings - first + new_first,
        languages=languages,
        adapter_reduction_factor=reduction_factor,
        adapter_reuse_layer_norm=False,
        ln_before_adapter=False,
    )
    model = XmodForMaskedLM(config)
    weights = _renamed(source.state_dict())
    weights[POSITIONS] = move_positions(weights[POSITIONS], first, new_first)
    missing, unexpected = model.load_state_dict(weights, strict=False)
    if unexpected or any("adapter_modules" not in key for key in missing):
        raise RuntimeError(f"the key tables disagree: missing {missing[:3]}, unexpected {unexpected[:3]}")
    with torch.no_grad():
        for key, value in model.named_parameters():
            if "adapter_modules" in key and "dense2" in key:
                value.zero_()
    if not has_head:
        nn.init.eye_(model.lm_head.dense.weight)
        nn.init.zeros_(model.lm_head.dense.bias)
    return model


def _renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    renamed = {}
    for key, value in weights.items():
        new_key = key
        for pattern, replacement in FROM_BERT:
            new_key = re.sub(pattern, replacement, new_key)
        renamed[new_key] = value.clone()
    return renamed


@torch.no_grad()
def largest_difference(
    source: PreTrainedModel,
    model: XmodForMaskedLM,
    starts: Mapping[str, list[str]] | None = None,
    *,
    with_scores: bool = True,
) -> float:
    """Largest absolute difference of a hidden state of any layer (or a score), on random text, over all languages.

    The text has sentences of all lengths up to the positions there are (at most 512 tokens), padding, and all token
    types. Both are run in float64, where rounding hides nothing: in float32 two ways to compute the same differ by up
    to 1e-5, and so does a layer norm with another epsilon.

    Args:
        source: a plain model, or an X-MOD one.
        model: made of it.
        starts: for each language of ``model`` the adapters of an X-MOD ``source`` that it comes from; averages are left
            out.
        with_scores: also compare the scores of the head.
    """
    generator = torch.Generator().manual_seed(0)
    padding = int(model.config.pad_token_id)
    length = min(LONGEST, model.roberta.max_tokens)
    lengths = torch.tensor([length, max(1, length // 2), max(1, length // 3), 1])
    ids = torch.randint(model.config.vocab_size - 1, (SENTENCES, length), generator=generator)
    ids += ids >= padding
    types = torch.randint(model.config.type_vocab_size, (SENTENCES, length), generator=generator)
    mask = torch.arange(length)[None, :] < lengths[:, None]
    batch = {"input_ids": ids.masked_fill(~mask, padding), "attention_mask": mask.long(), "token_type_ids": types}
    source.eval().double()
    model.eval().double()

    def states(of: PreTrainedModel, language: int | None) -> list[Tensor]:
        chosen = {} if language is None else {"lang_ids": torch.full((SENTENCES,), language)}
        output = of(**batch, **chosen, output_hidden_states=True)
        return [part[mask] for part in (*output.hidden_states, *([output.logits] if with_scores else []))]

    differences = []
    expected = None if starts else states(source, None)
    for number, language in enumerate(model.languages):
        if starts and len(starts[language]) > 1:
            continue
        wanted = expected or states(source, source.language_id(starts[language][0]))  # type: ignore[index]
        pairs = zip(wanted, states(model, number), strict=True)
        differences.append(max(float((one - other).abs().max()) for one, other in pairs))
    source.float()
    model.float()
    return max(differences, default=0.0)


def _starts(settings: ModelModularise, adapters: list[str]) -> dict[str, list[str]]:
    """The adapters of the source that each language starts from: those given, else the one of the same language."""
    for language in settings.start:
        resolve_language(language, settings.languages)
    given = {resolve_language(name, settings.languages): as_list(olds) for name, olds in settings.start.items()}
    return {
        language: starting_adapters(language, given.get(language, []), adapters, f"--start.{language}")
        for language in settings.languages
    }


def known_config(source: str) -> PreTrainedConfig:
    """The config of a checkpoint that is modular or can be made so.

    Raises:
        UserError: for a kind that cannot be.
    """
    config = read_config(source)
    known = (*PLAIN, XmodConfig.model_type)
    if config.model_type not in known:
        raise UserError(
            f"{source}: expected a checkpoint of type {', '.join(known[:-1])} or {known[-1]}, "
            f"found {config.model_type!r}"
        )
    kind = getattr(config, "position_embedding_type", None) or "absolute"
    if kind != "absolute" or getattr(config, "is_decoder", False):
        what = "a decoder" if getattr(config, "is_decoder", False) else f"{kind} positions"
        raise UserError(f"{source}: expected an encoder with absolute positions, found {what}")
    return config


def _load_plain(source: str) -> tuple[PreTrainedModel, bool]:
    """The model, and whether it has a trained head that X-MOD can have too (its activation is always GELU)."""
    model, missing = load_partly(AutoModelForMaskedLM, source)
    if lost := [key for key in missing if not key.startswith(("lm_head.", "cls."))]:
        raise UserError(f"{source}: weights are missing, such as {lost[0]!r}: not a whole checkpoint")
    untrained = any(key.endswith(("lm_head.dense.weight", "transform.dense.weight")) for key in missing)
    other_head = model.config.model_type == BERT and model.config.hidden_act != "gelu"
    return model, not (untrained or other_head)
