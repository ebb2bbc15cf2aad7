from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swissxmod.errors import UserError
from swissxmod.eval.examples import Example, mistakes, read_examples, sample, segments, write_examples
from swissxmod.tasks.conll import entities
from swissxmod.tasks.schemes import to_iob2

TAGS = st.lists(st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]), min_size=8, max_size=8)


def example(words: str, gold: str, predicted: str, **changes: Any) -> Example:
    """Make an example of blank-separated words and tags."""
    about = {"model_hash": "a" * 64, "dataset": "names", "split": "dev", "language": "rm_CH"} | changes
    return Example(**about, words=words.split(), gold=gold.split(), predicted=predicted.split())


@pytest.mark.parametrize(
    ("gold", "predicted", "kinds"),
    [
        ("B-PER I-PER O", "O O O", ["missed"]),
        ("O O O", "O B-LOC O", ["invented"]),
        ("B-PER I-PER O", "B-LOC I-LOC O", ["wrong type"]),
        ("B-PER I-PER O", "B-PER O O", ["wrong border"]),
        ("B-PER I-PER I-PER", "B-LOC O B-PER", ["wrong border"]),
        ("B-PER B-LOC O", "B-PER I-PER O", ["wrong border"]),
        ("B-PER O B-LOC", "O O B-LOC", ["missed"]),
        ("B-PER O B-LOC", "O B-ORG B-PER", ["missed", "invented", "wrong type"]),
    ],
)
def test_mistakes_are_told_apart(gold: str, predicted: str, kinds: list[str]) -> None:
    assert [mistake.kind for mistake in mistakes(gold.split(), predicted.split())] == kinds


@given(TAGS, TAGS)
def test_every_name_that_differs_is_in_one_mistake(first: list[str], second: list[str]) -> None:
    gold, predicted = to_iob2([(first, [""] * 8), (second, [""] * 8)], "lenient")
    found = mistakes(gold, predicted)
    wanted = entities(gold) ^ entities(predicted)
    assert sorted(entity for each in found for entity in each.gold + each.predicted) == sorted(wanted)
    assert all(one.stop <= other.start for one, other in pairwise(found))
    if wanted:
        told = Example(
            model_hash="", dataset="", split="", language="rm", words=[str(n) for n in range(8)],
            gold=gold, predicted=predicted,
        )  # fmt: skip
        assert " ".join(segment.text for segment in segments(told)) == "0 1 2 3 4 5 6 7"


def test_a_sentence_is_cut_where_its_names_are() -> None:
    told = example("Anna Maria Meier da Cuira", "B-PER I-PER I-PER O B-LOC", "O B-PER I-PER O B-LOC")
    assert [(segment.text, segment.kind, segment.note) for segment in segments(told)] == [
        ("Anna Maria Meier", "wrong border", "PER “Anna Maria Meier”, tagged PER “Maria Meier”"),
        ("da", None, ""),
        ("Cuira", "right", "LOC"),
    ]


def test_of_each_kind_as_many_are_drawn_and_the_same_again() -> None:
    missed, invented, right = (["B-PER"], ["O"]), (["O"], ["B-PER"]), (["O"], ["O"])
    pairs = [missed] * 50 + [invented] * 2 + [right] * 10
    drawn = sample(pairs, seed=1, kept=5)
    assert len(drawn) == 7 and drawn[-2:] == [50, 51]
    assert sample(pairs, seed=1, kept=5) == drawn != sample(pairs, seed=2, kept=5)


def test_examples_are_read_as_they_were_written(tmp_path: Path) -> None:
    told = [example("in „num“ <b>", "O B-PER O", "O O O"), example("Cuira", "O", "B-LOC", language="de_CH")]
    write_examples(tmp_path / "examples.jsonl", told)
    assert read_examples(tmp_path / "examples.jsonl") == told
    write_examples(tmp_path / "none.jsonl", [])
    assert read_examples(tmp_path / "none.jsonl") == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gold": ["O"]}, "1 gold tags for 2 words"),
        ({"predicted": ["O", "I-PER"]}, "predicted tags are not valid IOB2"),
        ({"gold": ["O", "person"]}, "gold tags are not valid IOB2"),
        ({"gold": ["O", "O"], "predicted": ["O", "O"]}, "nothing is wrong"),
        ({"score": 1.0}, "score: Extra inputs"),
        ({"words": "a b"}, "words: Input should be a valid array"),
    ],
)
def test_what_is_no_example_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    row = example("da Cuira", "O B-LOC", "O O").model_dump() | changes
    (tmp_path / "examples.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(UserError, match=rf"examples\.jsonl:1: not an example of a mistake: .*{message}"):
        read_examples(tmp_path / "examples.jsonl")
    with pytest.raises(UserError, match="no such file"):
        read_examples(tmp_path / "missing.jsonl")
