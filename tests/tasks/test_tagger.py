from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from swissxmod import Tagger, UserError


@pytest.fixture(scope="module")
def tagger(small_tagger: Callable[[str], Path]) -> Tagger:
    """One that knows two names."""
    return Tagger.load(small_tagger("Anna\tB-PER\nwohnt\tO\nin\tO\nChur\tB-LOC\n.\tO\n\n" * 16))


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


def test_paragraphs_of_wrapped_text_are_read_as_one(tagger: Tagger) -> None:
    text = "Anna wohnt\nin\nCh-\nur.\n\nAnna"
    assert [(entity.text, entity.start) for entity in tagger(text, "de", wrapped=True)] == [
        ("Anna", 0), ("Ch-\nur", 14), ("Anna", 23),
    ]  # fmt: skip
