"""A tiny tokenizer and tiny models, made here: no test needs the network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import settings
from transformers import PreTrainedTokenizerFast

from swissxmod import FinetuneNer, ModelInit, VocabTrain, finetune_ner, init_model, load_tokenizer, train_vocabulary

if TYPE_CHECKING:
    from playwright.sync_api import Browser

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


@pytest.fixture(scope="session")
def small_tagger(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes a German tagger that knows the sentences it is given by heart, in CoNLL's form."""

    def make(sentences: str) -> Path:
        folder = tmp_path_factory.mktemp("small")
        (folder / "de.conll").write_text(sentences)
        settings = FinetuneNer(
            model=str(model_folder), train={"de": str(folder / "de.conll")}, epochs=30, learning_rate=1e-2,
            freeze=False, precision="float32", dropout=0.0,
        )  # fmt: skip
        finetune_ner(settings, folder / "ner")
        return folder / "ner"

    return make


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium; the test is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pages are tested with playwright (pip)")
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("pages are tested in Chromium, which is not installed")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=program)
        yield chromium
        chromium.close()


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
