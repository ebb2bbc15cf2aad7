from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from swissxmod import FinetuneNer, finetune_ner


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
