"""Reading and writing files so that bad input is named and nothing is left half-written."""

from __future__ import annotations

import contextlib
import errno
import functools
import gzip
import hashlib
import io
import json
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Collection, Hashable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, cast

import yaml

from .errors import UserError, needs_extra

CURVE = "training.json"
"""A model folder's learning curve."""
_OTHER_ARCHIVES = (".bz2", ".xz", ".zip", ".7z")
STANDARD = "-"
"""Stands for standard input or output where a file could be named."""
RESULTS = "results.jsonl"
"""An evaluation's records."""
EXAMPLES = "examples.jsonl"
"""Beside the records of a tagger, sentences that it got wrong."""
COMPARISON, COMPARISON_TABLE = "comparison.jsonl", "comparison.md"
"""What systems are worth beside each other."""


def existing_file(path: str | Path) -> Path:
    """``path`` as a file that exists and is not empty, or :class:`UserError`."""
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path}: expected a file, found a folder")
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise UserError(f"{path}: the file is empty")
    return path


def existing_folder(path: str | Path) -> Path:
    """``path`` as a folder that exists, or :class:`UserError`."""
    path = Path(path)
    if path.is_file():
        raise UserError(f"{path}: expected a folder, found a file")
    if not path.is_dir():
        raise UserError(f"{path}: no such folder")
    return path


def read_lines(path: str | Path) -> Iterator[str]:
    """Lines of a UTF-8 text file, plain, ``.gz`` or ``.zst``, without their line ends.

    Raises:
        UserError: if the file is missing, empty, not UTF-8, or damaged where it is compressed.
    """
    path = existing_file(path)
    number = 0
    try:
        # "utf-8-sig" also reads files without the mark that some editors put first.
        with _open_bytes(path) as content, io.TextIOWrapper(content, encoding="utf-8-sig", newline="\n") as file:
            for number, line in enumerate(file, 1):  # noqa: B007 - the number is told when the next line fails
                yield _without_end(line)
    except UnicodeDecodeError as error:
        raise UserError(f"{path}:{_odd_line(path)}: not UTF-8 text ({error.reason})") from error
    except (OSError, EOFError, zlib.error) as error:
        if getattr(error, "errno", None):  # the system's, such as a missing permission; what unpacks has no number
            raise
        raise UserError(f"{path}: damaged {path.suffix} file after line {number} ({error})") from error
    if number == 0:
        raise UserError(f"{path}: the file is empty")


def _odd_line(path: Path) -> int:
    """The first line that is not UTF-8, which text is read too far ahead to tell."""
    with _open_bytes(path) as content, io.TextIOWrapper(content, encoding="latin-1", newline="\n") as file:
        for number, line in enumerate(file, 1):
            try:
                line.encode("latin-1").decode("utf-8")
            except UnicodeDecodeError:
                return number
    raise RuntimeError(f"{path} changed while it was read")


def standard_input() -> Iterator[str]:
    """Lines of standard input without their ends, in UTF-8 whatever the locale is.

    Raises:
        UserError: if a line is not UTF-8.
    """
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            yield _without_end(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except UnicodeDecodeError as error:
            raise UserError(f"standard input, line {number}: not UTF-8 text ({error.reason})") from error


def _without_end(line: str) -> str:
    """Lines end where all tools count them to: a carriage return alone ends none."""
    return line.removesuffix("\n").removesuffix("\r")


def _open_bytes(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path))
    if path.suffix in _OTHER_ARCHIVES:
        raise UserError(f"{path}: expected plain text, .gz or .zst; unpack it")
    if path.suffix != ".zst":
        return path.open("rb")
    try:
        # Of the libraries that read it, this one also notices a file that was cut off.
        from pyarrow import input_stream
    except ImportError as error:
        raise needs_data_extra(f"{path}: zst files") from error
    return cast(IO[bytes], input_stream(str(path), compression="zstd"))


def needs_data_extra(what: str) -> UserError:
    """The error where a package of the extra is missing."""
    return needs_extra(what, "data")


def _refuse_file_above(path: Path) -> None:
    for ancestor in path.absolute().parents:
        if ancestor.exists() and not ancestor.is_dir():
            raise UserError(f"{path}: cannot be written, {ancestor} is a file, not a folder")


