from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from swissxmod import UserError
from swissxmod.tasks.ner_data import TagReading, read_tagged

HIPE = """TOKEN\tNE-COARSE-LIT\tNE-NESTED\tMISC
# hipe2022:document_id = NZZ-1798-p3
# hipe2022:language = de
Herr\tO\tO\t_
Escher\tB-pers\tO\tEndOfLine
von\tI-pers\tO\t_
Zürich\tI-pers\tB-loc\tNoSpaceAfter
.\tO\tO\tEndOfLine|EndOfSentence
1848\tB-time\tO\t_
# hipe2022:document_id = NZZ-1799-p1
Bern\tB-loc\tO\t_
"""


@pytest.fixture
def hipe(tmp_path: Path) -> str:
    (tmp_path / "a.tsv").write_text(HIPE)
    return str(tmp_path / "a.tsv")


def objects(path: Path, *rows: Any) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_hipe_files_are_read_by_document_and_sentence(hipe: str) -> None:
    sentences = read_tagged(hipe)
    assert [sentence.document for sentence in sentences] == ["NZZ-1798-p3", "NZZ-1798-p3", "NZZ-1799-p1"]
    assert sentences[0].words == ("Herr", "Escher", "von", "Zürich", ".")
    assert sentences[0].tags == ("O", "B-pers", "I-pers", "I-pers", "O")
    assert [sentence.words for sentence in sentences[1:]] == [("1848",), ("Bern",)]


