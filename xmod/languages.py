"""Names of languages, resolved once at the edge: "rm", "rm-CH" or "RM_ch" is the adapter ``rm_CH``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from ..errors import UserError, nearest

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")
_SUBTAG = re.compile(r"[A-Za-z0-9]+")


class LanguageTag(NamedTuple):
    """The parts of a BCP-47 tag that tell adapters apart, in lower case."""

    language: str
    region: str | None
    rest: tuple[str, ...]


def parse_tag(name: str) -> LanguageTag:
    """Split "rm-CH" or "rm_sursilv" into its parts. XX, fairseq's "no region in particular", counts as none."""
    parts = re.split(r"[-_]", name.strip().lower())
    if not all(_SUBTAG.fullmatch(part) for part in parts):
        raise UserError(f"language {name!r}: expected a tag such as 'rm', 'rm-CH' or 'rm_sursilv'")
    regions = [part for part in parts[1:] if re.fullmatch(r"[a-z]{2}|[0-9]{3}", part)]
    rest = tuple(part for part in parts[1:] if part not in regions)
    region = regions[0] if regions and regions[0] != "xx" else None
    return LanguageTag(parts[0], region, rest)


def resolve_language(name: str, adapters: Sequence[str]) -> str:
    """The adapter that ``name`` means.

    An adapter's own key always means itself. Otherwise language and variant must agree, and the region must where both
    sides name one: "rm" is ``rm_CH`` even beside ``rm_sursilv``, which only "rm-sursilv" or "rm-CH-sursilv" means.

    Raises:
        UserError: if no adapter or more than one fits; the message lists the adapters and the nearest.
    """
    if name in adapters:
        return name
    wanted = parse_tag(name)
    fitting = [key for key in adapters if may_mean(name, key)]
    if len(fitting) == 1:
        return fitting[0]
    known = ", ".join(adapters) or "none"
    if fitting:
        raise UserError(
            f"language {name!r} is ambiguous: it fits {', '.join(fitting)}; write one of them (have: {known})"
        )
    related = [key for key in adapters if parse_tag(key).language == wanted.language]
    hint = f"; the nearest is {related[0]!r}" if related else nearest(name, adapters)
    raise UserError(f"no adapter for language {name!r} (have: {known}){hint}")


def may_mean(name: str, adapter: str) -> bool:
    """Whether ``name`` fits an adapter: the same language and variant, and no other region."""
    wanted, key = parse_tag(name), parse_tag(adapter)
    same_region = wanted.region == key.region or wanted.region is None or key.region is None
    return wanted.language == key.language and wanted.rest == key.rest and same_region


def pair_of(name: str, known: Sequence[str]) -> tuple[str, str]:
    """The adapters of "de-rm" or "de_CH-rm_sursilv"; languages with a "-" inside need a "+" between them."""
    first, sign, second = name.partition("+") if "+" in name else name.partition("-")
    if not sign or not first or not second:
        raise UserError(f"parallel: expected the names of two languages, such as de-rm, found {name!r}")
    both = resolve_language(first, known), resolve_language(second, known)
    if both[0] == both[1]:
        raise UserError(f"parallel: expected two languages, found {name!r}")
    return both


def by_adapter_pair(values: Mapping[str, ValueT], adapters: Sequence[str]) -> dict[tuple[str, str], ValueT]:
    """``values`` under the adapters of both languages that their names mean.

    Raises:
        UserError: if a name is no pair that the model has, or two names mean the same one.
    """
    return _once(
        values,
        lambda name: pair_of(name, adapters),
        lambda _, both: f"parallel: {'-'.join(both)} is given twice, under two names; give its files as a list",
    )


def by_adapter(values: Mapping[str, ValueT], adapters: Sequence[str]) -> dict[str, ValueT]:
    """``values`` under the adapters that their names mean.

    Raises:
        UserError: if a name fits no adapter, or two names mean the same one.
    """
    return _once(
        values,
        lambda name: resolve_language(name, adapters),
        lambda name, adapter: f"language {name!r}: {adapter} is given twice, under two names",
    )


def _once(
    values: Mapping[str, ValueT], resolve: Callable[[str], KeyT], twice: Callable[[str, KeyT], str]
) -> dict[KeyT, ValueT]:
    """``values`` under what their names mean; ``twice`` says what is wrong where two mean the same."""
    named: dict[KeyT, ValueT] = {}
    for name, value in values.items():
        key = resolve(name)
        if key in named:
            raise UserError(twice(name, key))
        named[key] = value
    return named


def adapter_key(name: str) -> str:
    """The key of a new adapter: "rm-sursilv" is ``rm_sursilv``, as SwissBERT writes them."""
    parse_tag(name)
    return name.strip().replace("-", "_")


def check_languages(names: Sequence[str]) -> None:
    """Raise :class:`UserError` unless these can be the adapters of one model."""
    from torch import nn  # names are resolved without torch too

    tags = [parse_tag(name) for name in names]
    if len(set(tags)) < len(tags):
        raise UserError(f"languages: expected different ones, found {', '.join(names)}")
    if taken := [name for name in names if hasattr(nn.ModuleDict, name)]:
        raise UserError(f"languages: torch has no room for the name {taken[0]!r}; add a region, {taken[0]}_XX")


def starting_adapters(language: str, given: Sequence[str], adapters: Sequence[str], option: str) -> list[str]:
    """The adapters that a new one starts from: those given, else the one of the same language.

    Raises:
        UserError: if none is given and not exactly one is of the language; ``option`` is where to give some.
    """
    if given:
        return [resolve_language(name, adapters) for name in given]
    alike = [key for key in adapters if same_language(key, language)]
    if len(alike) != 1:
        found = f"{len(alike)} of its language ({', '.join(alike)})" if alike else "none of its language"
        raise UserError(
            f"language {language!r}: the model has {found} among its adapters ({', '.join(adapters)}); say which "
            f"to start from, one or several to average: {option} '[...]'"
        )
    return alike


def same_language(first: str, second: str) -> bool:
    """Whether two tags are of one language, whatever their region and variant.

    Training on one idiom of Romansh is training on Romansh: a test on another idiom is not zero-shot.
    """
    return parse_tag(first).language == parse_tag(second).language
