"""Model folders: loading with clear errors, saving whole or not at all, and what the model has been trained on.

A model folder is one of ``transformers`` (``config.json``, ``model.safetensors``, tokenizer files) plus
``swissxmod.json``: the history of the weights, one record per step. What a model has seen is read from there, so that
"zero-shot" is derived and never claimed.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast, XmodConfig
from transformers.utils import logging

from ..errors import UserError, first_line
from ..files import CURVE, content_hash, existing_file, existing_folder, free_space, new_folder, read_json, write_json
from ..processes import local_rank
from ..settings import Bits
from ..tokenizer.folders import TUNED, is_hub_name, load_tokenizer, named, place_of_base
from .inputs import max_tokens
from .int8 import is_int8, read_int8, write_int8
from .modeling import (
    XmodForMaskedLM,
    XmodForQuestionAnswering,
    XmodForSequenceClassification,
    XmodForTokenClassification,
    XmodModel,
    XmodPreTrainedModel,
)
from .quantised import leave_file, quantisation, refuse_narrow

if TYPE_CHECKING:
    from peft import PeftModel

HISTORY = "swissxmod.json"
SPARE_ROWS = 1024
"""Embeddings may have so many rows more than there are pieces: some are padded to a multiple that processors like."""
CLASSES: dict[str, type[XmodPreTrainedModel]] = {
    kind.__name__: kind
    for kind in (
        XmodModel,
        XmodForMaskedLM,
        XmodForTokenClassification,
        XmodForSequenceClassification,
        XmodForQuestionAnswering,
    )
}
_POOLER = "pooler."
_HASHED = {"config.json", "tokenizer.json"}
ModelT = TypeVar("ModelT", bound=PreTrainedModel)
History = list[dict[str, Any]]


def load_partly(
    model_class: type[ModelT],
    source: str | Path,
    **kwargs: Any,  # noqa: ANN401
) -> tuple[ModelT, list[str]]:
    """Load a model from a folder or hub name, and name the weights that were missing and started random.

    Args:
        model_class: a class of ours or of ``transformers``.
        source: folder or hub name.
        kwargs: passed to ``from_pretrained``; ``dtype`` is float32 by default.

    Raises:
        UserError: if the folder or a file is missing or damaged, or a weight has the wrong shape.
    """
    _check_config(source)
    try:
        if is_int8(source):
            if "config" not in kwargs:
                config, kwargs = model_class.config_class.from_pretrained(source, return_unused_kwargs=True, **kwargs)
                kwargs["config"] = config
            kwargs |= {"pretrained_model_name_or_path": None, "state_dict": read_int8(source)}
        with _without_report():
            model, info = model_class.from_pretrained(
                **({"pretrained_model_name_or_path": source, "dtype": torch.float32} | kwargs),
                output_loading_info=True,
                ignore_mismatched_sizes=True,
            )
    except Exception as error:  # a config or weights can be wrong in more ways than the libraries have classes for
        raise UserError(f"{named(source)}: cannot be loaded as {model_class.__name__}: {first_line(error)}") from error
    for mismatch in info["mismatched_keys"]:
        raise UserError(f"{source}: the weights do not fit the config: {' '.join(map(str, mismatch))}")
    return model, sorted(info["missing_keys"])


@contextmanager
def _without_report() -> Iterator[None]:
    """Of missing weights the library advises to train them; here they are refused, or come from another file."""
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def load_model(
    model_class: type[ModelT],
    source: str | Path,
    *,
    new_parts: Sequence[str] = (),
    **kwargs: Any,  # noqa: ANN401
) -> ModelT:
    """Load a whole model from a folder or hub name; see :func:`load_partly`.

    Args:
        new_parts: prefixes of weights that may be missing (a head to train).

    Raises:
        UserError: also if other weights are missing.
    """
    if is_tuned(source):
        from .tuned_folders import load_tuned

        return load_tuned(model_class, Path(source), **kwargs)
    model, missing = load_partly(model_class, source, **kwargs)
    _refuse_lost(model_class, source, missing, new_parts)
    return model


def _refuse_lost(model_class: type, source: str | Path, missing: Sequence[str], new_parts: Sequence[str]) -> None:
    if lost := [key for key in missing if not key.startswith(tuple(new_parts))]:
        raise UserError(
            f"{source}: {len(lost)} weights of {model_class.__name__} are missing, such as {lost[0]!r}: "
            "not a checkpoint of this kind, or an incomplete one"
        )


def load(source: str | Path, dtype: torch.dtype = torch.float32) -> XmodPreTrainedModel:
    """Load whatever X-MOD model a folder or hub name holds, ready to compute with.

    Args:
        source: a folder or hub name of ours or of ``transformers``; its config names the class.
        dtype: of the weights; :attr:`torch.bfloat16` halves their memory (for its error see docs/how-it-is-fast.md).

    Returns:
        the model in evaluation mode, on the processor.

    Raises:
        UserError: if it is no X-MOD model, has a head that there is no class for, or cannot be loaded.
    """
    config = read_config(source)
    if config.model_type != XmodConfig.model_type:
        raise UserError(
            f"{source}: expected an X-MOD model, found a {config.model_type!r} one; "
            "`swissxmod model modularise` makes X-MOD of BERT, RoBERTa and XLM-R"
        )
    architecture = (config.architectures or [XmodModel.__name__])[0]
    if architecture not in CLASSES:
        raise UserError(
            f"{source}: there is no class for its head, {architecture} (have: {', '.join(CLASSES)}); "
            "load_model(XmodModel, ...) loads the encoder alone"
        )
    kind = CLASSES[architecture]
    if kind is not XmodModel or is_tuned(source):
        return load_model(kind, source, dtype=dtype).eval()
    encoder, missing = load_partly(XmodModel, source, dtype=dtype)
    _refuse_lost(XmodModel, source, missing, (_POOLER,))
    if missing:
        encoder.pooler = None  # as in the checkpoint, not one with random weights
    return encoder.eval()


def load_with_tokenizer(
    model_class: type[ModelT],
    source: str | Path,
    *,
    new_parts: Sequence[str] = (),
    bits: Bits | None = None,
    **kwargs: Any,  # noqa: ANN401
) -> tuple[ModelT, PreTrainedTokenizerFast]:
    """:func:`load_model`, on the GPU if there is one, and :func:`load_tokenizer`.

    Args:
        bits: how many the matrices of the trunk take in memory, 4 or 8; by default they stay as they are.

    Raises:
        UserError: also if the tokenizer and the model do not belong together.
    """
    tokenizer = load_tokenizer(source)
    device = torch.device("cuda", local_rank()) if torch.cuda.is_available() else torch.device("cpu")
    held = quantisation(bits, device) if bits else {}
    if bits == 4:
        refuse_narrow(source, read_config(source))
    model = load_model(model_class, source, new_parts=new_parts, **(held | kwargs))
    check_rows(source, tokenizer, model.config.vocab_size)
    if bits:
        leave_file(model)
        return model, tokenizer
    return model.to(device), tokenizer


def is_tuned(source: str | Path) -> bool:
    """Whether a folder holds what was learned beside a model, and not the model."""
    return (Path(source) / TUNED).is_file()


def is_compressed(source: str | Path) -> bool:
    """Whether a model, or the one beside which something was learned, has its matrices in 8 bits on disk."""
    if is_tuned(source):
        base = place_of_base(Path(source), base_of(source)["model"])
        return base is not None and is_int8(base)
    return is_int8(source)


def seed_folder(seed: int | str) -> str:
    """Name of the folder of one of several models that differ in their seed only."""
    return f"seed-{seed}"


def of_each_seed(source: str | Path) -> list[str]:
    """The folders of models trained with several seeds; of one model, or a hub name, itself."""
    if is_hub_name(source) or (Path(source) / "config.json").exists():
        return [str(source)]
    found = [folder for folder in Path(source).glob(seed_folder("*")) if folder.name[5:].isdigit()]
    return [str(folder) for folder in sorted(found, key=lambda folder: int(folder.name[5:]))] or [str(source)]


def read_config(source: str | Path) -> PreTrainedConfig:
    """The config of a folder or hub name, of whatever architecture.

    Raises:
        UserError: if there is none or it cannot be read.
    """
    _check_config(source)
    try:
        return AutoConfig.from_pretrained(source)
    except Exception as error:  # a config can be wrong in more ways than the library has classes for
        raise UserError(f"{named(source)}: the config cannot be read: {first_line(error)}") from error


def check_rows(source: str | Path, tokenizer: PreTrainedTokenizerFast, rows: int) -> None:
    """Raise :class:`UserError` unless a model of so many rows can be the tokenizer's."""
    pieces = len(tokenizer)
    if pieces > rows:
        raise UserError(f"{named(source)}: the tokenizer has {pieces} pieces, the model only {rows} rows")
    if rows - pieces > SPARE_ROWS:
        raise UserError(
            f"{named(source)}: the model has {rows} rows, the tokenizer only {pieces} pieces: not the one that the "
            "model was trained with"
        )


