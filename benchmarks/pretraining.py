"""Throughput of pretraining beside a plain ``Trainer`` with ``XmodForMaskedLM`` of ``transformers``.

Both learn from the same weights, on the same blocks of random pieces, with the trunk frozen. First the two give
the same loss on the same batch; then they train in turns, a few steps at a time, each in its own process, and the
median rate of each counts. The peer masks by ``DataCollatorForLanguageModeling``.

Run: python benchmarks/pretraining.py [--rounds 5] [--steps 12] [--out pretraining.json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import transformers
from common import config, machine
from torch import Tensor
from torch.utils.data import Dataset

import swissxmod
from swissxmod.xmod.adapters import PLANS, train_only
from swissxmod.xmod.pretraining.masking import MaskedBlocks
from swissxmod.xmod.pretraining.sources import Block
from swissxmod.xmod.pretraining.trainer import PretrainingTrainer
from swissxmod.xmod.training import TrainingPlan, train

HIDDEN, LANGUAGES, VOCABULARY, BATCH, BLOCK = 384, 4, 50_000, 16, 128
WARM = 3
"""Steps that are not timed."""


class Clock(transformers.TrainerCallback):
    """When each step ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Look at the clock."""
        self.ends.append(time.perf_counter())

    def rate(self) -> float:
        """Tokens a second of the timed steps."""
        return BATCH * BLOCK * (len(self.ends) - WARM) / (self.ends[-1] - self.ends[WARM - 1])


class Plain(Dataset[dict[str, Tensor]]):
    """Blocks as ``transformers`` takes them."""

    def __init__(self, blocks: list[Block]) -> None:
        self.blocks = blocks

    def __len__(self) -> int:
        """Number of blocks."""
        return len(self.blocks)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Ids and the adapter's number; the peer masks them."""
        ids, lang_id = self.blocks[index]
        return {"input_ids": ids, "lang_ids": lang_id}


def make_tokenizer() -> transformers.PreTrainedTokenizerFast:
    """Fifty thousand pieces: only the special ones matter here."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    names = ["<s>", "<pad>", "</s>", "<unk>", *(f"▁{number}" for number in range(VOCABULARY - 5)), "<mask>"]
    model = WordLevel({name: number for number, name in enumerate(names)}, unk_token="<unk>")
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(model),
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
    )


def make_blocks(count: int) -> list[Block]:
    """Blocks of random pieces, languages in turn."""
    generator = torch.Generator().manual_seed(1)
    inside = torch.randint(4, VOCABULARY - 1, (count, BLOCK - 2), generator=generator)
    ends = torch.zeros(count, 1, dtype=torch.long)
    rows = torch.cat([ends, inside, ends + 2], dim=1)
    return [(row, torch.tensor(number % LANGUAGES)) for number, row in enumerate(rows)]


def make_model(library: Any) -> Any:  # noqa: ANN401
    """The model of either library, from the same weights, as the plan "swissbert" trains it."""
    torch.manual_seed(0)
    weights = transformers.XmodForMaskedLM(config(HIDDEN, LANGUAGES, VOCABULARY)).state_dict()
    model = library.XmodForMaskedLM(config(HIDDEN, LANGUAGES, VOCABULARY))
    model.load_state_dict(weights)
    train_only(model, PLANS["swissbert"])
    return model


def same_loss() -> float:
    """Difference of the two losses on one masked batch."""
    dataset = MaskedBlocks(make_blocks(BATCH), make_tokenizer(), 0.15, seed=1)
    batch = dataset.collate([dataset[number] for number in range(BATCH)])
    with torch.no_grad():
        losses = [float(make_model(library).eval()(**batch).loss) for library in (transformers, swissxmod)]
    return abs(losses[0] - losses[1])


def train_ours(precision: str, steps: int, work: Path) -> float:
    """Tokens a second of our trainer."""
    tokenizer, clock = make_tokenizer(), Clock()
    model = make_model(swissxmod)
    dataset = MaskedBlocks(make_blocks(BATCH * steps), tokenizer, 0.15, seed=1)
    plan = TrainingPlan(
        steps=steps, batch_size=BATCH, learning_rate=1e-4, warmup=0.1, weight_decay=0.01,
        precision=precision, seed=1, title="swissxmod",
    )  # fmt: skip

    def trainer(**kwargs: Any) -> PretrainingTrainer:  # noqa: ANN401
        return PretrainingTrainer(languages=model.languages, measure=lambda *args: {}, **kwargs)

    train(model, dataset, dataset.collate, plan, work, [clock], trainer)
    return clock.rate()


def train_theirs(precision: str, steps: int, work: Path) -> float:
    """Tokens a second of a plain ``Trainer``."""
    tokenizer, clock = make_tokenizer(), Clock()
    arguments = transformers.TrainingArguments(
        output_dir=str(work),
        max_steps=steps,
        per_device_train_batch_size=BATCH,
        learning_rate=1e-4,
        bf16=precision == "bfloat16",
        use_cpu=not torch.cuda.is_available(),
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    transformers.Trainer(
        model=make_model(transformers),
        args=arguments,
        train_dataset=Plain(make_blocks(BATCH * steps)),
        data_collator=transformers.DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15),
        callbacks=[clock],
    ).train()
    return clock.rate()


SIDES = {"transformers": train_theirs, "swissxmod": train_ours}


def measure(side: str, precision: str, steps: int) -> float | str:
    """Tokens a second of one side in a process of its own, or the error that ended it."""
    command = [sys.executable, __file__, "--side", side, "--precision", precision, "--steps", str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - this script itself
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    return float(lines[-1]) if done.returncode == 0 else lines[-1]


def compare(rounds: int, steps: int) -> dict[str, Any]:
    """Rates of each side and precision, taken in turns, and what ours is to the peer's in float32."""
    cells = [(side, precision) for precision in ("float32", "bfloat16") for side in SIDES]
    rates: dict[str, list[float]] = {}
    errors: dict[str, str] = {}
    for _ in range(rounds):
        for side, precision in cells:
            name = f"{side} {precision}"
            if name in errors:
                continue
            found = measure(side, precision, steps)
            if isinstance(found, str):
                errors[name] = found
            else:
                rates.setdefault(name, []).append(found)
            print(f"{name}: {found if isinstance(found, str) else f'{found:,.0f} tokens/s'}", flush=True)
    median = {name: statistics.median(values) for name, values in rates.items()}
    base = median["transformers float32"]
    return {
        "tokens_per_second": {name: round(value) for name, value in median.items()},
        "ratio": {name: round(value / base, 2) for name, value in median.items()},
        "spread": {name: [round(min(values)), round(max(values))] for name, values in rates.items()},
        "errors": errors,
    }


def main() -> None:
    """Run one side, or compare all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--side", choices=list(SIDES))
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.side:
        with tempfile.TemporaryDirectory() as work:
            print(SIDES[given.side](given.precision, given.steps, Path(work)))
        return
    if (difference := same_loss()) > 1e-4:
        sys.exit(f"the two losses differ by {difference}")
    print(f"loss on one batch: equal to {difference:.1e}")
    result = compare(given.rounds, given.steps) | {"machine": machine("cuda" if torch.cuda.is_available() else "cpu")}
    text = json.dumps(result, indent=2, ensure_ascii=False)
    print(text)
    if given.out:
        given.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
