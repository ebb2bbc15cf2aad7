from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from swissxmod import UserError
from swissxmod.tasks.conll import entities
from swissxmod.tasks.ner_data import read_tagged
from swissxmod.tasks.ner_scores import entity_counts, f1, precision, recall

TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_reads_sentences_and_their_documents(tmp_path: Path) -> None:
    text = "# source = a01 s1\nAnna\tB-PER\nCaduff\tI-PER\n\n# source = a01 s2\nCuira\tB-LOC\n"
    path = write(tmp_path / "a.conll", text)
    first, second = read_tagged(str(path))
    assert first.words == ("Anna", "Caduff")
    assert second.tags == ("B-LOC",)
    assert first.document == second.document == "a01"
    with gzip.open(tmp_path / "a.conll.gz", "wt", encoding="utf-8") as file:
        file.write(text)
    assert read_tagged(str(tmp_path / "a.conll.gz")) == [first, second]


def test_a_hash_can_be_a_token(tmp_path: Path) -> None:
    (sentence,) = read_tagged(str(write(tmp_path / "a.conll", "#\tO\n#punt\tO\n")))
    assert sentence.words == ("#", "#punt")


def test_a_hash_parted_by_a_blank_is_a_token_too(tmp_path: Path) -> None:
    (sentence,) = read_tagged(str(write(tmp_path / "a.conll", "\ufeff# source = x\n# O\n# O\nCuira B-LOC\n")))
    assert sentence.words == ("#", "#", "Cuira")
    assert sentence.document == "x"


def test_columns_may_be_parted_by_blanks_with_more_between(tmp_path: Path) -> None:
    (sentence,) = read_tagged(str(write(tmp_path / "a.conll", "Cuira NNP I-NP B-LOC\n")))
    assert (sentence.words, sentence.tags) == (("Cuira",), ("B-LOC",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("\n\n", "no sentence in the file"),
        ("Anna\tB-PER\nCaduff\n", r"a.conll:2: expected a token and a tag parted by a tab, found 'Caduff'"),
        ("Anna\tPER\n", "a.conll:1: expected a tag such as O, B-TYPE or I-TYPE, found 'PER'"),
        ("a\tB-LOC\nb\tI-PER\n", "a.conll:2: not IOB2: I-PER follows B-LOC"),
        ("a\tB-LOC\n\nb\tI-LOC\n", "a.conll:3: not IOB2"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_tagged(str(write(tmp_path / "a.conll", text)))


def test_entities_by_hand() -> None:
    tags = ["B-PER", "I-PER", "O", "B-LOC", "B-LOC", "I-LOC"]
    assert entities(tags) == {("PER", 0, 2), ("LOC", 3, 4), ("LOC", 4, 6)}


def repair(tags: list[str]) -> list[str]:
    """Valid IOB2 from any tags: an I- that continues nothing of its type begins an entity."""
    before = ["O", *tags]
    return [f"B{tag[1:]}" if tag[0] == "I" and before[i][1:] != tag[1:] else tag for i, tag in enumerate(tags)]


@settings(deadline=None)
@given(st.lists(st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(TAGS)), min_size=1), min_size=1))
def test_scores_equal_seqeval(sentences: list[list[tuple[str, str]]]) -> None:
    gold = [repair([tag for tag, _ in sentence]) for sentence in sentences]
    predicted = [repair([tag for _, tag in sentence]) for sentence in sentences]
    total = entity_counts(gold, predicted, ["LOC", "PER"]).sum(axis=(0, 1))
    strict = {"mode": "strict", "scheme": IOB2, "zero_division": 0}
    if not any(tag != "O" for tags in gold + predicted for tag in tags):
        assert f1(total) == 0
        return
    assert f1(total) == pytest.approx(f1_score(gold, predicted, **strict))
    assert precision(total) == pytest.approx(precision_score(gold, predicted, **strict))
    assert recall(total) == pytest.approx(recall_score(gold, predicted, **strict))
