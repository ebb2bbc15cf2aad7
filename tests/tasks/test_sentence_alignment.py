from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from swissxmod import UserError
from swissxmod.tasks import sentence_alignment
from swissxmod.tasks.sentence_alignment import accuracy, nearest, read_sentences, retrieve, sentence_vectors
from swissxmod.tasks.word_alignment import load_encoder


def test_retrieval_by_hand() -> None:
    # The first target sentence is 63 degrees from its source and 27 from the other one: it finds the wrong one, though
    # both source sentences find theirs. Only directions count: by the product the second source would find the first.
    source = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    target = torch.tensor([[10.0, 20.0], [0.0, 0.1]])
    found = retrieve(source, target, [("a", "x"), ("b", "y")])
    assert found.tolist() == [[True, False], [True, True]]


def test_any_line_of_the_same_text_is_right() -> None:
    vectors = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    right, wrong = [True, True], [False, False]
    assert retrieve(vectors, vectors, [("a", "x"), ("b", "y"), ("c", "z")]).tolist() == [right, wrong, right]
    # The second source finds the first target, the same text as its own; the second target finds "a", not "b".
    assert retrieve(vectors, vectors, [("a", "x"), ("b", "x"), ("c", "z")]).tolist() == [right, [True, False], right]


def test_the_first_of_equals_is_found() -> None:
    assert nearest(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0], [2.0, 0.0], [3.0, 0.0]])).tolist() == [1]


@pytest.mark.parametrize("cells", [1, 40, 2**24])
def test_a_few_rows_at_a_time_find_the_same(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    queries, candidates = torch.randn(23, 8), torch.randn(17, 8)
    by_numpy = queries.numpy() @ (candidates / candidates.norm(dim=1, keepdim=True)).numpy().T
    similarity, held = sentence_alignment.similarity, []

    def watched(*sides: torch.Tensor) -> np.ndarray:
        found = similarity(*sides)
        held.append(found.size)
        return found

    monkeypatch.setattr(sentence_alignment, "CELLS", cells)
    monkeypatch.setattr(sentence_alignment, "similarity", watched)
    assert nearest(queries, candidates).tolist() == by_numpy.argmax(axis=1).tolist()
    assert sum(held) == 23 * 17 and max(held) <= max(17, cells)


def test_accuracy_is_of_sums() -> None:
    assert accuracy(np.array([3, 4])) == 0.75
    assert accuracy(np.array([[0, 2], [2, 2]])).tolist() == [0, 1]


def test_vectors_are_the_mean_over_all_that_is_no_padding(model_folder: Path) -> None:
    model, tokenizer = load_encoder(str(model_folder))
    sentences = ["La vischnanca da Cuira.", "Oui.", "Ella ha ditg: na."]
    found = sentence_vectors(model, tokenizer, sentences, "rm")
    assert (found.windowed, found.dropped) == (0, 0)
    reference = transformers.XmodModel.from_pretrained(model_folder, add_pooling_layer=False).eval()
    batch = tokenizer(sentences, padding=True, return_tensors="pt")
    with torch.no_grad():
        output = reference(**batch, lang_ids=torch.full((3,), 3), output_hidden_states=True)
    weights = batch["attention_mask"][..., None].float()
    for layer in (-1, 1):
        expected = (output.hidden_states[layer] * weights).sum(dim=1) / weights.sum(dim=1)
        vectors = sentence_vectors(model, tokenizer, sentences, "rm", layer=layer).vectors
        torch.testing.assert_close(vectors, expected, atol=1e-5, rtol=0)


def test_what_could_not_be_read_at_once_is_counted(model_folder: Path) -> None:
    model, tokenizer = load_encoder(str(model_folder))
    found = sentence_vectors(model, tokenizer, ["Gemeinde " * 60, "Die \u200b Brücke"], "de")
    assert (found.vectors.shape, found.windowed, found.dropped) == ((2, 32), 1, 1)


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
