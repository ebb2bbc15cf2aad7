from __future__ import annotations

from pathlib import Path

import pytest

from swissxmod import UserError, VocabImport, import_vocabulary, load_tokenizer
from swissxmod.texts import read_documents

sentencepiece = pytest.importorskip("sentencepiece")


def train(corpora: dict[str, str], folder: Path, **options: object) -> Path:
    text = folder / "text.txt"
    text.write_text("\n".join(document for path in corpora.values() for document in read_documents(path)))
    prefix = folder / "sp"
    settings = {"vocab_size": 900, "model_type": "unigram", "character_coverage": 1.0, "minloglevel": 2}
    sentencepiece.SentencePieceTrainer.train(input=str(text), model_prefix=str(prefix), **(settings | options))
    return prefix.with_suffix(".model")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"byte_fallback": True, "vocab_size": 1100},
        {"normalization_rule_name": "identity"},
        {"user_defined_symbols": ["<url>", "@@"]},
        {"add_dummy_prefix": False},
    ],
)
def test_cuts_as_sentencepiece_does(corpora: dict[str, str], tmp_path: Path, options: dict[str, object]) -> None:
    model = train(corpora, tmp_path, **options)
    summary = import_vocabulary(VocabImport(model=str(model)), tmp_path / "out")
    tokenizer = load_tokenizer(tmp_path / "out")
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    assert tokenizer.convert_ids_to_tokens([0, 1, 2, 3, len(tokenizer) - 1]) == [
        "<s>",
        "<pad>",
        "</s>",
        "<unk>",
        "<mask>",
    ]
    # <unk>, <s> and </s> come first in the file; here they are four with <pad>.
    assert tokenizer.convert_ids_to_tokens(4) == processor.id_to_piece(3)
    assert len(tokenizer) == processor.get_piece_size() + 2 == summary["size"]
    assert int(summary["same_pieces_as_sentencepiece"].split()[0]) >= 990
    texts = [text.replace("\n", " ") for path in corpora.values() for text in read_documents(path)]
    texts += ["Vesair <url> u @@ e x<url>y", "  dus   blanks ", "½ m² … ﬁn"]
    same = sum(tokenizer.tokenize(text) == processor.encode(text, out_type=str) for text in texts)
    assert same >= len(texts) - 1, f"{same} of {len(texts)}"
    for text in texts[:5]:
        assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == processor.decode(
            processor.encode(text)
        )


def test_other_kinds_and_files_are_named(corpora: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected a unigram model, .* found BPE"):
        import_vocabulary(VocabImport(model=str(train(corpora, tmp_path, model_type="bpe"))), tmp_path / "out")
    for content in (b"\xff\xfe no protobuf", b"plain text that is long enough\n" * 5):
        (tmp_path / "x.model").write_bytes(content)
        with pytest.raises(UserError, match="not a SentencePiece model"):
            import_vocabulary(VocabImport(model=str(tmp_path / "x.model")), tmp_path / "out")
    assert not (tmp_path / "out").exists()
