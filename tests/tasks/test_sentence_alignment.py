from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
import transformers

from swissxmod import AlignSentences, UserError
from swissxmod.cli import main
from swissxmod.tasks import sentence_alignment
from swissxmod.tasks.sentence_alignment import (
    accuracy,
    align_sentences,
    are_right,
    bert_scores,
    find_translations,
    read_sentences,
    retrieve,
    retrieve_by_pieces,
)
from swissxmod.tasks.word_alignment import load_encoder


def right(source: torch.Tensor, target: torch.Tensor, pairs: list[tuple[str, str]]) -> list[list[bool]]:
    return are_right(retrieve(source, target), pairs).tolist()


def test_retrieval_by_hand() -> None:
    # The first target sentence is 63 degrees from its source and 27 from the other one: it finds the wrong one, though
    # both source sentences find theirs. Only directions count: by the product the second source would find the first.
    source = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    target = torch.tensor([[10.0, 20.0], [0.0, 0.1]])
    assert right(source, target, [("a", "x"), ("b", "y")]) == [[True, False], [True, True]]
    assert retrieve(source, target).score == pytest.approx([0.2**0.5, 1])


def test_any_line_of_the_same_text_is_right() -> None:
    vectors = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    both, neither = [True, True], [False, False]
    assert right(vectors, vectors, [("a", "x"), ("b", "y"), ("c", "z")]) == [both, neither, both]
    # The second source finds the first target, the same text as its own; the second target finds "a", not "b".
    assert right(vectors, vectors, [("a", "x"), ("b", "x"), ("c", "z")]) == [both, [True, False], both]


def test_the_first_of_equals_is_found() -> None:
    found = retrieve(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0], [2.0, 0.0], [3.0, 0.0]]))
    assert found.there.tolist() == [1]


def test_the_margin_takes_away_what_is_similar_to_all() -> None:
    """The first target is a hub, a little nearer to every source than its translation is."""
    source = torch.cat([torch.eye(6), torch.zeros(6, 6)], dim=1)
    hub = torch.cat([torch.ones(1, 6), torch.zeros(1, 6)], dim=1)  # cosine 0.408 with all
    own = torch.cat([0.4 * torch.eye(6), 0.84**0.5 * torch.eye(6)], dim=1)  # 0.4 with one
    target = torch.cat([hub, own])
    plain, margin = retrieve(source, target), retrieve(source, target, margin=True)
    assert plain.there.tolist() == [0] * 6 and margin.there.tolist() == [1, 2, 3, 4, 5, 6]
    # 0.4, beside the mean of the four nearest: of a source (0.408 + 0.4) / 4, of a target 0.4 / 4.
    assert margin.score == pytest.approx([0.4 / (((6**-0.5 + 0.4) / 4 + 0.1) / 2)] * 6)
    assert margin.back.tolist()[1:] == list(range(6))


