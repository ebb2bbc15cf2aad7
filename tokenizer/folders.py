"""Loading tokenizers of any kind with clear errors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerFast

from ..errors import UserError, first_line
from ..files import existing_folder, read_json

ROLES = ("bos_token", "eos_token", "pad_token", "unk_token", "mask_token")
FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "sentencepiece.bpe.model", "spiece.model")
"""What a folder may hold a tokenizer in: any library's, BERT's, RoBERTa's, XLM-R's, T5's."""
TUNED = "adapter_config.json"
"""What ``peft`` calls the file that says what was learned beside a model; an ordinary model folder has none."""
_ALIKE = {"bos_token": "cls_token", "eos_token": "sep_token"}


def is_hub_name(source: str | Path) -> bool:
    """Whether ``source`` can only be a name on the hub: "owner/name" with nothing on disk that "owner" could be."""
    owner, _, name = str(source).partition("/")
    return (
        re.fullmatch(r"[\w.-]+", name) is not None
        and re.fullmatch(r"\w[\w.-]*", owner) is not None
        and not Path(owner).exists()
    )


def load_tokenizer(source: str | Path, roles: Sequence[str] = ROLES) -> PreTrainedTokenizerFast:
    """Load the tokenizer of a folder or hub name; of what was learned beside a model, that of the model.

    BERT's ``[CLS]`` and ``[SEP]`` also become the beginning and the end of a text, RoBERTa's ``<s>`` and ``</s>``.

    Args:
        source: folder or hub name.
        roles: special tokens that it must have.

    Raises:
        UserError: if there is none, it is damaged, or lacks a special token.
    """
    if not is_hub_name(source):
        folder = existing_folder(source)
        if not any((folder / name).is_file() for name in FILES):
            return load_tokenizer(_base(folder), roles)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
    except Exception as error:  # `tokenizers` raises bare Exception for a damaged file
        raise UserError(f"{named(source)}: the tokenizer cannot be loaded: {first_line(error)}") from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise UserError(f"{source}: expected a tokenizer of the tokenizers library, found {type(tokenizer).__name__}")
    for role, other in _ALIKE.items():
        if getattr(tokenizer, role) is None:
            setattr(tokenizer, role, getattr(tokenizer, other))
    if lacking := [role for role in roles if getattr(tokenizer, role) is None]:
        raise UserError(f"{source}: the tokenizer has no {' and no '.join(lacking)}, which these models need")
    return tokenizer


def place_of_base(folder: Path, base: str) -> Path | None:
    """Where the base of a folder is now, if anywhere: where it was, or beside the folder under its name."""
    places = [folder / base, folder.absolute().parent / Path(base).name]
    return next((place for place in places if (place / "config.json").is_file()), None)


def _base(folder: Path) -> str | Path:
    """What a folder without a tokenizer was learned beside."""
    none = f"{folder}: no tokenizer in the folder, neither {' nor '.join(FILES)}"
    if not (folder / TUNED).is_file():
        raise UserError(none)
    base = str(read_json(folder / TUNED).get("base_model_name_or_path"))
    place = base if is_hub_name(base) else place_of_base(folder, base)
    if place is None:
        raise UserError(f"{none}, and the model {base}, beside which it was learned, is not there")
    return place


def named(source: str | Path) -> str:
    """``source`` as an error should name it."""
    return f"{source} (no such folder, so looked up on the hub)" if is_hub_name(source) else str(source)
