"""What the benchmarks share: models, text of natural lengths, and timing in turns."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import torch
import transformers
from torch import Tensor
from transformers import XmodConfig

from swissxmod.eval.records import versions
from swissxmod.files import read_lines
from swissxmod.xmod.inference import pad_batch

BEGIN, PADDING, END, FIRST_PIECE = 0, 1, 2, 4
SPECIAL = SimpleNamespace(bos_token_id=BEGIN, eos_token_id=END, pad_token_id=PADDING)
"""Stands for a tokenizer where only the special pieces matter."""
LAYERS, BATCH = 12, 32
Batch = dict[str, Tensor]
Key = TypeVar("Key")


def config(hidden: int, languages: int, vocabulary: int = 16_000) -> XmodConfig:
    """Twelve layers, no dropout, adapters half as wide as the model as SwissBERT's."""
    return XmodConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        num_hidden_layers=LAYERS,
        num_attention_heads=12,
        intermediate_size=4 * hidden,
        max_position_embeddings=514,
        type_vocab_size=1,
        languages=[f"l{number}" for number in range(languages)],
        ln_before_adapter=False,
        adapter_reuse_layer_norm=False,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        num_labels=9,
    )


@dataclass(frozen=True)
class Text:
    """Sentences as ids without special pieces, and the number of each one's language."""

    rows: list[list[int]]
    languages: list[int]
    vocabulary: int

    @property
    def pieces(self) -> int:
        """Of all sentences, the two special ones of each included."""
        return sum(len(row) + 2 for row in self.rows)

    def padded(self, size: int, device: str, *, by_length: bool) -> list[Batch]:
        """Batches of ``size`` as ``transformers`` takes them, in file order or sorted by length."""
        order = sorted(range(len(self.rows)), key=lambda i: len(self.rows[i]) if by_length else i)
        return [self._batch(order[start : start + size], device) for start in range(0, len(order), size)]

    def _batch(self, numbers: Sequence[int], device: str) -> Batch:
        ids, mask = pad_batch([[BEGIN, *self.rows[i], END] for i in numbers], PADDING)
        batch = {
            "input_ids": ids,
            "attention_mask": mask,
            "lang_ids": torch.tensor([self.languages[i] for i in numbers]),
        }
        return {name: part.to(device) for name, part in batch.items()}


def natural_text(sentences: int, languages: int, vocabulary: int = 16_000, seed: int = 0) -> Text:
    """Random pieces in sentences of natural lengths: lognormal, mean about 35, languages mixed."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.empty(sentences).log_normal_(3.4, 0.55, generator=generator).clamp(1, 256).long().tolist()
    rows = [torch.randint(FIRST_PIECE, vocabulary, (length,), generator=generator).tolist() for length in lengths]
    return Text(rows, torch.randint(languages, (sentences,), generator=generator).tolist(), vocabulary)


def file_text(path: Path, tokenizer: str, sentences: int, languages: int) -> Text:
    """The first sentences of a file with one a line; the languages of the adapters are dealt out in turn."""
    texts = [line.strip() for line in islice(read_lines(path), sentences)]
    cut = transformers.AutoTokenizer.from_pretrained(tokenizer)
    rows = cut(texts, add_special_tokens=False, truncation=True, max_length=500)["input_ids"]
    return Text(rows, [number % languages for number in range(len(rows))], len(cut))


def median_seconds(runs: dict[Key, Callable[[], object]], rounds: int, device: str) -> dict[Key, float]:
    """Median seconds of each, all taken in turns so that a busy machine slows all alike."""
    seconds: dict[Key, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if device == "cuda":
                torch.cuda.synchronize()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def arithmetic(text: Text, hidden: int) -> float:
    """Floating-point operations to encode a text: the products of the layers, adapters and attention included."""
    per_piece = 2 * LAYERS * hidden**2 * (4 + 8 + 1)
    return per_piece * text.pieces + sum(4 * LAYERS * hidden * (len(row) + 2) ** 2 for row in text.rows)


def matrix_peak() -> float:
    """Operations a second that the device reaches on one large bfloat16 product."""
    left, right = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    seconds = median_seconds({"product": lambda: left @ right}, 20, "cuda")["product"]
    return 2 * 8192**3 / seconds


def machine(device: str) -> dict[str, Any]:
    """What to write beside every number."""
    name = torch.cuda.get_device_name() if device == "cuda" else _processor()
    return {"device": name, "threads": torch.get_num_threads()} | versions()


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores"
