"""What surrounds the pieces: normalisation, the parts that pieces may not cross, special tokens, decoding.

Special tokens and their ids are XLM-R's: ``<s>`` 0, ``<pad>`` 1, ``</s>`` 2, ``<unk>`` 3, and ``<mask>`` last.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Literal

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from ..errors import UserError
from ..settings import Normalisation

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
MASK = "<mask>"
BLANK = "▁"
"""Stands for a blank at the beginning of a word."""
BYTES = tuple(f"<0x{number:02X}>" for number in range(256))
Prepend = Literal["always", "never"]

# Soft hyphens, zero-width spaces, word joiners and byte order marks: invisible, common in text from the web, and each
# would cut a word in two. Joiners that change how letters look (U+200C, U+200D) stay.
_INVISIBLE = "\u00ad\u200b\u2060\ufeff"
# Information separators are white space in Python only.
_BLANKS = rf"[\s\x1c-\x1f{BLANK}]+"
# As in SentencePiece no piece mixes letters and signs, save the apostrophe: "l'Engiadina" is one word, so that "l'" can
# be a piece.
_SIGNS = rf"{BLANK}?[^\w\s{BLANK}'’]+"


def normalise(text: str, form: Normalisation) -> str:
    """What the tokenizer does to a text before cutting it.

    Invisible characters go, Unicode is composed (NFC; NFKC also replaces compatibility characters, "…" by "..."), white
    space (and "▁") becomes one blank, none at the ends. NFC changes no visible character of the four languages.
    """
    return re.sub(_BLANKS, " ", compose(text, form)).strip(" ")


def compose(text: str, form: Normalisation) -> str:
    """:func:`normalise`, white space left as it is."""
    for character in _INVISIBLE:
        text = text.replace(character, "")
    return unicodedata.normalize(form.upper(), text)  # type: ignore[arg-type]


def white_space_words(text: str, form: Normalisation) -> list[str]:
    """The words of :func:`normalise`, faster."""
    return compose(text, form).replace(BLANK, " ").split()


def make_tokenizer(
    pieces: Sequence[tuple[str, float]],
    *,
    form: Normalisation,
    symbols: Sequence[str] = (),
    byte_fallback: bool = False,
) -> PreTrainedTokenizerFast:
    """A tokenizer from the pieces of a unigram vocabulary.

    Args:
        pieces: with their log probabilities, in the order of their ids.
        form: see :func:`normalise`.
        symbols: the user's own pieces, never cut.
        byte_fallback: characters that no piece has become their bytes, so that nothing is unknown.
    """
    always = [(piece, 0.0) for piece in (*symbols, *(BYTES if byte_fallback else ()))]
    return assemble([*always, *pieces], _normaliser(form), splitter(symbols), byte_fallback)


def assemble(
    pieces: Sequence[tuple[str, float]],
    normaliser: normalizers.Normalizer,
    words: pre_tokenizers.PreTokenizer,
    byte_fallback: bool,
    prepend: Prepend = "always",
) -> PreTrainedTokenizerFast:
    """A unigram tokenizer from its parts: special tokens, then ``pieces``, then ``<mask>``.

    Args:
        pieces: with their log probabilities, in the order of their ids.
        normaliser: of the text.
        words: cuts the text into what no piece crosses.
        byte_fallback: ``pieces`` hold the bytes, and characters without a piece become theirs.
        prepend: whether a text begins with a blank, as ``words`` makes it.
    """
    vocabulary = [*((token, 0.0) for token in SPECIAL), *pieces]
    tokenizer = Tokenizer(models.Unigram(vocabulary, SPECIAL.index("<unk>"), byte_fallback))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normaliser, words
    tokenizer.decoder = decoders.Sequence(
        [*([decoders.ByteFallback()] if byte_fallback else []), decoders.Metaspace(prepend_scheme=prepend)]
    )
    return wrap_tokenizer(tokenizer)


def _normaliser(form: Normalisation) -> normalizers.Normalizer:
    """:func:`normalise`, as the tokenizer's own."""
    return normalizers.Sequence(
        [
            normalizers.Replace(Regex(f"[{_INVISIBLE}]"), ""),
            normalizers.NFC() if form == "nfc" else normalizers.NFKC(),
            normalizers.Replace(Regex(_BLANKS), " "),
            normalizers.Strip(),
        ]
    )


def splitter(symbols: Sequence[str] = ()) -> pre_tokenizers.PreTokenizer:
    """Cuts normalised text into the parts that no piece may cross: words, runs of signs, and the user's symbols."""
    pattern = f"{symbol_pattern(symbols)}|{_SIGNS}" if symbols else _SIGNS
    return pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(prepend_scheme="always"), pre_tokenizers.Split(Regex(pattern), "isolated")]
    )


def symbol_pattern(symbols: Sequence[str]) -> str:
    """A regular expression for any of the symbols, the longest that fits, and for a blank that is before one."""
    either = "|".join(map(re.escape, sorted(symbols, key=lambda symbol: (-len(symbol), symbol))))
    return f"{BLANK}(?={either})|{either}"


def check_symbols(symbols: Sequence[str], form: Normalisation) -> None:
    """Raise :class:`UserError` for symbols that could not be found in a text, or are taken."""
    for symbol in symbols:
        if not symbol or re.search(r"\s", symbol) or normalise(symbol, form) != symbol:
            raise UserError(
                f"user_defined_symbols: {symbol!r} is never found: expected text without blanks, as {form} writes it"
            )
        if symbol in (*SPECIAL, MASK, BLANK, *BYTES):
            raise UserError(f"user_defined_symbols: {symbol!r} is there already")
    if len(set(symbols)) < len(symbols):
        raise UserError("user_defined_symbols: expected different ones, found one twice")


def wrap_tokenizer(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """A tokenizer that lacks only ``<mask>`` and the frame of a sentence, as ``transformers`` wants it."""
    tokenizer.add_special_tokens([AddedToken(MASK, lstrip=True, special=True)])
    begin, end = (tokenizer.token_to_id(token) for token in ("<s>", "</s>"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", begin), ("</s>", end)]
    )
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
