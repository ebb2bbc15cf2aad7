"""The rules of a vocabulary transplant beside each other: masked-language-modelling loss at once and after some steps.

    python benchmarks/transplant.py --model TRUNK --vocab VOCAB --text de=de.jsonl.gz rm=rm.jsonl.gz --dev de=dev.jsonl

``TRUNK`` is what ``swissxmod model modularise`` makes, ``VOCAB`` what ``swissxmod vocab train`` makes. Every rule and
seed trains the same number of steps with SwissBERT's plan (trunk frozen); the seed chooses text, order and masks, and
the rows of the rule ``random``. Losses are in bits per character on the same masked pieces of the dev text.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from common import machine

from swissxmod import Pretrain, VocabTransplant, pretrain, transplant_vocabulary

RULES = ("mean", "focus", "random")


def main() -> None:
    """Print a line for each rule and seed, then means and spreads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--vocab", required=True)
    parser.add_argument("--text", nargs="+", required=True, metavar="LANGUAGE=FILE")
    parser.add_argument("--dev", nargs="+", required=True, metavar="LANGUAGE=FILE")
    parser.add_argument("--rules", nargs="+", default=RULES, choices=RULES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    given = parser.parse_args()
    print(", ".join(f"{name} {value}" for name, value in machine("cpu").items()), flush=True)
    corpora, dev = (dict(item.split("=", 1) for item in items) for items in (given.text, given.dev))
    after: dict[str, dict[int, dict[str, float]]] = {rule: {} for rule in given.rules}
    for seed in given.seeds:
        for rule in given.rules:
            with tempfile.TemporaryDirectory() as folder:
                start = Path(folder, "start")
                transplant = VocabTransplant(
                    model=given.model, vocab=given.vocab, rule=rule, seed=seed,
                    corpora=corpora if rule == "focus" else {},
                )  # fmt: skip
                counts = transplant_vocabulary(transplant, start)
                training = Pretrain(
                    model=str(start), corpora=dict(corpora), dev=dict(dev), steps=given.steps, seed=seed,
                    batch_size=given.batch_size, learning_rate=given.learning_rate,
                )  # fmt: skip
                bits = pretrain(training, Path(folder, "adapted"))["bits_per_character"]
            after[rule][seed] = bits["after"]
            print(json.dumps({"rule": rule, "seed": seed, **bits, "rows": counts}), flush=True)
    for rule, by_seed in after.items():
        for language in next(iter(by_seed.values())):
            values = [bits[language] for bits in by_seed.values()]
            print(rule, language, f"mean {statistics.mean(values):.4f}, from {min(values):.4f} to {max(values):.4f}")


if __name__ == "__main__":
    main()
