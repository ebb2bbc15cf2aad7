"""What tests of several tasks share."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from swissxmod.settings import Precision
from swissxmod.tasks.word_alignment import load_encoder
from swissxmod.xmod.modeling import XmodModel


@pytest.fixture
def dtypes_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModuleType], list[torch.dtype]]:
    """Notes in which precision a module reads with the encoders that it loads from now on."""

    def noted(module: ModuleType) -> list[torch.dtype]:
        held: list[torch.dtype] = []

        def load(source: str, precision: Precision = "float32") -> tuple[XmodModel, PreTrainedTokenizerFast]:
            model, tokenizer = load_encoder(source, precision)
            held.append(model.dtype)
            return model, tokenizer

        monkeypatch.setattr(module, "load_encoder", load)
        return held

    return noted
