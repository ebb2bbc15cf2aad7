"""SentencePiece's own files: a unigram ``.model`` becomes a tokenizer folder, with XLM-R's special tokens."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from tokenizers import Regex, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from ..errors import UserError, first_line, needs_extra
from ..files import existing_file, new_folder, refuse_used_folder
from ..settings import VocabImport
from .pipeline import BLANK, MASK, SPECIAL, Prepend, assemble, symbol_pattern

UNIGRAM = 1
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
"""Numbers of ``sentencepiece_model.proto``: TrainerSpec.ModelType and ModelProto.SentencePiece.Type."""
CHECKS = 1000


def import_vocabulary(settings: VocabImport, out: str | Path) -> dict[str, Any]:
    """Write the tokenizer folder of a SentencePiece model.

    Args:
        settings: the model.
        out: folder to make.

    Returns:
        size of the vocabulary, and on how many made-up texts the tokenizer gives the pieces that SentencePiece gives
        (they may differ where two ways to cut are equally probable).

    Raises:
        UserError: for a file that is no SentencePiece model, or one of another kind than unigram.
    """
    refuse_used_folder(out)
    tokenizer = read_sentencepiece(settings.model)
    agreement = _agreement(tokenizer, settings.model)
    with new_folder(out) as folder:
        tokenizer.save_pretrained(folder)
    return {"size": len(tokenizer), "same_pieces_as_sentencepiece": f"{agreement} of {CHECKS} texts"}


def read_sentencepiece(path: str | Path) -> PreTrainedTokenizerFast:
    """The tokenizer of a SentencePiece unigram model.

    ``<s>``, ``<pad>``, ``</s>`` and ``<unk>`` come first and ``<mask>`` last, as in XLM-R and SwissBERT; all other
    pieces keep their order.

    Raises:
        UserError: see :func:`import_vocabulary`.
    """
    proto = _parse(path)
    kinds = {piece.piece: piece.type for piece in proto.pieces}
    taken = {*SPECIAL, MASK}
    pieces = [
        (piece.piece, piece.score)
        for piece in proto.pieces
        if piece.type not in (UNKNOWN, CONTROL) and piece.piece not in taken
    ]
    symbols = [piece for piece, _ in pieces if kinds[piece] == USER_DEFINED]
    prepend: Prepend = "always" if proto.normalizer_spec.add_dummy_prefix else "never"
    words: list[pre_tokenizers.PreTokenizer] = [
        pre_tokenizers.Metaspace(prepend_scheme=prepend, split=proto.trainer_spec.split_by_whitespace)
    ]
    if symbols:
        words.append(pre_tokenizers.Split(Regex(symbol_pattern(symbols)), "isolated"))
    normaliser = _normaliser(proto.normalizer_spec)
    splitter = pre_tokenizers.Sequence(words)
    return assemble(pieces, normaliser, splitter, proto.trainer_spec.byte_fallback, prepend)


def _parse(path: str | Path) -> Any:  # noqa: ANN401 - a protobuf message
    content = existing_file(path).read_bytes()
    try:
        from google.protobuf.message import DecodeError
        from sentencepiece import sentencepiece_model_pb2
    except ImportError as error:
        raise needs_extra(f"{path}: SentencePiece models", "sentencepiece") from error
    proto = sentencepiece_model_pb2.ModelProto()
    try:
        proto.ParseFromString(content)
    except DecodeError as error:
        raise UserError(f"{path}: not a SentencePiece model ({first_line(error)})") from error
    if not proto.pieces:
        raise UserError(f"{path}: not a SentencePiece model (it has no pieces)")
    if proto.trainer_spec.model_type != UNIGRAM:
        kind = proto.trainer_spec.ModelType.Name(proto.trainer_spec.model_type)
        raise UserError(f"{path}: expected a unigram model, as XLM-R's and SwissBERT's are, found {kind}")
    if proto.trainer_spec.treat_whitespace_as_suffix:
        raise UserError(f"{path}: expected blanks before words, found them after words (treat_whitespace_as_suffix)")
    return proto


def _normaliser(spec: Any) -> normalizers.Normalizer:  # noqa: ANN401 - a protobuf message
    steps: list[normalizers.Normalizer] = []
    if spec.precompiled_charsmap:
        steps.append(normalizers.Precompiled(spec.precompiled_charsmap))
    if spec.remove_extra_whitespaces:
        steps += [normalizers.Replace(Regex(" {2,}"), " "), normalizers.Strip()]
    return normalizers.Sequence(steps)


def _agreement(tokenizer: PreTrainedTokenizerFast, path: str | Path) -> int:
    """On how many texts, put together from random pieces, the tokenizer cuts as SentencePiece does."""
    from sentencepiece import SentencePieceProcessor

    processor = SentencePieceProcessor(model_file=str(path))
    generator = random.Random(0)
    pieces = [
        piece
        for piece in map(processor.id_to_piece, range(processor.get_piece_size()))
        if not (piece.startswith("<") and piece.endswith(">"))
    ]
    texts = ["".join(generator.choices(pieces, k=12)).replace(BLANK, " ") for _ in range(CHECKS)]
    return sum(tokenizer.tokenize(text) == processor.encode(text, out_type=str) for text in texts)
