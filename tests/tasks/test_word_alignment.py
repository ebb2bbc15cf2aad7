from __future__ import annotations

import json
import random
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from swissxmod import AlignWords, EvalAlignment, UserError, align_words, encode, evaluate_alignment
from swissxmod.settings import Layer
from swissxmod.tasks import word_alignment
from swissxmod.tasks.alignment_dev import measure, read_dev
from swissxmod.tasks.link_files import read_linked
from swissxmod.tasks.links import find_links
from swissxmod.tasks.word_alignment import (
    Gold,
    alignment_counts,
    alignment_error_rate,
    choose_layer,
    chosen,
    load_encoder,
    read_gold,
    read_parallel,
    word_vectors,
)
from swissxmod.xmod.checkpoints import save_checkpoint


def test_error_rate_by_hand() -> None:
    # Och and Ney: A = {0-0, 1-1, 2-2}, S = {0-0, 1-2}, P = S + {1-1}: 1 - (1 + 2) / (3 + 2).
    gold = Gold(sure=frozenset({(0, 0), (1, 2)}), possible=frozenset({(0, 0), (1, 2), (1, 1)}))
    counts = alignment_counts({(0, 0), (1, 1), (2, 2)}, gold)
    assert counts == (3, 2, 1, 2)
    assert alignment_error_rate(np.array(counts)) == pytest.approx(0.4)
    assert alignment_error_rate(np.zeros(4)) == 0


@given(st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1))
def test_finding_exactly_the_sure_links_is_no_error(links: set[tuple[int, int]]) -> None:
    gold = Gold(frozenset(links), frozenset(links | {(10, 10)}))
    assert alignment_error_rate(np.array(alignment_counts(links, gold))) == 0


