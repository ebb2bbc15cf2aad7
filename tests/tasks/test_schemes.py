from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swissxmod import UserError
from swissxmod.tasks.schemes import to_iob2

IOB2 = ["B-PER", "I-PER", "O", "B-LOC", "B-LOC", "I-LOC", "B-PER"]
IOB1 = ["I-PER", "I-PER", "O", "I-LOC", "B-LOC", "I-LOC", "I-PER"]
BIOES = ["B-PER", "E-PER", "O", "S-LOC", "B-LOC", "E-LOC", "S-PER"]
BILOU = ["B-PER", "L-PER", "O", "U-LOC", "B-LOC", "L-LOC", "U-PER"]
sentences = st.lists(st.lists(st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]), max_size=8), max_size=5)


def repair(tags: list[str]) -> list[str]:
    """Valid IOB2 from any tags: an I- that continues nothing of its type begins an entity."""
    before = ["O", *tags]
    return [f"B{tag[1:]}" if tag[0] == "I" and before[i][1:] != tag[1:] else tag for i, tag in enumerate(tags)]


def converted(*tags: list[str], scheme: str = "auto") -> list[list[str]]:
    placed = [(each, [f"a:{number}.{i}" for i in range(len(each))]) for number, each in enumerate(tags)]
    return to_iob2(placed, scheme)  # type: ignore[arg-type]


@pytest.mark.parametrize("tags", [IOB2, IOB1, BIOES, BILOU])
def test_all_schemes_say_the_same(tags: list[str]) -> None:
    assert converted(tags, ["O"]) == [IOB2, ["O"]]


@pytest.mark.parametrize(("tags", "scheme"), [(IOB2, "iob2"), (IOB1, "iob1"), (BIOES, "bioes"), (BILOU, "bioes")])
def test_a_scheme_that_is_named_is_checked(tags: list[str], scheme: str) -> None:
    assert converted(tags, scheme=scheme) == [IOB2]
    for other in {"iob1", "iob2", "bioes"} - {scheme}:
        with pytest.raises(UserError, match=rf"a:0.\d: not {other.upper()}: "):
            converted(tags, scheme=other)


def in_iob1(tags: list[str]) -> list[str]:
    """Of IOB2: B- only behind an entity of its type."""
    before = ["O", *tags]
    return [f"I{tag[1:]}" if tag[0] == "B" and before[i][1:] != tag[1:] else tag for i, tag in enumerate(tags)]


def in_bioes(tags: list[str]) -> list[str]:
    after = [*tags[1:], "O"]
    ends = {"B": "S", "I": "E"}
    return [
        f"{ends[tag[0]]}{tag[1:]}" if tag != "O" and after[i] != f"I{tag[1:]}" else tag for i, tag in enumerate(tags)
    ]


@given(sentences)
def test_every_scheme_comes_back_to_the_same_tags(tags: list[list[str]]) -> None:
    valid = [repair(each) for each in tags]
    assert converted(*valid) == converted(*valid, scheme="iob2") == valid
    assert converted(*map(in_iob1, valid), scheme="iob1") == valid
    assert converted(*map(in_bioes, valid), scheme="bioes") == valid


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        (["B-PER", "O", "PER"], "a:0.2: expected a tag such as O, B-TYPE or I-TYPE, found 'PER'"),
        (["B-PER", "O", "I-PER"], "a:0.2: not IOB2: I-PER follows O, an entity must begin with B-PER"),
        (["B-PER", "I-LOC"], "a:0.1: not IOB2: I-LOC follows B-PER"),
        (["S-PER", "E-PER"], "a:0.1: not BIOES: E-PER follows S-PER"),
        (["S-PER", "B-PER", "O"], "a:0.2: not BIOES: O follows B-PER"),
        (["S-PER", "B-PER"], "a:0.1: not BIOES: O follows B-PER"),
        (["B-PER", "E-LOC"], "a:0.1: not BIOES: E-LOC follows B-PER"),
    ],
)
def test_tags_of_no_scheme_are_refused(tags: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        converted(tags)


def test_lenient_tags_begin_where_they_continue_nothing() -> None:
    assert converted(["B-PER", "O", "I-PER", "I-LOC"], scheme="lenient") == [["B-PER", "O", "B-PER", "B-LOC"]]


def test_one_sentence_decides_for_the_file() -> None:
    with pytest.raises(UserError, match=r"a:1.0: not IOB2: I-LOC follows O"):
        converted(["B-PER"], ["I-LOC"])
