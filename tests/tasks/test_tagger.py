from __future__ import annotations

import itertools
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swissxmod import FinetuneNer, Tagger, UserError, finetune_ner
from swissxmod.tasks.tagger import split_words


@pytest.fixture(scope="module")
def tagger(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Tagger:
    """One that knows two names."""
    folder = tmp_path_factory.mktemp("tagger")
    sentence = "Anna\tB-PER\nwohnt\tO\nin\tO\nChur\tB-LOC\n.\tO\n\n"
    (folder / "de.conll").write_text(sentence * 16)
    settings = FinetuneNer(
        model=str(model_folder), train={"de": str(folder / "de.conll")}, epochs=30, learning_rate=1e-2, freeze=False,
        precision="float32", dropout=0.0,
    )  # fmt: skip
    finetune_ner(settings, folder / "ner")
    return Tagger.load(folder / "ner")


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


def test_a_stream_is_tagged_as_it_comes(tagger: Tagger) -> None:
    texts = ["Anna wohnt in Chur."] * 3 + ["in Chur."]
    assert list(tagger.stream(iter(texts), "de")) == list(zip(texts, tagger(texts, "de"), strict=True))


def test_text_of_any_length_in_one_line(tagger: Tagger) -> None:
    text = "Anna wohnt in Chur. " * 50
    found = tagger(text, "de")
    assert all(text[entity.start : entity.end] == entity.text for entity in found)
    assert found[-1].start > 0.9 * len(text)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60))
def test_the_place_is_right_whatever_the_text(tagger: Tagger, text: str) -> None:
    for entity in tagger(f"Anna wohnt in Chur. {text} Anna", "de"):
        assert f"Anna wohnt in Chur. {text} Anna"[entity.start : entity.end] == entity.text


@given(st.text(max_size=80))
def test_words_hold_all_that_is_not_blank_in_order(text: str) -> None:
    spans = [span for line in split_words(text) for span in line]
    assert all(start < end for start, end in spans)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
    left = list(text)
    for start, end in spans:
        left[start:end] = " " * (end - start)
    assert not "".join(left).strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("l'Engiadina, dell’amministrazione", ["l'", "Engiadina", ",", "dell’", "amministrazione"]),
        ("Hans' Haus", ["Hans", "'", "Haus"]),
        ("St-Gall 1'000.50 Fr.", ["St-Gall", "1'000.50", "Fr", "."]),
        (unicodedata.normalize("NFD", "Zürich-Öst"), [unicodedata.normalize("NFD", "Zürich-Öst")]),
        ("«Bun di!»", ["«", "Bun", "di", "!", "»"]),
        ("COVID-19 (2020)", ["COVID-19", "(", "2020", ")"]),
    ],
)
def test_words_are_cut_as_in_the_training_data(text: str, expected: list[str]) -> None:
    assert words(text) == [expected]


def test_lines_of_all_kinds_part_words(tagger: Tagger) -> None:
    assert words("a b\r\nc\u2028d\n\n \n") == [["a", "b"], ["c"], ["d"]]
