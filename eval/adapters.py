"""Which adapter reads a language: its own, or another one in its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..errors import UserError
from ..xmod.languages import adapter_key, may_mean, resolve_language


def readers(names: Iterable[str], read_as: Mapping[str, str], adapters: Sequence[str]) -> list[tuple[str, str]]:
    """Of each language how it is called in results, and the adapter that reads it.

    A language is called as its own adapter is; one that the model has no adapter for can only be read by another one.

    Args:
        names: languages of the data.
        read_as: the adapter to take in the place of a language's own.
        adapters: those of the model.

    Raises:
        UserError: for a language or adapter that is not there.
    """
    names = list(names)
    if strange := [name for name in read_as if not any(may_mean(name, other) for other in names)]:
        raise UserError(f"read_as: there is no data of {strange[0]} (have: {', '.join(names)})")
    return [_reader(name, read_as, adapters) for name in names]


def _reader(name: str, read_as: Mapping[str, str], adapters: Sequence[str]) -> tuple[str, str]:
    other = next((adapter for language, adapter in read_as.items() if may_mean(language, name)), None)
    if other is None:
        return (own := resolve_language(name, adapters)), own
    known = any(may_mean(name, adapter) for adapter in adapters)
    return resolve_language(name, adapters) if known else adapter_key(name), resolve_language(other, adapters)


def distinct_readers(
    names: Iterable[str], read_as: Mapping[str, str], adapters: Sequence[str]
) -> dict[str, tuple[str, str]]:
    """:func:`readers` under the names of the languages.

    Raises:
        UserError: also if two names mean the same language.
    """
    found = dict(zip(names := list(names), readers(names, read_as, adapters), strict=True))
    languages = [language for language, _ in found.values()]
    if twice := [name for name, (language, _) in found.items() if languages.count(language) > 1]:
        raise UserError(f"language {twice[-1]!r}: {found[twice[-1]][0]} is given twice, under two names")
    return found
