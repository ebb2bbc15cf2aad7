"""A tiny tokenizer and tiny models, made here: no test needs the network."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from transformers import PreTrainedTokenizerFast

from swissxmod import ModelInit, VocabTrain, init_model, load_tokenizer, train_vocabulary

# How long an example takes says how busy the machine is.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

LANGUAGES = ["de_CH", "fr_CH", "it_CH", "rm_CH"]
SAMPLE = Path(__file__).parents[1] / "sample"


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the shards of tests out of the user's cache."""
    os.environ["SWISSXMOD_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def corpora() -> dict[str, str]:
    """A JSONL file of each language, from the bundled sample."""
    return {language: str(SAMPLE / "corpora" / language[:2] / "train.jsonl") for language in LANGUAGES}


@pytest.fixture(scope="session")
def vocab(tmp_path_factory: pytest.TempPathFactory, corpora: dict[str, str]) -> Path:
    """A tokenizer folder."""
    out = tmp_path_factory.mktemp("vocab") / "vocab"
    train_vocabulary(VocabTrain(corpora=dict(corpora), size=900), out)
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


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with corpora/{de,fr,it,rm}/{train.jsonl.gz,dev.jsonl}; the test is skipped without one."""
    return _given("SWISSXMOD_TEST_DATA", "corpora in four languages")


@pytest.fixture(scope="session")
def real_trunk() -> Path:
    """Folder of a RoBERTa or XLM-R checkpoint; the test is skipped without one."""
    return _given("SWISSXMOD_TEST_TRUNK", "a RoBERTa or XLM-R checkpoint")


def _given(variable: str, what: str) -> Path:
    if variable not in os.environ:
        pytest.skip(f"set {variable} to the folder of {what}")
    return Path(os.environ[variable])
