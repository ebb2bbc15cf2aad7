from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from swissxmod import AlignDocuments, UserError, align_documents
from swissxmod.cli import main
from swissxmod.tasks import document_alignment
from swissxmod.tasks.document_alignment import Bead, find_beads

Sizes = list[tuple[int, int]]


def spans(sentences: np.ndarray, longest: int) -> dict[int, np.ndarray]:
    """Vectors of sums: as if several sentences together meant what they mean apart."""
    return {
        size: np.array([sentences[i : i + size].sum(axis=0) for i in range(len(sentences) - size + 1)])
        for size in range(1, min(longest, len(sentences)) + 1)
    }


def sizes(beads: list[Bead]) -> Sizes:
    return [(len(bead.source), len(bead.target)) for bead in beads]


def test_beads_by_hand() -> None:
    """Sentences mean directions of their own; the translation joins two, leaves one out, and has one more."""
    source = np.eye(8)[:5]
    target = np.stack([source[0], source[1] + source[2], source[4], np.eye(8)[7]])
    beads = find_beads([spans(source, 3), spans(target, 3)], 4, 0.5)
    assert sizes(beads) == [(1, 1), (2, 1), (1, 0), (1, 1), (0, 1)]
    assert [list(bead.source) for bead in beads] == [[0], [1, 2], [3], [4], []]
    assert [round(bead.similarity, 6) for bead in beads] == [1, 1, 0, 1, 0]
    # Without beads of three sentences, the second is one to one with what is half its translation.
    assert (2, 1) not in sizes(find_beads([spans(source, 1), spans(target, 1)], 2, 0.5))
    # Who leaves out nothing at a price pairs what is left.
    assert (1, 0) not in sizes(find_beads([spans(source, 3), spans(target[:3], 3)], 4, 5.0))


@pytest.mark.parametrize(("cosine", "skip", "expected"), [(0.6, 0.5, [(1, 1)]), (0.6, 0.1, [(0, 1), (1, 0)])])
def test_a_sentence_and_its_only_translation(cosine: float, skip: float, expected: Sizes) -> None:
    source, target = np.array([[1.0, 0.0]]), np.array([[cosine, (1 - cosine**2) ** 0.5]])
    assert sizes(find_beads([{1: source}, {1: target}], 4, skip)) == expected


def units_of(source: np.ndarray, target: np.ndarray, longest: int) -> list[dict[int, np.ndarray]]:
    sides = [spans(side, longest) for side in (source, target)]
    return [{k: v / np.linalg.norm(v, axis=1, keepdims=True) for k, v in side.items()} for side in sides]


def usual_distances(units: list[dict[int, np.ndarray]]) -> list[dict[int, np.ndarray]]:
    if len(units[0][1]) == len(units[1][1]) == 1:
        return [{1: np.ones(1)}] * 2
    return [
        {k: np.array([np.mean([1 - v @ w for w in units[1 - side][1]]) for v in unit]) for k, unit in own.items()}
        for side, own in enumerate(units)
    ]


def cheapest(source: np.ndarray, target: np.ndarray, largest: int, skip: float) -> float:
    """Cost of the best way, of all there are."""
    units = units_of(source, target, largest - 1)
    usual = usual_distances(units)
    steps = [*itertools.product(range(1, largest), repeat=2)]

    def cost(i: int, j: int) -> float:
        if i == len(source) and j == len(target):
            return 0.0
        ways = [cost(i + a, j + b) + skip for a, b in ((1, 0), (0, 1)) if i + a <= len(source) and j + b <= len(target)]
        for a, b in steps:
            if a + b <= largest and i + a <= len(source) and j + b <= len(target):
                distance = a * b * (1 - units[0][a][i] @ units[1][b][j])
                ways.append(cost(i + a, j + b) + distance / ((usual[0][a][i] + usual[1][b][j]) / 2))
        return min(ways)

    return cost(0, 0)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 1000), st.sampled_from([0.1, 0.5, 2.0]))
