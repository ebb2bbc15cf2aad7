from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swissxmod import UserError
from swissxmod.xmod.languages import by_adapter_pair, check_languages, resolve_language, same_language

SWISS = ["de_CH", "fr_CH", "it_CH", "rm_CH", "gsw", "rm_sursilv"]


@pytest.mark.parametrize(
    ("name", "adapter"),
    [
        ("rm", "rm_CH"),
        ("rm-CH", "rm_CH"),
        ("RM_ch", "rm_CH"),
        ("rm-sursilv", "rm_sursilv"),
        ("rm-CH-sursilv", "rm_sursilv"),
        ("gsw-CH", "gsw"),
        ("de", "de_CH"),
    ],
)
def test_every_spelling_finds_its_adapter(name: str, adapter: str) -> None:
    assert resolve_language(name, SWISS) == adapter


@given(st.sampled_from(SWISS), st.sampled_from(["-", "_"]), st.booleans())
def test_a_key_in_any_spelling_means_itself(key: str, separator: str, upper: bool) -> None:
    name = key.replace("_", separator)
    assert resolve_language(name.upper() if upper else name, SWISS) == key


@pytest.mark.parametrize(
    ("name", "adapters", "message"),
    [
        ("rm-vallader", SWISS, r"have: de_CH, .*; the nearest is 'rm_CH'"),
        ("de-DE", SWISS, "the nearest is 'de_CH'"),
        ("english", SWISS, "no adapter for language 'english'"),
        ("zh", ["zh_CN", "zh_TW"], "ambiguous: it fits zh_CN, zh_TW"),
        ("", SWISS, "expected a tag such as"),
        ("de CH", SWISS, "expected a tag such as"),
    ],
)
def test_unknown_and_ambiguous_names_are_told(name: str, adapters: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        resolve_language(name, adapters)


def test_fairseq_writes_no_region_as_xx() -> None:
    assert resolve_language("en", ["en_XX", "de_DE"]) == "en_XX"


def test_an_idiom_is_the_same_language() -> None:
    assert same_language("rm_CH", "rm-sursilv")
    assert not same_language("de_CH", "gsw")


def test_a_name_that_torch_has_itself_is_refused() -> None:
    check_languages(["to_TO", "de"])
    with pytest.raises(UserError, match="torch has no room for the name 'to'; add a region, to_XX"):
        check_languages(["to", "de"])


def test_a_pair_is_named_once() -> None:
    assert by_adapter_pair({"de-rm": 1, "rm-de": 2}, SWISS) == {("de_CH", "rm_CH"): 1, ("rm_CH", "de_CH"): 2}
    with pytest.raises(UserError, match="de_CH-rm_CH is given twice, under two names; give its files as a list"):
        by_adapter_pair({"de-rm": 1, "de_CH-rm_CH": 2}, SWISS)
