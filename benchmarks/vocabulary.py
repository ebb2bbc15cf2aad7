"""Our vocabulary training beside the trainers of ``sentencepiece`` and ``tokenizers``, on the same text and cores.

Each trains a unigram vocabulary of the same size in a process of its own: the time is of the training with reading the
text, the memory the peak of the process. Then each cuts the dev text, whose pieces per white-space word say what the
vocabulary is worth: a faster trainer of a worse one has won nothing.

    python benchmarks/vocabulary.py --text de=de.jsonl.gz rm=rm.jsonl.gz --dev de=de-dev.jsonl rm=rm-dev.jsonl

The text is taken in proportion to what there is (no smoothing), as the others do. ``--trunk`` adds the pieces per word
of an existing tokenizer.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

from common import machine

from swissxmod.texts import read_documents
from swissxmod.tokenizer.folders import load_tokenizer
from swissxmod.tokenizer.measure import count_text, cut_words

OURS, SENTENCEPIECE, TOKENIZERS = "swissxmod", "sentencepiece", "tokenizers"
ACROSS = "sentencepiece, apostrophes in pieces"


def train_ours(text: Path, size: int, threads: int, out: Path) -> None:
    """One thread, whatever is allowed."""
    from swissxmod import VocabTrain, train_vocabulary

    train_vocabulary(VocabTrain(corpora={"all": str(text)}, size=size, alpha=1.0, characters=10**12), out)


def train_sentencepiece(text: Path, size: int, threads: int, out: Path, *, apart: bool = True) -> None:
    """All characters covered, so that nothing in the text is unknown; no line left out.

    By default letters and what is of no script (apostrophes, digits) are never in one piece (``apart``).
    """
    from sentencepiece import SentencePieceTrainer

    SentencePieceTrainer.train(
        input=str(text), model_prefix=str(out), vocab_size=size, model_type="unigram", num_threads=threads,
        character_coverage=1.0, max_sentence_length=10**7, minloglevel=2, split_by_unicode_script=apart,
    )  # fmt: skip


def train_tokenizers(text: Path, size: int, threads: int, out: Path) -> None:
    """With the same normalisation and the same parts of words as ours."""
    from tokenizers import Tokenizer, models, trainers

    from swissxmod.tokenizer.pipeline import SPECIAL, make_tokenizer

    like = make_tokenizer([("▁", -1.0)], form="nfc").backend_tokenizer
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer, tokenizer.pre_tokenizer = like.normalizer, like.pre_tokenizer
    trainer = trainers.UnigramTrainer(
        vocab_size=size, special_tokens=list(SPECIAL), unk_token="<unk>", show_progress=False
    )
    tokenizer.train([str(text)], trainer)
    tokenizer.save(str(out))


TRAINERS = {
    OURS: train_ours,
    SENTENCEPIECE: train_sentencepiece,
    ACROSS: partial(train_sentencepiece, apart=False),
    TOKENIZERS: train_tokenizers,
}


def measure(name: str, text: Path, given: argparse.Namespace, out: Path) -> dict[str, float]:
    """Seconds and MiB of one training, in a process of its own."""
    command = [sys.executable, __file__, "--one", name, "--text", f"all={text}", "--size", str(given.size)]
    answer = subprocess.run(  # noqa: S603
        [*command, "--threads", str(given.threads), "--out", str(out)],
        check=True,
        capture_output=True,
        text=True,
        env={"RAYON_NUM_THREADS": str(given.threads), "TOKENIZERS_PARALLELISM": "true", "PATH": ""},
    )
    return json.loads(answer.stdout.splitlines()[-1])


def one(given: argparse.Namespace) -> None:
    """What a process of :func:`measure` does."""
    start = time.perf_counter()
    TRAINERS[given.one](Path(given.text[0].partition("=")[2]), given.size, given.threads, given.out)
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def fertilities(name: str, out: Path, dev: dict[str, Counter[str]]) -> dict[str, float]:
    """Pieces per word of each language."""
    if name in (SENTENCEPIECE, ACROSS):
        from sentencepiece import SentencePieceProcessor

        processor = SentencePieceProcessor(model_file=f"{out}.model")
        return {
            language: sum(len(processor.encode(word)) * count for word, count in words.items()) / words.total()
            for language, words in dev.items()
        }
    if name == TOKENIZERS:
        from transformers import PreTrainedTokenizerFast

        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(out))
    else:
        tokenizer = load_tokenizer(out, roles=())
    return {language: cut_words(tokenizer, words).fertility for language, words in dev.items()}


def main() -> None:
    """Print a table, ours first, with ratios to ``sentencepiece``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", nargs="+", required=True, metavar="LANGUAGE=FILE")
    parser.add_argument("--dev", nargs="+", default=[], metavar="LANGUAGE=FILE")
    parser.add_argument("--size", type=int, default=50_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--trainers", nargs="+", default=list(TRAINERS), choices=TRAINERS)
    parser.add_argument("--trunk", help="folder or hub name of a tokenizer to compare with")
    parser.add_argument("--one", choices=TRAINERS, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        return one(given)
    print(", ".join(f"{name} {value}" for name, value in machine("cpu").items()), flush=True)
    dev = {name: count_text(read_documents(path)) for name, _, path in (item.partition("=") for item in given.dev)}
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder, "text.txt")
        with text.open("w", encoding="utf-8") as file:
            for _, _, path in (item.partition("=") for item in given.text):
                file.writelines(document.replace("\n", " ") + "\n" for document in read_documents(path))
        costs, worth = {}, {}
        for name in given.trainers:
            costs[name] = measure(name, text, given, Path(folder, name))
            worth[name] = fertilities(name, Path(folder, name), dev)
            print(name, {key: round(value, 1) for key, value in costs[name].items()}, worth[name], flush=True)
    if given.trunk:
        print(given.trunk, fertilities(OURS, given.trunk, dev))
    for name in set(costs) - {SENTENCEPIECE} if SENTENCEPIECE in costs else ():
        ratios = {key: round(costs[name][key] / costs[SENTENCEPIECE][key], 2) for key in costs[name]}
        ratios |= {f"fertility {key}": round(worth[name][key] / worth[SENTENCEPIECE][key], 3) for key in dev}
        print(f"{name} to {SENTENCEPIECE}:", ratios)
    return None


if __name__ == "__main__":
    main()