def test_words_are_the_mean_of_their_pieces(model_folder: Path) -> None:
    model, tokenizer = load_encoder(str(model_folder))
    words = ["vischnanca", "punt"]
    (vectors,) = word_vectors(model, tokenizer, [words], "rm").vectors
    assert vectors.shape == (3, 2, 32)
    encoded = tokenizer(words, is_split_into_words=True, return_tensors="pt")
    with torch.no_grad():
        output = model(**encoded, lang_ids=torch.tensor([3]), output_hidden_states=True)
    places = [i for i, word in enumerate(encoded.word_ids()) if word == 0]
    assert len(places) > 1
    expected = output.hidden_states[1][0, places].mean(dim=0)
    torch.testing.assert_close(choose_layer(vectors, 1)[0], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("layer", [0, 1, 2, "mean"])
def test_one_layer_is_that_of_all(model_folder: Path, layer: Layer) -> None:
    model, tokenizer = load_encoder(str(model_folder))
    sentences = [["vischnanca", "punt"], [], ["la", "regenza", "ha"]]
    every = word_vectors(model, tokenizer, sentences, "rm").vectors
    one = word_vectors(model, tokenizer, sentences, "rm", layer).vectors
    for vectors, expected in zip(one, every, strict=True):
        torch.testing.assert_close(vectors, choose_layer(expected, layer), atol=1e-6, rtol=0)


def test_pieces_keep_their_own_vectors_and_know_their_word(model_folder: Path) -> None:
    model, tokenizer = load_encoder(str(model_folder))
    sentences = [["vischnanca", "\u200b", "punt"], []]
    found = word_vectors(model, tokenizer, sentences, "rm", "mean", pieces=True)
    means = word_vectors(model, tokenizer, sentences, "rm", "mean")
    assert means.words is None and found.words is not None
    assert [(words.size, len(words.owners)) for words in found.words] == [(3, len(found.vectors[0])), (0, 0)]
    for word in (0, 2):
        own = torch.from_numpy(found.words[0].owners == word)
        torch.testing.assert_close(found.vectors[0][own].mean(dim=0), means.vectors[0][word], atol=1e-5, rtol=0)
    assert set(found.words[0].owners) == {0, 2} and found.dropped == 1


def test_pieces_are_linked_where_asked_or_where_a_tuned_model_says_so(model_folder: Path, tmp_path: Path) -> None:
    model, tokenizer = load_encoder(str(model_folder))
    files = parallel(tmp_path, "die Brücke in der \u200b Gemeinde\n\n", "la punt en la vischnanca\nna\n")
    asked = AlignWords(model=str(model_folder), layer=1, method="argmax", pieces=True, **files)
    align_words(asked, tmp_path / "asked")
    states = [
        encode(model, tokenizer, [text], language, pooling="none", layer=1)[0]
        for text, language in (("die Brücke in der Gemeinde", "de"), ("la punt en la vischnanca", "rm"))
    ]
    owners = [
        [word for word in tokenizer(text.split(), is_split_into_words=True).word_ids() if word is not None]
        for text in ("die Brücke in der Gemeinde", "la punt en la vischnanca")
    ]
    links = {(owners[0][i], owners[1][j]) for i, j in find_links(*states, "argmax")}
    expected = sorted((5 if i == 4 else i, j) for i, j in links)
    assert (tmp_path / "asked").read_text() == " ".join(f"{i}-{j}" for i, j in expected) + "\n\n"
    model.config.alignment = {"layer": 1, "method": "argmax", "pieces": True}
    save_checkpoint(tmp_path / "tuned", model, tokenizer, [])
    align_words(AlignWords(model=str(tmp_path / "tuned"), **files), tmp_path / "told")
    assert (tmp_path / "told").read_text() == (tmp_path / "asked").read_text()
    assert not chosen(AlignWords(model="", pieces=False, **files), model).pieces
    gold = str(tmp_path / "asked")
    rates = [
        evaluate_alignment(
            EvalAlignment(model=str(tmp_path / "tuned"), gold=gold, pieces=pieces, **files), tmp_path / str(pieces)
        )["aer"]
        for pieces in (None, True, False)
    ]
    assert rates[:2] == [0, 0] < rates[2:]


def test_dev_chooses_pieces_where_they_link_better(model_folder: Path, tmp_path: Path) -> None:
    model, tokenizer = load_encoder(str(model_folder))
    lines = "die Brücke in der Gemeinde\nder Rat tagt heute\n", "la punt en la vischnanca\nil cussegl sa raduna oz\n"
    files = parallel(tmp_path, *lines)
    for pieces in (True, False):
        asked = AlignWords(model=str(model_folder), layer=1, method="argmax", pieces=pieces, **files)
        align_words(asked, tmp_path / "gold")
        dev = read_dev({"de-rm": [*files.values(), str(tmp_path / "gold")]}, model.languages)
        found = measure(model, tokenizer, dev)
        assert (found.linking, found.aer) == ((1, "argmax", None, pieces), 0)


def test_a_tuned_model_says_how_unless_asked_otherwise(model_folder: Path, tmp_path: Path) -> None:
    model, tokenizer = load_encoder(str(model_folder))
    files = parallel(tmp_path, "die Brücke in der Gemeinde\n", "la punt en la vischnanca\n")
    assert chosen(AlignWords(model="", **files), model) == ("mean", "match", None, False)
    model.config.alignment = {"layer": 1, "method": "argmax"}
    save_checkpoint(tmp_path / "tuned", model, tokenizer, [])
    asked = {"default": {}, "same": {"layer": 1, "method": "argmax"}, "mean": {"layer": "mean", "method": "match"}}
    found = {}
    for name, choice in asked.items():
        align_words(AlignWords(model=str(tmp_path / "tuned"), **files, **choice), tmp_path / name)
        found[name] = (tmp_path / name).read_text()
    assert found["default"] == found["same"] != found["mean"]
    with pytest.raises(UserError, match="layer: expected 0 to 2 or mean, found 3"):
        align_words(AlignWords(model=str(tmp_path / "tuned"), **files, layer=3), tmp_path / "out")


def test_a_tuned_threshold_belongs_to_its_method(model_folder: Path) -> None:
    model, _ = load_encoder(str(model_folder))
    model.config.alignment = {"layer": 1, "method": "agreement", "threshold": 0.3}

    def asked(**changes: Any) -> tuple[Any, ...]:
        return chosen(AlignWords(model="", source="", target="", **changes), model)[:3]

    assert asked() == asked(method="agreement") == (1, "agreement", 0.3)
    assert asked(layer=2) == (2, "agreement", 0.3)
    assert asked(method="softmax") == (1, "softmax", None)
    assert asked(threshold=0.5) == (1, "agreement", 0.5)
    assert asked(method="match", threshold=0.6) == (1, "match", 0.6)
    with pytest.raises(UserError, match="threshold: expected 0 or more and less than 1, found 40"):
        asked(threshold=40)


def test_links_come_with_their_words_or_as_a_page(model_folder: Path, tmp_path: Path) -> None:
    lines = "Die Brücke, <b> & Chur.", "La punt,  <b> & Cuira."
    files = parallel(tmp_path, f"{lines[0]}\n\n", f"{lines[1]}\nLa punt.\n")
    for name in ("pharaoh", "jsonl", "html"):
        asked = AlignWords(model=str(model_folder), **files, raw=True, format=name)
        told = align_words(asked, tmp_path / name)
        assert told["sentences"] == 2
    rows = [json.loads(line) for line in (tmp_path / "jsonl").read_text(encoding="utf-8").splitlines()]
    assert rows[0]["source"] == ["Die", "Brücke", ",", "<", "b", ">", "&", "Chur", "."]
    assert rows[1] == {"source": [], "target": ["La", "punt", "."], "links": [], "languages": ["de", "rm"]}
    assert [line.model_dump(mode="json") for line in read_linked(str(tmp_path / "jsonl"))][1] == rows[1]
    pharaoh = [" ".join(f"{i}-{j}" for i, j in row["links"]) for row in rows]
    assert (tmp_path / "pharaoh").read_text().splitlines() == pharaoh
    # The page shows the same links: row and column of each filled square, whatever signs the words have.
    page = Page()
    page.feed((tmp_path / "html").read_text(encoding="utf-8"))
    assert [[page.words[row], page.words[column]] for row, column in page.links] == [
        [rows[0]["source"][i], rows[0]["target"][j]] for i, j in rows[0]["links"]
    ]
    assert "http" not in (tmp_path / "html").read_text(encoding="utf-8")


class Page(HTMLParser):
    """The words of the headers of a page of links, and its filled squares as numbers of these words."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[tuple[int, int]] = []
        self.columns: list[int] = []
        self.cell = -1
        self.scope: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.columns = []
        self.scope = dict(attrs).get("scope") if tag == "th" else None
        if self.scope:
            self.words.append("")
            if self.scope == "col":
                self.columns.append(len(self.words) - 1)
            self.cell = -1
        elif tag == "td":
            self.cell += 1
            if ("class", "link") in attrs:
                self.links.append((len(self.words) - 1, self.columns[self.cell]))

    def handle_endtag(self, tag: str) -> None:
        self.scope = None

    def handle_data(self, data: str) -> None:
        if self.scope:
            self.words[-1] += data


def parallel(folder: Path, source: str, target: str) -> dict[str, str]:
    (folder / "a.de").write_text(source, encoding="utf-8")
    (folder / "a.rm").write_text(target, encoding="utf-8")
    return {"source": str(folder / "a.de"), "target": str(folder / "a.rm")}


def test_one_line_for_each_sentence_even_empty_and_long_ones(model_folder: Path, tmp_path: Path) -> None:
    long = " ".join(["Gemeinde"] * 60)
    files = parallel(tmp_path, f"die Brücke\n\n{long}\n", f"la punt nova\nina punt\n{long}\n")
    summary = align_words(AlignWords(model=str(model_folder), **files), tmp_path / "out.align")
    lines = (tmp_path / "out.align").read_text().split("\n")
    assert len(lines) == 4 and lines[1] == lines[3] == ""
    assert len(lines[0].split()) == 2
    assert len(lines[2].split()) == 60
    assert summary == {"sentences": 3, "links": 62, "windowed": 2}


def test_counting_more_sentence_pairs_finds_what_vectors_do_not(model_folder: Path, tmp_path: Path) -> None:
    words = {"Berg": "munt", "Tal": "val", "Fluss": "flum", "Haus": "chasa", "Tür": "porta", "Brot": "paun"}
    generator = random.Random(0)
    rows = []
    for _ in range(100):
        first, second, third = generator.sample(list(words), 3)
        rows.append((f"{first} {second} {third}", f"{words[second]} {words[first]} {words[third]}"))
    (tmp_path / "more.tsv").write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    files = parallel(tmp_path, "Haus Berg Fluss\n\nTal Haus\n", "munt chasa flum\n\nchasa val\n")
    gold = "0-1 1-0 2-2\n\n0-1 1-0\n"
    common = {"model": str(model_folder), **files, "method": "agreement"}
    align_words(AlignWords(**common), tmp_path / "vectors")
    counting = {"guidance": 0.9, "counts": str(tmp_path / "more.tsv")}
    align_words(AlignWords(**common, **counting), tmp_path / "both")
    assert (tmp_path / "vectors").read_text() != gold == (tmp_path / "both").read_text()
    (tmp_path / "gold").write_text(gold)
    measuring = EvalAlignment(**common, **counting, gold=str(tmp_path / "gold"))
    assert evaluate_alignment(measuring, tmp_path / "scores")["aer"] == 0


def test_half_the_precision_finds_the_same_links(
    model_folder: Path, tmp_path: Path, dtypes_of: Callable[[ModuleType], list[torch.dtype]]
) -> None:
    read = dtypes_of(word_alignment)
    files = parallel(tmp_path, "die Brücke in der Gemeinde\n", "la punt en la vischnanca\n")
    for precision in ("float32", "bfloat16"):
        align_words(AlignWords(model=str(model_folder), **files, layer=1, precision=precision), tmp_path / precision)
    assert (tmp_path / "float32").read_text() == (tmp_path / "bfloat16").read_text()
    assert read == [torch.float32, torch.bfloat16]
    held = load_encoder(str(model_folder), "bfloat16")[0].dtype, load_encoder(str(model_folder), "auto")[0].dtype
    assert held == (torch.bfloat16, torch.float32)


def test_what_counting_cannot_guide_is_told(model_folder: Path, tmp_path: Path) -> None:
    files = parallel(tmp_path, "Haus\n", "chasa\n")
    common = {"model": str(model_folder), **files}
    with pytest.raises(
        UserError, match="guidance: expected a method with probabilities, softmax or agreement, found m"
    ):
        align_words(AlignWords(**common, guidance=0.5), tmp_path / "out")
    with pytest.raises(UserError, match="counts: expected a guidance above 0"):
        AlignWords(**common, counts="more.tsv")
    with pytest.raises(UserError, match="guidance: expected a number between 0 and 1, found 2"):
        AlignWords(**common, guidance=2)
    with pytest.raises(UserError, match=r"missing\.tsv"):
        align_words(AlignWords(**common, method="agreement", guidance=0.5, counts="missing.tsv"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_files_that_do_not_fit_are_named(model_folder: Path, tmp_path: Path) -> None:
    files = parallel(tmp_path, "a\nb\n", "a\n")
    with pytest.raises(UserError, match=r"has 2 lines, .* has 1"):
        align_words(AlignWords(model=str(model_folder), **files), tmp_path / "out.align")
    files = parallel(tmp_path, "a\n", "a\n")
    with pytest.raises(UserError, match="no adapter for language 'en'"):
        align_words(AlignWords(model=str(model_folder), target_language="en", **files), tmp_path / "out.align")
    assert not (tmp_path / "out.align").exists()


@pytest.mark.parametrize(
    ("gold", "message"),
    [
        ("0-0\n1-0\n", "2 lines for 1 sentence pairs"),
        ("0-2\n", r"link 0-2 points outside the sentences \(1 and 2 words"),
        ("0:0\n", 'expected links such as "0-1" or "0p1", found'),
    ],
)
def test_bad_gold_is_named(tmp_path: Path, gold: str, message: str) -> None:
    files = parallel(tmp_path, "a\n", "a b\n")
    (tmp_path / "gold").write_text(gold)
    with pytest.raises(UserError, match=message):
        read_gold(tmp_path / "gold", read_parallel(**files))


def test_possible_links_are_read(tmp_path: Path) -> None:
    files = parallel(tmp_path, "a\n", "a b\n")
    (tmp_path / "gold").write_text("0-0 0p1\n")
    (gold,) = read_gold(tmp_path / "gold", read_parallel(**files))
    assert gold == Gold(frozenset({(0, 0)}), frozenset({(0, 0), (0, 1)}))
