from __future__ import annotations

import itertools
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swissxmod.tasks.words import read_words, split_words, words_of


def words(text: str) -> list[list[str]]:
    return [[text[start:end] for start, end in line] for line in split_words(text)]


@given(st.text(alphabet=st.characters(), max_size=80))
def test_words_hold_all_that_is_not_blank_in_order(text: str) -> None:
    spans = [span for line in split_words(text) for span in line]
    assert all(start < end for start, end in spans)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
    left = list(text)
    for start, end in spans:
        left[start:end] = " " * (end - start)
    assert not [sign for sign in left if not sign.isspace() and unicodedata.category(sign) not in ("Cc", "Cf", "Cn")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("l'Engiadina, dell’amministrazione", ["l'", "Engiadina", ",", "dell’", "amministrazione"]),
        ("Hans' Haus", ["Hans", "'", "Haus"]),
        ("St-Gall 1'000.50 Fr.", ["St-Gall", "1'000.50", "Fr", "."]),
        (unicodedata.normalize("NFD", "Zürich-Öst"), [unicodedata.normalize("NFD", "Zürich-Öst")]),
        ("«Bun di!»", ["«", "Bun", "di", "!", "»"]),
        ("COVID-19 (2020)", ["COVID-19", "(", "2020", ")"]),
        ("\ufeffBern\x00 \u202eשלום\u202c a\u200bb \x1b", ["Bern", "שלום", "a\u200bb"]),
        (
            "Grau\u00adbün\u00adden und l\u2060'Engia\u00addina",
            ["Grau\u00adbün\u00adden", "und", "l", "'", "Engia\u00addina"],
        ),
    ],
)
def test_words_are_cut_as_in_the_training_data(text: str, expected: list[str]) -> None:
    assert words(text) == [expected]


def read(text: str) -> list[list[str]]:
    return [read_words(text, line) for line in split_words(text, wrapped=True)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("die verlän-\ngernden", ["die", "verlängernden", "", ""]),
        ("die verlän\u00ad\r\n  gernden", ["die", "verlängernden", "", ""]),
        ("un¬\nver¬\nmeid¬\nlich.", ["unvermeidlich", "", "", "", "", "", "", "."]),
        ("in Grau\u00adbün\u00adden, Frei\u200bburg", ["in", "Graubünden", ",", "Freiburg"]),
        ("die Rhein-\nAu", ["die", "Rhein-Au", "", ""]),
        ("Zoll-\nund Steuern", ["Zoll", "-", "und", "Steuern"]),
        ("St-Gall - Chur", ["St-Gall", "-", "Chur"]),
        ("er kam -\nund ging", ["er", "kam", "-", "und", "ging"]),
        ("1848-\n1849, A-\n", ["1848", "-", "1849", ",", "A", "-"]),
    ],
)
def test_words_broken_by_the_end_of_a_line_are_read_whole(text: str, expected: list[str]) -> None:
    assert read(text) == [expected]


@given(st.text(alphabet="aB1-¬\u00ad\u200b \n.", max_size=40))
def test_wrapped_text_loses_no_letter(text: str) -> None:
    spans = [span for line in split_words(text, wrapped=True) for span in line]
    assert spans == [span for line in split_words(text) for span in line]
    letters = [sign for line in read(text) for word in line for sign in word if sign.isalnum()]
    assert letters == [sign for sign in text if sign.isalnum()]


def test_words_of_all_lines() -> None:
    assert words_of("L'Engiadina,\nin bel.") == ["L'", "Engiadina", ",", "in", "bel", "."]


def test_paragraphs_of_wrapped_text_are_cut_as_one() -> None:
    assert read("a\nb \r\n \t\r\nc\n\n\nd-\n\ne") == [["a", "b"], ["c"], ["d", "-"], ["e"]]


def test_lines_of_all_kinds_part_words() -> None:
    assert words("a b\r\nc\u2028d\n\n \n") == [["a", "b"], ["c"], ["d"]]
