"""Training the subword vocabulary: a SentencePiece-style unigram model with XLM-R's special tokens.

Unigram language model: Kudo 2018, "Subword Regularization". Special tokens and their ids are XLM-R's: ``<s>`` 0,
``<pad>`` 1, ``</s>`` 2, ``<unk>`` 3, and ``<mask>`` last.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from ..errors import UserError
from ..files import new_folder, refuse_used_folder
from ..settings import VocabTrain
from ..texts import read_documents, smoothed_shares, total_characters

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
MASK = "<mask>"
# Every letter and sign that the four languages and Romansh orthography need has a piece of its own, however rare.
ALPHABET = "▁abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" + (
    "àâäæçèéêëìíîïñòóôöœùúûüÿßÀÂÄÆÇÈÉÊËÌÍÎÏÑÒÓÔÖŒÙÚÛÜŸ.,;:!?…'’‘\"«»„“”‹›()[]{}<>/\\|&@#%‰*+-–—=_~^°§€$£·•×"
)


def train_vocabulary(settings: VocabTrain, out: str | Path) -> dict[str, Any]:
    """Train a vocabulary and write it as a tokenizer folder.

    Args:
        settings: what to train on and how large.
        out: folder to make.

    Returns:
        size of the vocabulary, and characters sampled and pieces per word of each language.

    Raises:
        UserError: for text that cannot be read, or too little of it for the size.
    """
    refuse_used_folder(out)
    corpora = {language: list(read_documents(paths)) for language, paths in settings.corpora.items()}
    samples = sample_documents(corpora, settings)
    tokenizer = _train([line for lines in samples.values() for line in lines], settings.size)
    wrapped = wrap_tokenizer(tokenizer)
    with new_folder(out) as folder:
        wrapped.save_pretrained(folder)
    return {
        "size": len(wrapped),
        "characters": {language: total_characters(lines) for language, lines in samples.items()},
        "pieces_per_word": {language: fertility(wrapped, lines[:500]) for language, lines in samples.items()},
    }


def sample_documents(corpora: dict[str, list[str]], settings: VocabTrain) -> dict[str, list[str]]:
    """Lines of each language, in smoothed proportion, up to ``settings.characters`` together."""
    shares = smoothed_shares({name: total_characters(texts) for name, texts in corpora.items()}, settings.alpha)
    # No more than there is to read: the largest corpus is taken once at most.
    budget = min(settings.characters, sum(total_characters(texts) for texts in corpora.values()))
    return {
        name: list(_lines_up_to(texts, shares[name] * budget, random.Random(f"{settings.seed}-{name}")))
        for name, texts in corpora.items()
    }


def _lines_up_to(documents: list[str], characters: float, generator: random.Random) -> Iterator[str]:
    taken = 0.0
    while taken < characters:
        for document in generator.sample(documents, len(documents)):
            if taken >= characters:
                return
            taken += len(document)
            yield from document.split("\n")


def _train(lines: list[str], size: int) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(prepend_scheme="always"),
            # As in SentencePiece no piece mixes letters and signs, save the apostrophe: "l'Engiadina" is one word, so
            # that the trainer, which only considers strings that two words share, sees "l'" in many.
            pre_tokenizers.Split(Regex(r"▁?[^\w\s▁'’]+"), "isolated"),
        ]
    )
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    trainer = trainers.UnigramTrainer(
        vocab_size=size - 1,
        special_tokens=list(SPECIAL),
        unk_token="<unk>",
        initial_alphabet=sorted(set(ALPHABET)),
        show_progress=False,
    )
    tokenizer.train_from_iterator(lines, trainer)
    found = tokenizer.get_vocab_size() + 1
    if found < size:
        raise UserError(f"the text supports {found} pieces, not {size}: give more text or a smaller --size")
    if found > size:
        raise UserError(f"size: the letters and signs alone need {found} pieces, found {size}")
    tokenizer = _settled(tokenizer)
    tokenizer.add_special_tokens([AddedToken(MASK, lstrip=True, special=True)])
    begin, end = (tokenizer.token_to_id(token) for token in ("<s>", "</s>"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", begin), ("</s>", end)]
    )
    return tokenizer


def _settled(tokenizer: Tokenizer) -> Tokenizer:
    """The same tokenizer with scores of ten places, best first.

    The trainer adds up in the order of a hash table, so that the last digits, and with them the order of the pieces,
    change from run to run; so does the order of the characters it adds at the end because the pieces lack them, each a
    ten-thousandth below the one before.
    """
    state = json.loads(tokenizer.to_str())
    special, pieces = state["model"]["vocab"][: len(SPECIAL)], state["model"]["vocab"][len(SPECIAL) :]
    rounded = [[piece, round(score, 10)] for piece, score in pieces]
    ordered = sorted(rounded, key=lambda entry: (-entry[1], entry[0]))
    added = len(ordered)
    while added and len(ordered[added - 1][0]) == 1:
        added -= 1
    scores = [score for _, score in ordered[added:]]
    tail = [list(entry) for entry in zip(sorted(piece for piece, _ in ordered[added:]), scores, strict=True)]
    state["model"]["vocab"] = special + ordered[:added] + tail
    return Tokenizer.from_str(json.dumps(state))


def wrap_tokenizer(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """A tokenizer with XLM-R's special tokens as ``transformers`` wants it."""
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        cls_token="<s>",
        unk_token="<unk>",
        pad_token="<pad>",
        mask_token=MASK,
        model_max_length=512,
        model_input_names=["input_ids", "attention_mask"],
    )


def fertility(tokenizer: PreTrainedTokenizerFast, lines: list[str]) -> float:
    """Pieces per white-space word."""
    words = sum(len(line.split()) for line in lines)
    pieces = sum(len(ids) for ids in tokenizer(lines, add_special_tokens=False)["input_ids"])
    return pieces / words if words else 0.0
