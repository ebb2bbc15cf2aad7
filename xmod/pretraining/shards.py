"""Text as pieces on disk: cut once, read by every run, whatever the size of the corpus.

A shard holds the text of one language in the pieces of one tokenizer: documents in a row, each ended by ``</s>``; of
sentence pairs, the two sides in turn. It is mapped, not read, so that memory does not grow with the corpus. Its name is
a hash of the sources' paths, sizes and times, of how they are read, and of the tokenizer: other text or another
tokenizer is another shard. The tokenizer cuts in as many threads as there are processors.
"""

from __future__ import annotations

import hashlib
import os
import time
import zlib
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm
from transformers import PreTrainedTokenizerFast

from ...errors import UserError
from ...files import content_hash, existing_file, new_folder, read_json, write_json
from ...processes import is_local_main
from ...texts import HUB, TEXT, Paths, as_list, batched, read_documents, read_pairs
from .duplicates import without_near_duplicates
from .strangers import OwnLanguage

PIECES, ENDS, FACTS = "pieces.bin", "ends.bin", "shard.json"
FORMAT = 3
"""Part of a shard's name: shards of another form are made again."""
BATCH = 256
"""Documents cut at a time."""
_CHUNK = 1 << 24
_WAIT = 0.5


@dataclass(frozen=True)
class Reading:
    """What a shard is made of, and how it is read."""

    paths: Paths
    column: str = TEXT
    pairs: bool = False
    """Sentence pairs, not documents."""
    near_duplicates: float | None = None
    """Documents of which this share was in an earlier one are left out."""
    only: str | None = None
    """An adapter: documents of another language than its own are left out."""

    def documents(self, own: OwnLanguage | None = None) -> Iterator[str]:
        """The documents that ``own`` lets pass, or the sides of the pairs in turn."""
        if self.pairs:
            return (side for pair in read_pairs(self.paths) for side in pair)
        documents = read_documents(self.paths, self.column)
        if own is not None:
            documents = own.filter(documents)
        return documents if self.near_duplicates is None else without_near_duplicates(documents, self.near_duplicates)

    def name(self, tokenizer: PreTrainedTokenizerFast) -> str:
        """Of the shard that is made of this."""
        how = astuple(self)[1:]
        digest = hashlib.sha256(f"{FORMAT}\0{how}\0{tokenizer.backend_tokenizer.to_str()}\0".encode())
        for path in as_list(self.paths):
            digest.update(f"{_state(path)}\0".encode())
        return digest.hexdigest()[:32]


@dataclass(frozen=True)
class Shard:
    """Text in pieces."""

    pieces: NDArray[np.unsignedinteger]
    """Ids, shape (n,); mapped from the file."""
    ends: NDArray[np.int64]
    """Where each document ends, behind its ``</s>``, shape (documents,); mapped too."""
    characters: int
    dropped: int = 0
    """Documents of other languages that were left out."""

    @property
    def documents(self) -> int:
        """How many there are."""
        return len(self.ends)


def cache_folder() -> Path:
    """Where shards are kept: ``SWISSXMOD_CACHE``, or ``swissxmod`` in the user's cache folder."""
    if given := os.environ.get("SWISSXMOD_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "swissxmod"


def open_shard(reading: Reading, tokenizer: PreTrainedTokenizerFast) -> Shard:
    """The shard of some text, made unless it is in the cache; of several processes on a machine, the first makes it.

    Raises:
        UserError: for text that cannot be read, or a shard that was changed since it was made.
    """
    folder = cache_folder() / "shards" / reading.name(tokenizer)
    if is_local_main():
        if not folder.is_dir():
            _make(reading, tokenizer, folder)
    else:
        while not folder.is_dir():
            time.sleep(_WAIT)
    facts = read_json(folder / FACTS)
    kind = np.dtype(facts["dtype"])
    sizes = {PIECES: facts["pieces"] * kind.itemsize, ENDS: facts["documents"] * 8}
    for name, size in sizes.items():
        file = folder / name
        if not file.is_file() or file.stat().st_size != size or _checksum(file) != facts["crc32"][name]:
            raise UserError(
                f"{folder}: this shard of {facts['sources'][0]} is damaged; remove it, and it is made again"
            )
    pieces, ends = (np.memmap(folder / name, kind, mode="r") for name, kind in ((PIECES, kind), (ENDS, np.int64)))
    return Shard(pieces, ends, facts["characters"], facts["dropped"])


def cut_documents(documents: list[str], tokenizer: PreTrainedTokenizerFast) -> list[list[int]]:
    """The pieces of each document, and ``</s>`` at its end."""
    rows = tokenizer(documents, add_special_tokens=False, return_attention_mask=False, verbose=False)["input_ids"]
    return [[*row, tokenizer.eos_token_id] for row in rows]


def _state(path: str) -> str:
    if path.startswith(HUB):
        # What the hub has under a name, it decides; a folder's content can be seen.
        place = path.removeprefix(HUB).partition(":")[0]
        return f"{path}\0{content_hash(place)}" if Path(place).is_dir() else path
    file = existing_file(path)
    state = file.stat()
    return f"{file.resolve()}\0{state.st_size}\0{state.st_mtime_ns}"


def _make(reading: Reading, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    try:
        with new_folder(folder, keep=False) as temporary:
            _write(reading, tokenizer, temporary)
    except (OSError, UserError):
        # Another run that made the same shard was faster: its shard is this one.
        if not (folder / FACTS).is_file():
            raise


def _write(reading: Reading, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    kind = np.dtype(np.uint16 if len(tokenizer) <= 1 << 16 else np.uint32)
    pieces = characters = documents = 0
    checksums = {PIECES: 0, ENDS: 0}
    own = None if reading.only is None else OwnLanguage(reading.only)
    with (
        (folder / PIECES).open("wb") as pieces_file,
        (folder / ENDS).open("wb") as ends_file,
        tqdm(desc="cutting text", unit="char", unit_scale=True, disable=None, leave=False) as bar,
    ):
        files = {PIECES: pieces_file, ENDS: ends_file}
        for batch in batched(reading.documents(own), BATCH):
            rows = cut_documents(batch, tokenizer)
            ends = pieces + np.cumsum([len(row) for row in rows], dtype=np.int64)
            parts = {PIECES: np.fromiter((number for row in rows for number in row), kind), ENDS: ends}
            for name, part in parts.items():
                content = part.tobytes()
                files[name].write(content)
                checksums[name] = zlib.crc32(content, checksums[name])
            pieces = int(ends[-1])
            documents += len(batch)
            size = sum(map(len, batch))
            characters += size
            bar.update(size)
    facts = {
        "sources": as_list(reading.paths),
        "dtype": kind.name,
        "pieces": pieces,
        "characters": characters,
        "documents": documents,
        "dropped": own.dropped if own else 0,
    }
    write_json(folder / FACTS, facts | {"crc32": checksums})


def _checksum(file: Path) -> int:
    checksum = 0
    with file.open("rb") as content:
        while chunk := content.read(_CHUNK):
            checksum = zlib.crc32(chunk, checksum)
    return checksum
