from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import transformers

from swissxmod import load_with_tokenizer
from swissxmod.cli import main
from swissxmod.tasks.fill import fill
from swissxmod.xmod.modeling import XmodForMaskedLM

# Languages and lengths mixed: what is computed together must come back in the order of the texts.
TEXTS = ["La vischnanca <mask> da Cuira.", "Der <mask> ist <mask>.", "Oui <mask>", "La <mask> punt <mask> <mask> nova."]
LANGUAGES = ["rm", "de", "fr", "rm"]


def test_guesses_are_those_of_transformers(model_folder: Path) -> None:
    model, tokenizer = load_with_tokenizer(XmodForMaskedLM, model_folder)
    rows = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in TEXTS]
    found = fill(model, tokenizer, rows, LANGUAGES, 3)
    reference = transformers.XmodForMaskedLM.from_pretrained(model_folder).eval()
    for text, language, masks in zip(TEXTS, LANGUAGES, found, strict=True):
        encoded = tokenizer(text, return_tensors="pt")
        number = torch.tensor([reference.config.languages.index(f"{language}_CH")])
        with torch.no_grad():
            logits = reference(**encoded, lang_ids=number).logits[0]
        chances = logits[encoded["input_ids"][0] == tokenizer.mask_token_id].softmax(dim=-1).topk(3)
        assert len(masks) == text.count("<mask>")
        pieces = [
            [tokenizer.convert_ids_to_tokens(i).replace("▁", " ") for i in row] for row in chances.indices.tolist()
        ]
        assert [[guess.piece for guess in mask] for mask in masks] == pieces
        assert [[guess.probability for guess in mask] for mask in masks] == [
            pytest.approx(row, abs=1e-4) for row in chances.values.tolist()
        ]


def test_a_file_is_filled_in_the_language_that_it_shows(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"id": 1, "text": "Die Gemeinde hat eine neue <mask> gebaut.", "language": "fr"},
        {"id": 2, "text": "La vischnanca ha construì ina <mask> nova en il vitg."},
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    words = ["predict", "fill", "--model", str(model_folder), "--text", str(tmp_path / "a.jsonl")]
    assert main([*words, "--top", "4"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["id"], first["language"], "detected" in first) == (1, "fr", False)
    assert (second["id"], second["language"], second["detected"]["sure"]) == (2, "rm", True)
    assert [len(mask) for mask in second["masks"]] == [4]
    chances = [guess["probability"] for guess in second["masks"][0]]
    assert chances == sorted(chances, reverse=True)


def test_a_text_longer_than_the_model_is_read_in_windows(model_folder: Path) -> None:
    model, tokenizer = load_with_tokenizer(XmodForMaskedLM, model_folder)
    ids = tokenizer("la punt <mask> " * 100, add_special_tokens=False)["input_ids"]
    assert [len(masks) for masks in fill(model, tokenizer, [ids], "rm", 2)] == [100]


def test_a_text_without_a_mask_is_told(model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("La <mask>.\nLa punt.\n")
    words = ["predict", "fill", "--model", str(model_folder), "--text", str(tmp_path / "a.txt"), "--language", "rm"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 2
    assert "a.txt, text 2: expected a text with <mask>, found 'La punt.'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