def test_no_other_way_is_cheaper_and_every_sentence_is_on_it_once(n: int, m: int, seed: int, skip: float) -> None:
    generator = np.random.default_rng(seed)
    source, target = generator.random((n, 4)) + 0.01, generator.random((m, 4)) + 0.01
    vectors = [spans(side, 3) for side in (source, target)]
    beads = find_beads(vectors, 4, skip)
    assert [i for bead in beads for i in bead.source] == list(range(n))
    assert [j for bead in beads for j in bead.target] == list(range(m))
    usual = usual_distances(units_of(source, target, 3))
    total = 0.0
    for bead in beads:
        a, b = len(bead.source), len(bead.target)
        if not a or not b:
            total += skip
            continue
        both = [usual[0][a][bead.source.start], usual[1][b][bead.target.start]]
        total += a * b * (1 - bead.similarity) / np.mean(both)
    assert total == pytest.approx(cheapest(source, target, 4, skip), abs=1e-4)


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
def test_a_few_rows_at_a_time_find_the_same(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(2)
    source, target = generator.random((9, 5)), generator.random((7, 5))
    expected = find_beads([spans(source, 3), spans(target, 3)], 4, 0.6)
    monkeypatch.setattr(document_alignment, "ROWS", rows)
    assert find_beads([spans(source, 3), spans(target, 3)], 4, 0.6) == expected


def texts(folder: Path) -> dict[str, str]:
    """A Romansh text, and the same with two sentences in one line and one left out."""
    source = ["La vischnanca & il chantun.", "", "Ina punt\tnova.", "Il flum è grond.", "Tut <auter>."]
    (folder / "a").write_text("\n".join(source) + "\n", encoding="utf-8")
    (folder / "b").write_text("La vischnanca & il chantun.\nIna punt nova. Il flum è grond.\n", encoding="utf-8")
    return {"source": str(folder / "a"), "target": str(folder / "b"), "source_language": "rm", "target_language": "rm"}


def test_a_text_is_aligned_in_three_formats(model_folder: Path, tmp_path: Path) -> None:
    settings = {"model": str(model_folder), **texts(tmp_path), "skip": 0.2}
    told = align_documents(AlignDocuments(**settings), tmp_path / "tsv")
    assert told == {"source": 4, "target": 2, "beads": {"1-1": 1, "2-1": 1}, "alone": {"source": 1, "target": 0}}
    rows = [line.split("\t") for line in (tmp_path / "tsv").read_text(encoding="utf-8").split("\n")[:-1]]
    assert [row[:2] for row in rows] == [
        ["La vischnanca & il chantun."] * 2,
        ["Ina punt nova. Il flum è grond."] * 2,
    ]  # what has no translation is no pair
    assert [float(row[2]) for row in rows] == pytest.approx([1, 1], abs=1e-3)

    align_documents(AlignDocuments(**settings, format="jsonl"), tmp_path / "jsonl")
    found = [json.loads(line) for line in (tmp_path / "jsonl").read_text(encoding="utf-8").splitlines()]
    assert found[1]["source"] == ["Ina punt nova.", "Il flum è grond."]
    assert [(row["source_numbers"], row["target_numbers"]) for row in found] == [([0], [0]), ([1, 2], [1]), ([3], [])]

    align_documents(AlignDocuments(**settings, format="tmx"), tmp_path / "tmx")
    page = ElementTree.fromstring((tmp_path / "tmx").read_text(encoding="utf-8"))
    units = [
        [(tuv.attrib["{http://www.w3.org/XML/1998/namespace}lang"], tuv[0].text) for tuv in tu.iter("tuv")]
        for tu in page.iter("tu")
    ]
    assert units[0] == [("rm", "La vischnanca & il chantun."), ("rm", "La vischnanca & il chantun.")]
    assert len(units) == 2


def test_half_the_precision_finds_the_same_beads(
    model_folder: Path, tmp_path: Path, dtypes_of: Callable[[ModuleType], list[torch.dtype]]
) -> None:
    held = dtypes_of(document_alignment)
    settings = {"model": str(model_folder), **texts(tmp_path), "skip": 0.2}
    for precision in ("float32", "bfloat16"):
        align_documents(AlignDocuments(**settings, precision=precision), tmp_path / precision)
    assert held == [torch.float32, torch.bfloat16]
    rows = [(tmp_path / name).read_text(encoding="utf-8").splitlines() for name in ("float32", "bfloat16")]
    assert [row.rpartition("\t")[0] for row in rows[0]] == [row.rpartition("\t")[0] for row in rows[1]]


def test_what_was_aligned_can_be_learned_from(model_folder: Path, tmp_path: Path) -> None:
    """The table is what ``finetune alignment`` and ``pretrain`` read."""
    from swissxmod.texts import read_pairs

    align_documents(AlignDocuments(model=str(model_folder), **texts(tmp_path), skip=0.2), tmp_path / "pairs.tsv")
    assert list(read_pairs(str(tmp_path / "pairs.tsv"))) == [
        ("La vischnanca & il chantun.",) * 2,
        ("Ina punt nova. Il flum è grond.",) * 2,
    ]


def test_from_the_command_line(model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = texts(tmp_path)
    words = ["align", "documents", "--model", str(model_folder), "--source", files["source"]]
    words += ["--target", files["target"], "--source-language", "rm", "--skip", "0.2", "--json"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    assert json.loads(capsys.readouterr().out)["beads"] == {"1-1": 1, "2-1": 1}


def test_what_cannot_be_aligned_is_told(model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = texts(tmp_path)
    (tmp_path / "empty").write_text("\n \n")
    with pytest.raises(UserError, match="empty: expected a sentence a line, found empty lines"):
        align_documents(AlignDocuments(model="", **{**files, "target": str(tmp_path / "empty")}), tmp_path / "out")
    for wrong in ({"largest": 1}, {"largest": 17}, {"skip": -1.0}):
        with pytest.raises(UserError, match=next(iter(wrong))):
            AlignDocuments(model="", **files, **wrong)
    monkeypatch.setattr(document_alignment, "CELLS", 7)
    with pytest.raises(UserError, match=r"a has 4 sentences, .*b 2: too long to be aligned at once"):
        align_documents(AlignDocuments(model="", **files), tmp_path / "out")
    assert not (tmp_path / "out").exists()
