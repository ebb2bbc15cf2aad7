from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from swissxmod import encode
from swissxmod.cli import main
from swissxmod.tasks import embed as module
from swissxmod.tasks.word_alignment import load_encoder

LINES = ["La vischnanca da Cuira.", "", "Oui.", "La punt nova è lunga."]


@pytest.fixture
def words(model_folder: Path, tmp_path: Path) -> list[str]:
    (tmp_path / "a.txt").write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return ["embed", "--model", str(model_folder), "--text", str(tmp_path / "a.txt")]


def expected(model_folder: Path, **how: int | str | bool) -> np.ndarray:
    model, tokenizer = load_encoder(str(model_folder))
    return encode(model, tokenizer, LINES, "rm", **how).numpy()


@pytest.mark.parametrize("together", [1, 30, 2_000_000])
def test_vectors_are_those_of_encode(
    words: list[str], model_folder: Path, tmp_path: Path, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHARACTERS", together)
    assert main([*words, "--language", "rm", "--format", "npy", "--out", str(tmp_path / "v.npy")]) == 0
    found = np.load(tmp_path / "v.npy")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected(model_folder, special=True), atol=1e-5)
    for layer in (1, "mean"):
        more = ["--layer", str(layer), "--special", "false", "--format", "npy", "--out", str(tmp_path / f"{layer}.npy")]
        assert main([*words, "--language", "rm", *more]) == 0
        np.testing.assert_allclose(np.load(tmp_path / f"{layer}.npy"), expected(model_folder, layer=layer), atol=1e-5)


def test_half_the_precision_is_nearly_the_same(words: list[str], model_folder: Path, tmp_path: Path) -> None:
    more = ["--language", "rm", "--format", "npy", "--precision", "bfloat16", "--out", str(tmp_path / "v.npy")]
    assert main([*words, *more]) == 0
    found, whole = np.load(tmp_path / "v.npy"), expected(model_folder, special=True)
    assert found.dtype == np.float32
    assert 1e-5 < np.abs(found - whole).max() < 0.05


def test_objects_keep_what_they_had(
    words: list[str], model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"id": 3, "text": LINES[0], "language": "rm"}, {"text": "La vischnanca ha construì ina punt nova."}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert main([*words[:-1], str(tmp_path / "a.jsonl")]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["id"] == 3 and "detected" not in first
    np.testing.assert_allclose(first["vector"], expected(model_folder, special=True)[0], atol=1e-5)
    assert (second["language"], second["detected"]["sure"]) == ("rm", True)


def test_an_array_needs_a_file(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--format", "npy"]) == 2
    assert "npy cannot go to standard output" in capsys.readouterr().err
    assert main([*words, "--layer", "9", "--out", str(tmp_path / "out")]) == 2
    assert "layer: expected -3 to 2 or mean, found 9" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
