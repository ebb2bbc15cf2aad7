"""Loading tokenizers of any kind with clear errors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerFast

from ..errors import UserError, first_line
from ..files import existing_folder

ROLES = ("bos_token", "eos_token", "pad_token", "unk_token", "mask_token")
FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "sentencepiece.bpe.model", "spiece.model")
"""What a folder may hold a tokenizer in: any library's, BERT's, RoBERTa's, XLM-R's, T5's."""
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
    """Load the tokenizer of a folder or hub name.

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
            raise UserError(f"{folder}: no tokenizer in the folder, neither {' nor '.join(FILES)}")
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


def named(source: str | Path) -> str:
    """``source`` as an error should name it."""
    return f"{source} (no such folder, so looked up on the hub)" if is_hub_name(source) else str(source)
