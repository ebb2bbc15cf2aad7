"""Corpora as documents, and how much of each language to take."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

from .errors import UserError, first_line
from .files import STANDARD, existing_file, needs_data_extra, read_lines, standard_input

ItemT = TypeVar("ItemT")
Paths = str | list[str]
Row = dict[str, Any]
"""An object of a file."""
HUB = "hub:"
"""What the name of a data set of the hub begins with, where a path could stand."""
TEXT, LANGUAGE = "text", "language"
"""What objects call a text and its language."""
_HALF_SIGN = re.compile(r"[\ud800-\udfff]")


def as_list(one_or_several: Paths) -> list[str]:
    """One path (or name) or several, as a list."""
    return [one_or_several] if isinstance(one_or_several, str) else list(one_or_several)


def sampled(items: list[ItemT], count: int | None, seed: int) -> list[ItemT]:
    """A seeded sample of so many items; all of them without a count, or where there are no more."""
    return items if count is None or count >= len(items) else random.Random(seed).sample(items, count)


def read_documents(paths: Paths, column: str = TEXT) -> Iterator[str]:
    """Documents of several sources, one after the other, streamed.

    ``.jsonl`` files hold one object per line, ``.parquet`` files a table, any other file is plain text with one
    document a line; text files may be compressed (``.gz``, ``.zst``). "hub:OWNER/NAME:CONFIG:SPLIT" is a data set for
    ``datasets``, from the hub or a folder (config and split may be left out; the split is then "train"). Documents
    without a visible character are left out.

    Args:
        paths: what to read.
        column: name of the text in objects, tables and data sets.

    Raises:
        UserError: for a source that cannot be read, has no text, or lacks the column.
    """
    for path in as_list(paths):
        found = False
        for text in _texts(path, column):
            if text.strip():
                found = True
                yield text
        if not found:
            raise UserError(f"{path}: no text in it")


def read_pairs(paths: Paths) -> Iterator[tuple[str, str]]:
    """Sentence pairs of tab-separated files, plain or compressed, streamed; columns after the second are not read.

    Raises:
        UserError: for a file that cannot be read, or a line without two sentences.
    """
    for path in as_list(paths):
        for number, line in enumerate(read_lines(path), 1):
            first, tab, rest = line.partition("\t")
            second = rest.partition("\t")[0]
            if not tab or not first.strip() or not second.strip():
                raise UserError(f"{path}:{number}: expected two sentences parted by a tab, found {line[:60]!r}")
            yield first, second


def _texts(path: str, column: str) -> Iterator[str]:
    if path.startswith(HUB):
        return _texts_of_data_set(path, column)
    if Path(path).suffix == ".parquet":
        return _texts_of_table(path, column)
    if is_jsonl(path):
        return _texts_of_objects(path, column)
    return read_lines(path)


def _texts_of_objects(path: str, column: str) -> Iterator[str]:
    for place, record in read_objects(path):
        if not isinstance(record.get(column), str):
            raise UserError(f'{place}: expected an object with a string "{column}", found {str(record)[:60]}')
        yield whole_signs(record[column])


def is_jsonl(path: str) -> bool:
    """Whether the name is that of a JSONL file, maybe compressed."""
    return kind_of(path) == ".jsonl"


def kind_of(path: str) -> str:
    """What the name of a file ends with, whether it is compressed or not."""
    return Path(path.removesuffix(".gz").removesuffix(".zst")).suffix


def read_objects(path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Objects of a JSONL file, each with its place ("file:line").

    Raises:
        UserError: for a file that cannot be read, or a line that is no object.
    """
    return _objects(read_lines(path), path)


