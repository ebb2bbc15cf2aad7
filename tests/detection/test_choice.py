from __future__ import annotations

import pytest

from swissxmod import UserError
from swissxmod.detection.choice import LanguageChoice

GERMAN = "Die Regierung hat heute entschieden, die Brücke zu bauen."
ROMANSH = "La regenza ha decidì oz da construir la punt."
ENGLISH = "The government has decided to build the bridge today."


def languages(adapters: list[str], passages: list[str], contexts: list[str] | None = None) -> list[tuple[str, bool]]:
    owners = range(len(passages)) if contexts is None else [0] * len(passages)
    chosen = LanguageChoice(adapters).choose(passages, contexts or passages, owners)
    return [(choice.language, choice.sure) for choice in chosen]


def test_each_passage_has_its_own_language() -> None:
    assert languages(["de_CH", "rm_CH"], [GERMAN, ROMANSH]) == [("de", True), ("rm", True)]
    assert languages(["de_CH"], []) == []


def test_what_does_not_show_its_language_has_that_of_the_text_around_it() -> None:
    passages = [ROMANSH, "2024", "Curdin Tuor"]
    found = languages(["de_CH", "rm_CH"], passages, [" \n".join([ROMANSH, ROMANSH, *passages])])
    assert found[:2] == [("rm", True), ("rm", False)] and found[2][0] == "rm"


def test_a_language_that_the_model_lacks_is_never_sure() -> None:
    (found,) = languages(["de_CH", "rm_CH"], [ENGLISH])
    assert found[1] is False
    assert languages(["de_CH", "en_XX"], [ENGLISH]) == [("en", True)]


@pytest.mark.parametrize(
    ("adapters", "expected"),
    [
        (["rm_CH", "rm_sursilv", "de_CH"], "rm"),
        (["rm_sursilv", "de_CH"], "rm_sursilv"),
        (["de_DE", "rm_XX", "rm_sursilv"], "rm"),
    ],
)
def test_the_name_means_an_adapter(adapters: list[str], expected: str) -> None:
    assert languages(adapters, [ROMANSH]) == [(expected, True)]


def test_adapters_that_cannot_be_told_apart_are_named() -> None:
    with pytest.raises(UserError, match=r"rm_sursilv, rm_vallader are all 'rm', .*: give --language"):
        LanguageChoice(["rm_sursilv", "rm_vallader", "de_CH"])
    with pytest.raises(
        UserError, match=r"adapters \(gsw, lld\) are of none that is detected \(de, .*\): give --language"
    ):
        LanguageChoice(["gsw", "lld"])


def test_how_probable_a_language_is_is_told_of_the_passage_itself() -> None:
    passage = "2024"
    (choice,) = LanguageChoice(["de_CH", "rm_CH"]).choose([passage], [f"{ROMANSH} {passage}"], [0])
    assert (choice.language, choice.sure) == ("rm", False) and choice.probability < 0.5
