"""Text as pieces on disk: cut once, read by every run, whatever the size of the corpus.

A shard holds the text of one language in the pieces of one tokenizer: documents in a row, each ended by ``</s>``. It is
mapped, not read, so that memory does not grow with the corpus. Its name is a hash of the sources' paths, sizes and
times, and of the tokenizer: other text or another tokenizer is another shard.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm
from transformers import PreTrainedTokenizerFast

from ...errors import UserError
from ...files import existing_file, new_folder, read_json, write_json
from ...texts import HUB, Paths, as_list, batched, read_documents

PIECES, FACTS = "pieces.bin", "shard.json"
FORMAT = 1
"""Part of a shard's name: shards of another form are made again."""
BATCH = 256
"""Documents cut at a time."""
_CHUNK = 1 << 24


@dataclass(frozen=True)
class Shard:
    """The text of one language in pieces."""

    pieces: NDArray[np.unsignedinteger]
    """Ids, shape (n,); mapped from the file."""
    characters: int
    documents: int


def cache_folder() -> Path:
    """Where shards are kept: ``SWISSXMOD_CACHE``, or ``swissxmod`` in the user's cache folder."""
    if given := os.environ.get("SWISSXMOD_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "swissxmod"


def open_shard(paths: Paths, tokenizer: PreTrainedTokenizerFast) -> Shard:
    """The shard of some sources, made unless it is in the cache.

    Raises:
        UserError: for text that cannot be read, or a shard that was changed since it was made.
    """
    folder = cache_folder() / "shards" / _name(as_list(paths), tokenizer)
    if not folder.is_dir():
        _make(paths, tokenizer, folder)
    facts = read_json(folder / FACTS)
    kind = np.dtype(facts["dtype"])
    file = folder / PIECES
    if (
        not file.is_file()
        or file.stat().st_size != facts["pieces"] * kind.itemsize
        or _checksum(file) != facts["crc32"]
    ):
        raise UserError(f"{folder}: this shard of {facts['sources'][0]} is damaged; remove it, and it is made again")
    return Shard(np.memmap(file, kind, mode="r"), facts["characters"], facts["documents"])


def cut_documents(documents: list[str], tokenizer: PreTrainedTokenizerFast) -> list[list[int]]:
    """The pieces of each document, and ``</s>`` at its end."""
    rows = tokenizer(documents, add_special_tokens=False, return_attention_mask=False, verbose=False)["input_ids"]
    return [[*row, tokenizer.eos_token_id] for row in rows]


def _name(paths: list[str], tokenizer: PreTrainedTokenizerFast) -> str:
    digest = hashlib.sha256(f"{FORMAT}\0{tokenizer.backend_tokenizer.to_str()}\0".encode())
    for path in paths:
        digest.update(f"{path if path.startswith(HUB) else _state(path)}\0".encode())
    return digest.hexdigest()[:32]


def _state(path: str) -> str:
    file = existing_file(path)
    state = file.stat()
    return f"{file.resolve()}\0{state.st_size}\0{state.st_mtime_ns}"


def _make(paths: Paths, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    try:
        with new_folder(folder) as temporary:
            _write(paths, tokenizer, temporary)
    except (OSError, UserError):
        # Another process that made the same shard was faster: its shard is this one.
        if not (folder / FACTS).is_file():
            raise


def _write(paths: Paths, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    kind = np.dtype(np.uint16 if len(tokenizer) <= 1 << 16 else np.uint32)
    pieces = characters = documents = checksum = 0
    with (
        (folder / PIECES).open("wb") as file,
        tqdm(desc="cutting text", unit="char", unit_scale=True, disable=None, leave=False) as bar,
    ):
        for batch in batched(read_documents(paths), BATCH):
            ids = np.fromiter((number for row in cut_documents(batch, tokenizer) for number in row), kind)
            content = ids.tobytes()
            file.write(content)
            pieces += len(ids)
            checksum = zlib.crc32(content, checksum)
            documents += len(batch)
            size = sum(map(len, batch))
            characters += size
            bar.update(size)
    facts = {
        "sources": as_list(paths),
        "dtype": kind.name,
        "pieces": pieces,
        "characters": characters,
        "documents": documents,
    }
    write_json(folder / FACTS, facts | {"crc32": checksum})


def _checksum(file: Path) -> int:
    checksum = 0
    with file.open("rb") as content:
        while chunk := content.read(_CHUNK):
            checksum = zlib.crc32(chunk, checksum)
    return checksum