def _objects(lines: Iterable[str], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:  # also a number too long, or too many brackets, for Python
            raise UserError(
                f"{path}:{number}: not a JSON object ({getattr(error, 'msg', first_line(error))})"
            ) from error
        if not isinstance(record, dict):
            raise UserError(f"{path}:{number}: expected a JSON object, found {line[:60]!r}")
        yield f"{path}:{number}", record


def read_rows(path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Objects of a JSONL file, or rows of a data set ("hub:..."), each with its place.

    Raises:
        UserError: as :func:`read_objects` and :func:`hub_rows`.
    """
    if path.startswith(HUB):
        return ((f"{path}, row {number}", row) for number, row in enumerate(hub_rows(path), 1))
    return read_objects(path)


def read_texts(
    path: str, column: str, part: Callable[[Iterable[str]], Iterable[str]] = iter
) -> Iterator[tuple[str, Row]]:
    """Objects with a text, each with its place: of a JSONL file, or made of the lines of plain text, empty ones too.

    Args:
        path: file, also compressed, or "-" for standard input, which is JSONL if its first line is an object.
        column: name of the text in objects.
        part: makes texts of the lines of plain text; by default each is one.

    Raises:
        UserError: for what cannot be read, or an object without a text.
    """
    lines: Iterable[str] = standard_input() if path == STANDARD else read_lines(path)
    objects = is_jsonl(path)
    if path == STANDARD:
        first = list(islice(lines, 1))
        objects, lines = any(map(_is_object, first)), chain(first, lines)
    if objects:
        for place, row in _objects(lines, path):
            if not isinstance(row.get(column), str):
                raise UserError(f'{place}: expected an object with a string "{column}"')
            yield place, row
        return
    for number, text in enumerate(part(lines), 1):
        yield f"{path}, text {number}", {column: text}


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def json_line(row: Row) -> str:
    """An object as a line of JSON; half a sign (a surrogate) can only be written the way JSON hides it."""
    line = json.dumps(row, ensure_ascii=False)
    try:
        line.encode()
    except UnicodeEncodeError:
        line = json.dumps(row)
    return line + "\n"


def refuse_one_text(texts: object) -> None:
    """Raise :class:`UserError` for a string where several texts are expected: its letters would be taken for them."""
    if isinstance(texts, str):
        raise UserError(f"texts: expected several, found one, {texts[:40]!r}; give it as a list")


def whole_signs(text: str) -> str:
    """The text with U+FFFD for halves of signs (surrogates), which JSON can hold, and UTF-8 and tokenizers cannot."""
    return _HALF_SIGN.sub("\ufffd", text)


def name_in(row: Mapping[str, Any], key: str) -> str:
    """A name or number that an object has as ``key``, as text; empty where it has none."""
    value = row.get(key)
    return "" if value is None else str(value)


def language_of(row: Mapping[str, Any], place: str, default: str | None) -> str | None:
    """The language that an object says, or the one given; None if there is neither.

    Raises:
        UserError: if an object says something that is no name.
    """
    language = row.get(LANGUAGE)
    if language is not None and not isinstance(language, str):
        raise UserError(f'{place}: expected the name of a language as "{LANGUAGE}", found {str(language)[:40]}')
    return default if language is None else language


def _texts_of_table(path: str, column: str) -> Iterator[str]:
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise needs_data_extra(f"{path}: Parquet files and data sets of the hub") from error
    try:
        with ParquetFile(existing_file(path)) as table:
            _check_column(path, column, table.schema_arrow.names)
            for batch in table.iter_batches(columns=[column]):
                yield from _strings(path, column, batch.column(0).to_pylist())
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{path}: not a Parquet file that can be read ({first_line(error)})") from error


def _texts_of_data_set(path: str, column: str) -> Iterator[str]:
    for row in hub_rows(path):
        _check_column(path, column, list(row))
        yield from _strings(path, column, [row[column]])


def hub_rows(path: str) -> Iterator[dict[str, Any]]:
    """Rows of a data set ("hub:OWNER/NAME:CONFIG:SPLIT"), streamed; numbers that stand for names become the names.

    "hub:OWNER/NAME@REVISION" is a commit, tag or branch of it, such as refs/convert/parquet for one that is a script.

    Raises:
        UserError: for a data set that cannot be read.
    """
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise needs_data_extra(f"{path}: Parquet files and data sets of the hub") from error
    source, *rest = path.removeprefix(HUB).split(":")
    name, _, revision = source.partition("@")
    if not name or len(rest) > 2:
        raise UserError(f"{path}: expected hub:OWNER/NAME, hub:OWNER/NAME:CONFIG or hub:OWNER/NAME:CONFIG:SPLIT")
    config, split = [*rest, "", ""][:2]
    try:
        rows = load_dataset(name, config or None, split=split or "train", streaming=True, revision=revision or None)
        names = _names_of_numbers(rows.features or {})
        for row in rows:
            yield {key: _named(value, names[key]) if key in names else value for key, value in row.items()}
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except Exception as error:  # a data set can be missing, private or odd in more ways than there are classes for
        raise UserError(f"{path}: cannot be read as a data set: {first_line(error)}") from error


def _names_of_numbers(features: Mapping[str, Any]) -> dict[str, list[str]]:
    """Of each column of class labels, or of lists of them, the names."""
    inner = {key: getattr(feature, "feature", feature) for key, feature in features.items()}
    return {key: list(feature.names) for key, feature in inner.items() if hasattr(feature, "names")}


def _named(value: Any, names: Sequence[str]) -> Any:  # noqa: ANN401 - a cell is any
    if isinstance(value, list):
        return [_named(number, names) for number in value]
    if value is None or not 0 <= value < len(names):
        raise UserError(f"a label without a name, {value} (hidden test labels are -1), among {', '.join(names)}")
    return names[value]


def _check_column(path: str, column: str, columns: list[str]) -> None:
    if column not in columns:
        raise UserError(
            f"{path}: no column {column!r} (have: {', '.join(columns) or 'none'}); choose with --text_column"
        )


def _strings(path: str, column: str, values: list[Any]) -> Iterator[str]:
    for value in values:
        if value is not None and not isinstance(value, str):
            raise UserError(f"{path}: expected strings in column {column!r}, found {str(value)[:40]!r}")
        yield value or ""


def smoothed_shares(sizes: Mapping[str, float], alpha: float, minimum: float = 0.0) -> dict[str, float]:
    """Share of each language, in proportion to its size to the power of ``alpha``, summing to 1.

    Exponential smoothing of multilingual sampling (Conneau and Lample 2019, "Cross-lingual Language Model
    Pretraining", section 3.1): 1 keeps the proportions, 0 makes all languages equal.

    Args:
        sizes: of each language, in any unit.
        alpha: the exponent.
        minimum: least share of a language; those above it give up what the others need, in proportion.

    Raises:
        UserError: for a language without text, or a minimum that all languages together cannot have.
    """
    empty = [name for name, size in sizes.items() if size <= 0]
    if empty:
        raise UserError(f"no text for {', '.join(empty)}: every language needs some")
    if minimum * len(sizes) > 1:
        raise UserError(f"min_share: {len(sizes)} languages cannot all have {minimum}; at most {1 / len(sizes):.3g}")
    weights = {name: size**alpha for name, size in sizes.items()}
    lifted: set[str] = set()
    while True:
        free = 1 - minimum * len(lifted)
        total = sum(weight for name, weight in weights.items() if name not in lifted)
        shares = {name: minimum if name in lifted else free * weight / total for name, weight in weights.items()}
        below = {name for name, share in shares.items() if share < minimum}
        if not below:
            return shares
        lifted |= below


def take_characters(documents: Iterable[str], characters: int) -> Iterator[str]:
    """The first documents, up to the one that brings them to so many characters."""
    for document in documents:
        yield document
        characters -= len(document)
        if characters <= 0:
            return


def filled(items: Iterable[ItemT], size: Callable[[ItemT], int], limit: int) -> Iterator[list[ItemT]]:
    """Lists of items in order, each with as many as together have no more than ``limit`` in size, and at least one."""
    part: list[ItemT] = []
    total = 0
    for item in items:
        own = size(item)
        if part and total + own > limit:
            yield part
            part, total = [], 0
        part.append(item)
        total += own
    if part:
        yield part


def batched(items: Iterable[ItemT], size: int) -> Iterator[list[ItemT]]:
    """Lists of ``size`` items, the last one shorter (``itertools.batched`` is newer than Python 3.11)."""
    items = iter(items)
    while batch := list(islice(items, size)):
        yield batch