def _check_config(source: str | Path) -> None:
    """Refuse a folder that is missing or whose config is no JSON object; what the hub has is checked by loading it."""
    if is_hub_name(source):
        return
    path = existing_folder(source) / "config.json"
    if not isinstance(read_json(path), dict):
        raise UserError(f"{path}: expected a JSON object")


def read_history(source: str | Path) -> History | None:
    """The steps that made a model, oldest first; None for a model that is not ours and does not say."""
    path = Path(source) / HISTORY
    if not path.is_file():
        return None
    record = read_json(path)
    if not isinstance(record, dict) or not isinstance(record.get("history"), list):
        raise UserError(f"{path}: expected an object with a list 'history'")
    return record["history"]


def save_checkpoint(
    out: str | Path,
    model: XmodPreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerFast,
    history: History,
    curve: list[dict[str, float]] | None = None,
    extras: Mapping[str, Callable[[Path], object]] | None = None,
    facts: Mapping[str, Any] | None = None,
    *,
    int8: bool = False,
) -> None:
    """Write a model folder, with the learning curve of a trained model, whole or not at all.

    Args:
        out: folder to make.
        model: its weights and config, or what was learned beside them.
        tokenizer: its tokenizer.
        history: the steps that made it.
        curve: what its training logged.
        extras: what writes each further file or folder, by name.
        facts: what the file of the history says besides.
        int8: write the weights in a quarter of the space, see :mod:`int8`.

    Raises:
        UserError: if ``out`` is a file or a folder that is not empty.
        OSError: if there is no room for it.
    """
    with new_folder(out) as folder:
        try:
            if int8:
                model.config.architectures = [type(model).__name__]
                model.config.save_pretrained(folder)
                write_int8(folder, _own_weights(model))
            else:
                model.save_pretrained(folder)
        except SafetensorError as error:
            raise OSError(f"{out}: cannot be written ({first_line(error)}; {free_space(Path(out))})") from error
        _with_room_of(tokenizer, model).save_pretrained(folder)
        write_json(folder / HISTORY, {**(facts or {}), "history": history})
        if curve is not None:
            write_json(folder / CURVE, curve)
        for name, write in (extras or {}).items():
            write(folder / name)


