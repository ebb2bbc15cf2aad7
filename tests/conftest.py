"""A tiny tokenizer and tiny models, made here: no test needs the network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from swissxmod import ModelInit, VocabTrain, init_model, load_tokenizer, train_vocabulary

LANGUAGES = ["de_CH", "fr_CH", "it_CH", "rm_CH"]
TEXT = {
    "de_CH": ["Die Gemeinde baut im Sommer eine neue Brücke.", "Am Montag fährt der Zug nach Chur erst um neun Uhr."],
    "fr_CH": ["La commune construit un nouveau pont cet été.", "Lundi, le train pour Coire ne part qu'à neuf heures."],
    "it_CH": ["Il comune costruisce un nuovo ponte in estate.", "Lunedì il treno per Coira parte solo alle nove."],
    "rm_CH": [
        "La vischnanca construescha ina nova punt la stad.",
        "Il glindesdi parta il tren per Cuira pir a las nov.",
    ],
}


@pytest.fixture(scope="session")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A JSONL file of each language."""
    folder = tmp_path_factory.mktemp("corpora")
    paths = {}
    for language, lines in TEXT.items():
        path = folder / f"{language}.jsonl"
        path.write_text("".join(json.dumps({"text": line}, ensure_ascii=False) + "\n" for line in lines * 20))
        paths[language] = str(path)
    return paths


@pytest.fixture(scope="session")
def vocab(tmp_path_factory: pytest.TempPathFactory, corpora: dict[str, str]) -> Path:
    """A tokenizer folder."""
    out = tmp_path_factory.mktemp("vocab") / "vocab"
    train_vocabulary(VocabTrain(corpora=dict(corpora), size=280), out)
    return out


@pytest.fixture(scope="session")
def tokenizer(vocab: Path) -> PreTrainedTokenizerFast:
    return load_tokenizer(vocab)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory, vocab: Path) -> Path:
    """A masked language model with random weights and room for 20 tokens."""
    out = tmp_path_factory.mktemp("model") / "model"
    settings = ModelInit(
        vocab=str(vocab), languages=LANGUAGES, hidden_size=32, layers=2, heads=4, intermediate_size=64, max_tokens=20
    )
    init_model(settings, out)
    return out


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)