def test_a_sentence_does_not_end_inside_a_name(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(HIPE.replace("Escher\tB-pers\tO\tEndOfLine", "Escher\tB-pers\tO\tEndOfSentence"))
    assert len(read_tagged(str(tmp_path / "a.tsv"))[0].words) == 5


BROKEN = """TOKEN\tNE-COARSE-LIT\tMISC
# hipe2022:document_id = d1
Im\tO\t_
unvermeid\tO\tNoSpaceAfter
¬\tO\tEndOfLine
lichen\tO\t_
Neu\tB-loc\tNoSpaceAfter
¬\tI-loc\tEndOfLine
en\tI-loc\tNoSpaceAfter
¬\tI-loc\tEndOfLine
burg\tI-loc\tEndOfSentence
¬\tO\tEndOfLine
Bern\tB-loc\tEndOfSentence
a\tO\tNoSpaceAfter
¬\tO\tEndOfLine|EndOfSentence
# hipe2022:document_id = d2
b\tO\t_
"""


def test_words_broken_by_a_line_end_are_read_whole_and_keep_their_tags(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(BROKEN)
    first, second, third, fourth = read_tagged(str(tmp_path / "a.tsv"))
    assert first.read == ("Im", "unvermeidlichen", "", "", "Neuenburg", "", "", "", "")
    assert first.words[1:4] == ("unvermeid", "¬", "lichen")
    assert first.tags[4:] == ("B-loc", "I-loc", "I-loc", "I-loc", "I-loc")
    # A sign that stands first, or last in its document, breaks no word.
    assert [sentence.read for sentence in (second, third, fourth)] == [("¬", "Bern"), ("a", "¬"), ("b",)]


def test_sentences_of_a_document_are_read_together_up_to_a_number_of_words(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(BROKEN)
    together = read_tagged(str(tmp_path / "a.tsv"), TagReading(context=11))
    alone = read_tagged(str(tmp_path / "a.tsv"))
    assert [len(sentence.words) for sentence in alone] == [9, 2, 2, 1]
    assert [len(sentence.words) for sentence in together] == [11, 2, 1]
    assert [sentence.document for sentence in together] == ["d1", "d1", "d2"]
    for part in ("words", "tags", "read"):
        assert sum((getattr(s, part) for s in together), ()) == sum((getattr(s, part) for s in alone), ())


def test_sentences_without_a_document_are_not_joined(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text("Cuira\tB-LOC\n\nGlion\tB-LOC\n")
    assert len(read_tagged(str(tmp_path / "a.conll"), TagReading(context=100))) == 2


def test_another_column_is_read(hipe: str) -> None:
    assert read_tagged(hipe, TagReading(column="NE-NESTED"))[0].tags == ("O", "O", "O", "B-loc", "O")
    with pytest.raises(UserError, match=r"no column 'NE-COARSE' \(have: NE-COARSE-LIT, NE-NESTED\); did you mean"):
        read_tagged(hipe, TagReading(column="NE-COARSE"))


def test_types_are_mapped_by_the_table(hipe: str) -> None:
    table = {"pers": "PER", "loc": "LOC", "time": "O"}
    tags = [sentence.tags for sentence in read_tagged(hipe, TagReading(types=table))]
    assert tags == [("O", "B-PER", "I-PER", "I-PER", "O"), ("O",), ("B-LOC",)]
    with pytest.raises(UserError, match=r"a.tsv:9: type time is not in the table of types \(pers, loc\)"):
        read_tagged(hipe, TagReading(types={"pers": "PER", "loc": "LOC"}))


def test_a_line_with_other_columns_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(HIPE + "Thun\tB-loc\n")
    with pytest.raises(UserError, match=r"a.tsv:12: expected 4 columns, found 2"):
        read_tagged(str(tmp_path / "a.tsv"))


def test_objects_are_read(tmp_path: Path) -> None:
    rows = [{"tokens": ["Cuira"], "ner_tags": ["I-LOC"], "document": "d7"}, {"words": ["gea"], "tags": ["O"]},
            {"tokens": [], "ner_tags": []}]  # fmt: skip
    first, second = read_tagged(objects(tmp_path / "a.jsonl", *rows))
    assert (first.words, first.tags, first.document) == (("Cuira",), ("B-LOC",), "d7")
    assert (second.words, second.document) == (("gea",), "2")


def test_documents_may_be_numbers_and_null_is_none(tmp_path: Path) -> None:
    rows = [{"tokens": ["Cuira"], "ner_tags": ["O"], "document": name} for name in (0, 0, None, None)]
    assert [each.document for each in read_tagged(objects(tmp_path / "a.jsonl", *rows))] == ["0", "0", "3", "4"]


def test_numbers_stand_for_the_names_given(tmp_path: Path) -> None:
    path = objects(tmp_path / "a.jsonl", {"tokens": ["Val", "Müstair", "è"], "ner_tags": [1, 2, 0], "lang": "rm"})
    names = ["O", "B-LOC", "I-LOC"]
    assert read_tagged(path, TagReading(tag_names=names))[0].tags == ("B-LOC", "I-LOC", "O")
    with pytest.raises(UserError, match="a number for a tag, 2; --tag_names has 2 names"):
        read_tagged(path, TagReading(tag_names=names[:2]))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "x"}, "a.jsonl:1: expected a list named tokens or words, found text"),
        (
            {"tokens": ["x"], "ner_tags": [1]},
            "a.jsonl:1: a number for a tag, 1; say what they stand for with --tag_names",
        ),
        ({"tokens": ["x", "y"], "ner_tags": ["O", 1]}, r"a.jsonl:1: expected a list of strings in 'ner_tags', found"),
        ({"tokens": [3], "ner_tags": ["O"]}, r"a.jsonl:1: expected a list of strings in 'tokens', found \[3\]"),
        ({"tokens": ["x"], "ner_tags": []}, "a.jsonl:1: expected a tag for each of 1 tokens, found 0"),
        (["x"], "a.jsonl:1: expected a JSON object"),
        ({"tokens": [], "ner_tags": []}, "a.jsonl: no sentence in the file"),
    ],
)
def test_objects_of_another_form_are_refused(tmp_path: Path, row: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_tagged(objects(tmp_path / "a.jsonl", row))


def test_data_sets_give_names_for_numbers(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    names = ["O", "B-LOC", "I-LOC"]
    features = datasets.Features(
        tokens=datasets.Sequence(datasets.Value("string")),
        ner_tags=datasets.Sequence(datasets.ClassLabel(names=names)),
    )
    rows = {"tokens": [["Val", "Müstair"], ["gea"]], "ner_tags": [[1, 2], [0]]}
    folder = tmp_path / "set"
    folder.mkdir()
    datasets.Dataset.from_dict(rows, features=features).to_parquet(str(folder / "test.parquet"))
    first, second = read_tagged(f"hub:{folder}::test")
    assert (first.tags, second.tags) == (("B-LOC", "I-LOC"), ("O",))


def test_docstart_parts_documents(tmp_path: Path) -> None:
    lines = [
        "-DOCSTART- -X- O O",
        "Cuira NNP I-NP I-LOC",
        "Berna NNP I-NP I-LOC",
        "-DOCSTART- -X- O O",
        "Glion NN O I-LOC",
    ]
    (tmp_path / "a.conll").write_text("\n\n".join(lines))
    sentences = read_tagged(str(tmp_path / "a.conll"))
    assert [sentence.document for sentence in sentences] == ["docstart-1", "docstart-1", "docstart-2"]
    assert [sentence.tags for sentence in sentences] == [("B-LOC",)] * 3