def _parent(path: Path) -> Path:
    _refuse_file_above(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.parent


@contextlib.contextmanager
def new_file(path: str | Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends without an error."""
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path}: expected a file to write, found a folder")
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=_parent(path))
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files for the owner only; what we publish follows the user's umask as any new file does.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def opened(path: str | Path) -> Iterator[IO[str]]:
    """A text file to write, there when the block ends without an error; "-" is standard output."""
    if str(path) == STANDARD:
        yield sys.stdout
        return
    with new_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        yield file


@contextlib.contextmanager
def new_folder(path: str | Path, *, keep: bool = True) -> Iterator[Path]:
    """A temporary folder beside ``path`` that takes its place when the block ends without an error.

    Args:
        path: the folder, or a link to where it shall be.
        keep: whether what was made stays in its temporary place if it cannot take the other one.

    Raises:
        UserError: if ``path`` is a file or a folder that is not empty: nothing of the user's is overwritten.
        OSError: if the folder cannot take its place, such as where another run was faster; says where it is.
    """
    refuse_used_folder(path)
    place = Path(path).resolve()
    temporary = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=_parent(place)))
    try:
        yield temporary
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    try:
        publish_folder(temporary, place)
    except OSError as error:
        if keep:
            raise OSError(
                f"{path}: cannot take its place ({error.strerror}); what was made is in {temporary}"
            ) from error
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def publish_folder(temporary: Path, path: Path) -> None:
    """Move a finished folder to ``path``, readable as the user's umask says (temporary files are the owner's only)."""
    mask = _umask()
    for file in temporary.rglob("*"):
        file.chmod((0o777 if file.is_dir() else 0o666) & ~mask)
    temporary.chmod(0o777 & ~mask)
    temporary.replace(path)


def refuse_used_folder(path: str | Path) -> None:
    """Raise :class:`UserError` unless a new folder can be made at ``path``."""
    path = Path(path)
    if path.is_file():
        raise UserError(f"{path}: expected a folder to write, found a file")
    if path.is_dir() and any(path.iterdir()):
        raise UserError(f"{path}: the folder is not empty; give another path or remove it")
    if path.exists() and (os.path.ismount(path) or Path.cwd().is_relative_to(path.resolve())):
        raise UserError(f"{path}: this folder cannot be replaced, as it is mounted or in use; name one inside it")
    _refuse_file_above(path)


def tells_full_disk(error: Exception) -> bool:
    """Whether a file could not be written for want of room: safetensors and torch have errors of their own for it."""
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return full or "No space left" in str(error) or "inline_container" in str(error)


def free_space(path: Path) -> str:
    """How much room there is where ``path`` is or would be, for people."""
    there = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    return f"{shutil.disk_usage(there).free / 2**20:,.0f} MiB free"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` whole or not at all."""
    with new_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: str | Path) -> Any:  # noqa: ANN401 - JSON is any
    """The content of a JSON file.

    Raises:
        UserError: if the file is missing, empty or not JSON.
    """
    path = existing_file(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a JSON file ({error})") from error


class _Once(yaml.SafeLoader):
    """Refuses a mapping that has a key twice, of which yaml takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """The mapping."""
        keys: set[object] = set()
        for key, _ in node.value:
            if key.value in keys and isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem=f"{key.value} is there twice", problem_mark=key.start_mark)
            keys.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
        return super().construct_mapping(node, deep)


def read_yaml(path: str | Path) -> Any:  # noqa: ANN401 - YAML is any
    """The content of a YAML file.

    Raises:
        UserError: if the file is missing, empty or not YAML.
    """
    try:
        return yaml.load(existing_file(path).read_text(encoding="utf-8"), _Once)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a YAML file: {' '.join(str(error).split())}") from error


def write_json(path: str | Path, value: Any) -> None:  # noqa: ANN401 - JSON is any
    """Write ``value`` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def rewrite_without_blanks(path: Path) -> None:
    """Write a JSON file again without line breaks and indentation, which are half of a tokenizer's."""
    write_text(path, json.dumps(read_json(path), ensure_ascii=False, separators=(",", ":")))


def fingerprint(settings: Mapping[str, Any], paths: Collection[str]) -> str:
    """SHA-256 of settings in which the files and folders under the names ``paths`` count by content, not by name."""
    value = {name: _by_content(part) if name in paths else part for name, part in settings.items()}
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _by_content(value: Any) -> Any:  # noqa: ANN401 - JSON is any
    if isinstance(value, dict):
        return {key: _by_content(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_by_content(part) for part in value]
    if isinstance(value, str) and value and Path(value).exists():
        return {"content": content_hash(value)}
    return value


def content_hash(path: str | Path) -> str:
    """SHA-256 of a file, or of all files of a folder with their names (hidden ones left out)."""
    path = Path(path)
    if path.is_file():
        told = path.stat()
        return _file_hash(path.resolve(), told.st_ino, told.st_size, told.st_mtime_ns)
    digest = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        name = file.relative_to(path)
        if not any(part.startswith(".") for part in name.parts):
            digest.update(f"{name.as_posix()}\0{content_hash(file)}\n".encode())
    return digest.hexdigest()


@functools.lru_cache(maxsize=4096)
def _file_hash(path: Path, *state: int) -> str:
    """SHA-256 of a file, read once in a process while its state stays: each stage of a plan asks for its model."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
