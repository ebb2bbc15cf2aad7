from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from swissxmod import Tagger, UserError
from swissxmod.tasks.tagger import read_words, split_words


@pytest.fixture(scope="module")
def tagger(small_tagger: Callable[[str], Path]) -> Tagger:
    """One that knows two names."""
    return Tagger.load(small_tagger("Anna\tB-PER\nwohnt\tO\nin\tO\nChur\tB-LOC\n.\tO\n\n" * 16))


def words(text: str) -> list[list[str]]:
    return [[text[start:end] for start, end in line] for line in split_words(text)]


def test_names_are_found_at_their_place(tagger: Tagger) -> None:
    text = "\ufeff Anna  wohnt\tin Chur.\r\n\r\nAnna\u00a0wohnt 😀"
    found = tagger(text, "de")
    assert [(entity.text, entity.label) for entity in found] == [("Anna", "PER"), ("Chur", "LOC"), ("Anna", "PER")]
    assert all(text[entity.start : entity.end] == entity.text for entity in found)
    assert all(0.5 < entity.score <= 1 for entity in found)
    assert found == sorted(found, key=lambda entity: entity.start)


def test_several_texts_each_with_its_language(tagger: Tagger) -> None:
    texts = ["Anna wohnt in Chur.", "", "wohnt", "Anna wohnt in Chur."]
    found = tagger(texts, ["de", "fr", "rm", "de"])
    assert found == [tagger(texts[0], "de"), [], tagger("wohnt", "rm"), tagger(texts[0], "de")]
    assert tagger(texts, "de")[0] == found[0]
    with pytest.raises(UserError, match="expected a language for each of 4 texts, found 1"):
        tagger(texts, ["de"])
    with pytest.raises(UserError, match="no adapter for language 'en'"):
        tagger("Anna", "en")


def test_each_line_is_read_in_the_language_that_it_shows(tagger: Tagger) -> None:
    german, romansh = "Anna wohnt heute in Chur, und wir nicht.", "Anna è ida a Cuira, e nus betg."
    both = f"{german}\n{romansh}"
    (passages,) = tagger.detect([both])
    assert [(passage.language, passage.sure) for passage in passages] == [("de", True), ("rm", True)]
    assert [both[passage.start : passage.end] for passage in passages] == [german, romansh]
    read_apart = tagger(german, "de") + tagger([" " * (len(german) + 1) + romansh], ["rm"])[0]
    assert tagger(both) == tagger([both], [passages])[0]
    # Sentences that are read together differ in the last digits.
    assert [(e.text, e.start, e.label) for e in tagger(both)] == [(e.text, e.start, e.label) for e in read_apart]
    assert tagger([german, german], [None, "de"]) == tagger([german, german], "de")
    (wrapped,) = tagger.detect([f"{german}\n{german}\n\n{romansh}"], wrapped=True)
    assert [passage.language for passage in wrapped] == ["de", "rm"]
    with pytest.raises(UserError, match="text 1: expected a language for each of 1 passages, found 2"):
        tagger([both], [passages], wrapped=True)
    assert tagger("") == [] and tagger([]) == []


def test_a_stream_is_tagged_as_it_comes(tagger: Tagger) -> None:
    texts = ["Anna wohnt in Chur."] * 3 + ["in Chur."]
    assert list(tagger.stream(iter(texts), "de")) == list(zip(texts, tagger(texts, "de"), strict=True))


def test_text_of_any_length_in_one_line(tagger: Tagger) -> None:
    text = "Anna wohnt in Chur. " * 50
    found = tagger(text, "de")
    assert all(text[entity.start : entity.end] == entity.text for entity in found)
    assert found[-1].start > 0.9 * len(text)


@given(st.text(alphabet=st.characters(), max_size=60))
@example("\ud83d \x00\u202e 😀\r\n")
def test_the_place_is_right_whatever_the_text(tagger: Tagger, text: str) -> None:
    for entity in tagger(f"Anna wohnt in Chur. {text} Anna", "de"):
        assert f"Anna wohnt in Chur. {text} Anna"[entity.start : entity.end] == entity.text


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
        ("\ufeffBern\x00 \u202eשלום\u202c a\u200bb \x1b", ["Bern", "שלום", "a", "b"]),
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
        ("die Rhein-\nAu", ["die", "Rhein-Au", "", ""]),
        ("Zoll-\nund Steuern", ["Zoll", "-", "und", "Steuern"]),
        ("St-Gall - Chur", ["St-Gall", "-", "Chur"]),
        ("er kam -\nund ging", ["er", "kam", "-", "und", "ging"]),
        ("1848-\n1849, A-\n", ["1848", "-", "1849", ",", "A", "-"]),
    ],
)
def test_words_broken_by_the_end_of_a_line_are_read_whole(text: str, expected: list[str]) -> None:
    assert read(text) == [expected]


def test_paragraphs_of_wrapped_text_are_read_as_one(tagger: Tagger) -> None:
    assert read("a\nb \r\n \t\r\nc\n\n\nd-\n\ne") == [["a", "b"], ["c"], ["d", "-"], ["e"]]
    text = "Anna wohnt\nin\nCh-\nur.\n\nAnna"
    assert [(entity.text, entity.start) for entity in tagger(text, "de", wrapped=True)] == [
        ("Anna", 0), ("Ch-\nur", 14), ("Anna", 23),
    ]  # fmt: skip


@given(st.text(alphabet="aB1-¬ \n.", max_size=40))
def test_wrapped_text_loses_no_letter(text: str) -> None:
    spans = [span for line in split_words(text, wrapped=True) for span in line]
    assert spans == [span for line in split_words(text) for span in line]
    letters = [sign for line in read(text) for word in line for sign in word if sign.isalnum()]
    assert letters == [sign for sign in text if sign.isalnum()]


def test_lines_of_all_kinds_part_words(tagger: Tagger) -> None:
    assert words("a b\r\nc\u2028d\n\n \n") == [["a", "b"], ["c"], ["d"]]