@pytest.mark.parametrize("margin", [False, True])
@pytest.mark.parametrize("cells", [1, 40, 2**24])
def test_a_few_rows_at_a_time_find_the_same(cells: int, margin: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(1)
    queries, candidates = torch.randn(23, 8, generator=generator), torch.randn(17, 8, generator=generator)
    expected, held = retrieve(queries, candidates, margin=margin), []
    similarity = sentence_alignment.similarity

    def watched(*sides: torch.Tensor) -> np.ndarray:
        found = similarity(*sides)
        held.append(found.size)
        return found

    monkeypatch.setattr(sentence_alignment, "CELLS", cells)
    monkeypatch.setattr(sentence_alignment, "similarity", watched)
    found = retrieve(queries, candidates, margin=margin)
    assert all((mine == other).all() for mine, other in zip(found[:2], expected[:2], strict=True))
    assert sum(held) == 2 * 23 * 17 * (1 + margin) and max(held) <= max(23, cells)


def bert_score(source: torch.Tensor, target: torch.Tensor) -> float:
    """By its definition, for one pair."""
    cosines = torch.nn.functional.normalize(source) @ torch.nn.functional.normalize(target).T
    precision, recall = cosines.amax(dim=1).mean().item(), cosines.amax(dim=0).mean().item()
    return 2 * precision * recall / (precision + recall)


@pytest.mark.parametrize("cells", [1, 60, 2**24])
def test_bert_scores_of_all_are_those_of_each_pair(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentence_alignment, "CELLS", cells)
    generator = torch.Generator().manual_seed(1)
    sides = [[torch.rand(length, 8, generator=generator) for length in lengths] for lengths in ((3, 1, 5), (2, 4))]
    expected = [[bert_score(source, target) for target in sides[1]] for source in sides[0]]
    found = {i: row for some, rows in bert_scores(*sides) for i, row in zip(some, rows, strict=True)}
    np.testing.assert_allclose([found[0], found[1], found[2]], expected, rtol=1e-5)
    there, back, score = retrieve_by_pieces(*sides)
    np.testing.assert_array_equal(there, np.argmax(expected, axis=1))
    np.testing.assert_array_equal(back, np.argmax(expected, axis=0))
    np.testing.assert_allclose(score, np.max(expected, axis=1), rtol=1e-5)
    empty = torch.zeros(0, 8)
    found = {
        i: row
        for some, rows in bert_scores([empty, *sides[0]], [sides[1][0], empty, sides[1][1]])
        for i, row in zip(some, rows, strict=True)
    }
    np.testing.assert_allclose([found[1], found[2], found[3]], [[a, 0, b] for a, b in expected], rtol=1e-5)
    there, back, score = retrieve_by_pieces([empty, *sides[0]], [empty])
    assert there.tolist() == [0, 0, 0, 0] and back.tolist() == [0] and score.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("how", ["cosine", "margin", "bertscore"])
def test_memory_does_not_grow_with_one_side_times_the_other(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentence_alignment, "CELLS", 2**14)
    sides = [torch.rand(2000, 4, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2)]
    tracemalloc.start()
    if how == "bertscore":
        retrieve_by_pieces(*(side.split(1) for side in sides))
    else:
        retrieve(*sides, margin=how == "margin")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**21  # all similarities would be 16 million bytes


def test_accuracy_is_of_sums() -> None:
    assert accuracy(np.array([3, 4])) == 0.75
    assert accuracy(np.array([[0, 2], [2, 2]])).tolist() == [0, 1]


def test_sentences_are_compared_by_the_mean_over_all_that_is_no_padding(model_folder: Path) -> None:
    model, tokenizer = load_encoder(str(model_folder))
    sides = ["La vischnanca da Cuira.", "Oui.", "Ella ha ditg: na."], ["La punt.", "Na."]
    reference = transformers.XmodModel.from_pretrained(model_folder, add_pooling_layer=False).eval()
    means = []
    for texts in sides:
        batch = tokenizer(texts, padding=True, return_tensors="pt")
        with torch.no_grad():
            output = reference(**batch, lang_ids=torch.full((len(texts),), 3))
        weights = batch["attention_mask"][..., None].float()
        means.append((output.last_hidden_state * weights).sum(dim=1) / weights.sum(dim=1))
    search = find_translations(model, tokenizer, sides, ("rm", "rm"))
    expected = retrieve(*means)
    assert search.found.there.tolist() == expected.there.tolist()
    assert search.found.score == pytest.approx(expected.score, abs=1e-5)
    assert (search.windowed, search.dropped) == (0, 0)


def test_pieces_are_compared_as_in_the_evaluation_of_swissbert(model_folder: Path) -> None:
    """Each sentence padded as far as the model reads, the mean of all layers, every piece that is no padding counts."""
    model, tokenizer = load_encoder(str(model_folder))
    sides = ["La vischnanca da Cuira.", "Oui.", "Ella ha ditg: na."], ["La punt.", "Na."]
    reference = transformers.XmodModel.from_pretrained(model_folder, add_pooling_layer=False).eval()
    states = []
    for texts in sides:
        batch = tokenizer(texts, padding="max_length", max_length=20, return_tensors="pt")
        with torch.no_grad():
            output = reference(**batch, lang_ids=torch.full((len(texts),), 3), output_hidden_states=True)
        mean = torch.stack(output.hidden_states).mean(dim=0)
        states.append([row[mask.bool()] for row, mask in zip(mean, batch["attention_mask"], strict=True)])
    expected = np.zeros((3, 2))
    for i, source in enumerate(states[0]):
        for j, target in enumerate(states[1]):
            cosines = torch.nn.functional.cosine_similarity(source[:, None], target[None], dim=2)
            recall, precision = cosines.amax(dim=1).mean().item(), cosines.amax(dim=0).mean().item()
            expected[i, j] = 2 * precision * recall / (precision + recall)
    empty = find_translations(model, tokenizer, (["\u200b"], ["\u200b\u200b"]), ("rm", "rm"), "bertscore").found
    assert empty.score.tolist() == [0]
    found = find_translations(model, tokenizer, sides, ("rm", "rm"), "bertscore").found
    assert found.score == pytest.approx(expected.max(axis=1), abs=1e-5)
    assert found.there.tolist() == expected.argmax(axis=1).tolist()
    assert found.back.tolist() == expected.argmax(axis=0).tolist()


@pytest.mark.parametrize("score", ["cosine", "margin", "bertscore"])
def test_a_sentence_finds_itself_and_what_could_not_be_read_is_counted(model_folder: Path, score: str) -> None:
    model, tokenizer = load_encoder(str(model_folder))
    texts = ["Gemeinde " * 60, "Die \u200b Brücke", "la vischnanca"]
    search = find_translations(model, tokenizer, (texts, texts[::-1]), ("de", "de"), score)
    assert search.found.there.tolist() == search.found.back.tolist() == [2, 1, 0]
    assert (search.windowed, search.dropped) == (2, 2)


def test_pairs_are_mined_from_the_command_line(model_folder: Path, tmp_path: Path) -> None:
    lines = ["la vischnanca da Cuira", "ina punt nova", "", "il chantun Grischun", "ina punt nova"]
    (tmp_path / "a").write_text("\n".join(lines) + "\n")
    (tmp_path / "b").write_text("ina punt\tnova\nla vischnanca da Cuira\ntut auter\n")
    words = ["align", "sentences", "--model", str(model_folder), "--source", str(tmp_path / "a")]
    words += ["--target", str(tmp_path / "b"), "--source-language", "rm", "--target-language", "rm"]
    words += ["--score", "cosine", "--threshold", "0.999", "--out", str(tmp_path / "pairs.tsv")]
    assert main(words) == 0
    rows = [line.split("\t") for line in (tmp_path / "pairs.tsv").read_text().splitlines()]
    assert sorted(rows) == [[text, text, "1.0000"] for text in ("ina punt nova", "la vischnanca da Cuira")]
    (tmp_path / "b").write_text("\n\n")
    assert main([*words[:-1], str(tmp_path / "other.tsv")]) == 2
    assert not (tmp_path / "other.tsv").exists()


def test_lines_that_repeat_another_are_counted_and_blanks_stay(model_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("ina  punt\nla\u00a0via\nina  punt\n la\u00a0via\t\n")
    settings = AlignSentences(model=str(model_folder), source=str(tmp_path / "a"), target=str(tmp_path / "a"))
    told = align_sentences(replace(settings, source_language="rm", target_language="rm"), tmp_path / "out")
    assert (told["source"], told["target"], told["repeated"]) == (2, 2, 4)
    rows = sorted(line.split("\t")[0] for line in (tmp_path / "out").read_text().splitlines())
    assert rows == ["ina  punt", "la\u00a0via"]


def test_half_the_precision_finds_the_same_pairs(
    model_folder: Path, tmp_path: Path, dtypes_of: Callable[[ModuleType], list[torch.dtype]]
) -> None:
    held = dtypes_of(sentence_alignment)
    lines = ["la vischnanca da Cuira", "ina punt nova", "il chantun Grischun"]
    (tmp_path / "a").write_text("\n".join(lines) + "\n")
    (tmp_path / "b").write_text("\n".join(reversed(lines)) + "\n")
    sides = {"source": str(tmp_path / "a"), "target": str(tmp_path / "b"), "source_language": "rm"}
    for precision in ("float32", "bfloat16"):
        align_sentences(AlignSentences(model=str(model_folder), **sides, precision=precision), tmp_path / precision)
        rows = [line.split("\t") for line in (tmp_path / precision).read_text().splitlines()]
        assert sorted(row[:2] for row in rows) == sorted([line, line] for line in lines)
    assert held == [torch.float32, torch.bfloat16]


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("a\nb\n", "a\n", r"has 2 lines, .* has 1: expected one translation per line"),
        ("a\n \n", "a\nb\n", r"a\.de:2: expected a sentence, found an empty line; remove it on both sides"),
        ("a\nb\n", "\nb\n", r"a\.rm:1: expected a sentence, found an empty line"),
    ],
)
def test_bad_text_is_named(tmp_path: Path, source: str, target: str, message: str) -> None:
    (tmp_path / "a.de").write_text(source)
    (tmp_path / "a.rm").write_text(target)
    with pytest.raises(UserError, match=message):
        read_sentences(tmp_path / "a.de", tmp_path / "a.rm")


def test_lines_are_read_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.de").write_text("Guten  Tag.\n", encoding="utf-8")
    (tmp_path / "a.rm").write_text("Bun di.\n", encoding="utf-8")
    assert read_sentences(tmp_path / "a.de", tmp_path / "a.rm") == [("Guten  Tag.", "Bun di.")]