def _with_room_of(
    tokenizer: PreTrainedTokenizerFast, model: XmodPreTrainedModel | PeftModel
) -> PreTrainedTokenizerFast:
    """The tokenizer, which cuts text to what the model can read wherever somebody asks it to truncate."""
    own = copy.copy(tokenizer)
    virtual = sum(getattr(each, "num_virtual_tokens", None) or 0 for each in getattr(model, "peft_config", {}).values())
    own.model_max_length = min(tokenizer.model_max_length, max_tokens(model.config) - virtual)
    return own


def read_weights(path: Path) -> dict[str, Tensor]:
    """The weights of a safetensors file.

    Raises:
        UserError: if it is missing or not whole.
    """
    try:
        return load_file(existing_file(path))
    except SafetensorError as error:
        raise UserError(f"{path}: not a whole safetensors file ({error})") from error


def _own_weights(model: XmodPreTrainedModel) -> dict[str, Tensor]:
    """The weights without those that are tied to others."""
    tied = model.all_tied_weights_keys
    return {name: value for name, value in model.state_dict().items() if name not in tied}


def model_hash(source: str | Path) -> str:
    """SHA-256 of weights, config and tokenizer, whatever else is in the folder; of a model of the hub, its name."""
    if is_hub_name(source):
        return f"hub:{source}"
    files = [path for path in Path(source).iterdir() if path.suffix == ".safetensors" or path.name in _HASHED]
    digests = [content_hash(path) for path in sorted(files)]
    if is_tuned(source):  # the base belongs to it, wherever that is
        config = read_json(Path(source) / TUNED) | {"base_model_name_or_path": None}
        digests += [json.dumps(config, sort_keys=True), base_of(source)["hash"]]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def base_of(source: str | Path) -> dict[str, str]:
    """Of a folder with what was learned beside a model, that "model", its "hash", and how ("peft").

    Raises:
        UserError: if it does not say.
    """
    facts = read_json(Path(source) / HISTORY)
    base = facts.get("base") if isinstance(facts, dict) else None
    if not isinstance(base, dict) or not {"model", "hash", "peft"} <= base.keys():
        raise UserError(f"{Path(source) / HISTORY}: does not say beside which model this was learned ('base')")
    return base


def languages_seen(history: History, step: str) -> list[str]:
    """Languages that the named step ("pretrain", "finetune ner") trained on, in order of appearance."""
    seen: list[str] = []
    for record in history:
        if record["step"] == step:
            seen += record["languages"]
        # An adapter that was imported brings what it was trained on.
        seen += languages_seen(record.get("adapter", []), step)
    return list(dict.fromkeys(seen))
