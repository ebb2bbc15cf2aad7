"""Training the subword vocabulary: a SentencePiece-style unigram model with XLM-R's special tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from ..errors import UserError
from ..files import new_folder, refuse_used_folder
from ..settings import VocabTrain
from ..texts import read_documents
from .measure import count_text, cut_words
from .pipeline import BYTES, SPECIAL, check_symbols, make_tokenizer, splitter, white_space_words
from .unigram import Count, train_unigram
from .words import count_parts, count_words, smoothed_counts

# Every letter and sign that the four languages and Romansh orthography need has a piece of its own, however rare.
ALPHABET = "▁abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" + (
    "àâäæçèéêëìíîïñòóôöœùúûüÿßÀÂÄÆÇÈÉÊËÌÍÎÏÑÒÓÔÖŒÙÚÛÜŸẞ.,;:!?…'’‘\"«»„“”‹›()[]{}<>/\\|&@#%‰*+-–—=_~^°§€$£·•×"
)
SAMPLE = 200
"""Documents of each language that the pieces per word in the summary are of."""


def train_vocabulary(settings: VocabTrain, out: str | Path) -> dict[str, Any]:
    """Train a vocabulary and write it as a tokenizer folder.

    Args:
        settings: what to train on and how large.
        out: folder to make.

    Returns:
        size of the vocabulary; characters read of each language, the share of its documents that these were drawn from
        (1 for all), its share of the training, and pieces per word.

    Raises:
        UserError: for text that cannot be read, or too little of it for the size.
    """
    refuse_used_folder(out)
    check_symbols(settings.user_defined_symbols, settings.normalisation)
    counted, told = _count(settings)
    tokenizer = _train(counted, settings)
    with new_folder(out) as folder:
        tokenizer.save_pretrained(folder)
    return {
        "size": len(tokenizer),
        **told,
        "pieces_per_word": {language: _fertility(tokenizer, settings, language) for language in settings.corpora},
    }


def _fertility(tokenizer: PreTrainedTokenizerFast, settings: VocabTrain, language: str) -> float:
    documents = islice(read_documents(settings.corpora[language], settings.text_column), SAMPLE)
    return round(cut_words(tokenizer, count_text(documents)).fertility, 4)


def _count(settings: VocabTrain) -> tuple[dict[str, Count], dict[str, Any]]:
    """The parts of words, and what to tell of each language's text."""
    texts = {
        language: count_words(
            partial(read_documents, paths, settings.text_column),
            partial(white_space_words, form=settings.normalisation),
            limit=settings.characters,
            seed=f"{settings.seed}-{language}",
            title=f"reading {language}",
        )
        for language, paths in settings.corpora.items()
    }
    seen, weights, shares = smoothed_counts(texts, settings.alpha, settings.min_share)
    covered = frequent_characters(seen, settings.character_coverage) | set(ALPHABET)
    cut = splitter(settings.user_defined_symbols)

    def parts(word: str) -> Iterable[str]:
        return (part for part, _ in cut.pre_tokenize_str(word) if covered.issuperset(part))

    counted = count_parts(seen, weights, parts, without=settings.user_defined_symbols)
    told = {
        "characters": {language: text.characters for language, text in texts.items()},
        "drawn": {language: text.share for language, text in texts.items()},
        "share": {language: round(share, 4) for language, share in shares.items()},
    }
    return counted, told


def _train(counted: Mapping[str, Count], settings: VocabTrain) -> PreTrainedTokenizerFast:
    symbols = settings.user_defined_symbols
    always = len(SPECIAL) + 1 + len(symbols) + settings.byte_fallback * len(BYTES)
    pieces = train_unigram(counted, settings.size - always, set(ALPHABET) - set(symbols))
    _check_size(always + len(pieces), settings)
    return make_tokenizer(pieces, form=settings.normalisation, symbols=symbols, byte_fallback=settings.byte_fallback)


def frequent_characters(words: Mapping[str, int], coverage: float) -> set[str]:
    """The most frequent characters that together make up ``coverage`` of the text; none is left out by its order."""
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for character in word:
            counts[character] += count
    left = coverage * counts.total()
    covered: set[str] = set()
    last = 0
    for character, count in counts.most_common():
        if left <= 0 and count < last:
            break
        covered.add(character)
        left -= count
        last = count
    return covered


def _check_size(found: int, settings: VocabTrain) -> None:
    if found < settings.size:
        raise UserError(f"the text supports {found} pieces, not {settings.size}: give more text or a smaller --size")
    if found > settings.size:
        raise UserError(
            f"size: special tokens, {'bytes, ' if settings.byte_fallback else ''}letters and signs alone need {found} "
            f"pieces, found {settings.size}: give a larger --size or a smaller --character_coverage"
            + (", or leave the bytes out (--byte_fallback false)" if settings.byte_fallback else "")
        )
