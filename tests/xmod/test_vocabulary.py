from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

from swissxmod import (
    ModelModularise,
    UserError,
    VocabTrain,
    VocabTransplant,
    XmodForMaskedLM,
    load_model,
    load_tokenizer,
    modularise_model,
    train_vocabulary,
    transplant_vocabulary,
)


@pytest.fixture(scope="module")
def new_vocab(tmp_path_factory: pytest.TempPathFactory, corpora: dict[str, str]) -> Path:
    out = tmp_path_factory.mktemp("new") / "vocab"
    train_vocabulary(VocabTrain(corpora={"rm": corpora["rm_CH"]}, size=700), out)
    return out


@pytest.mark.parametrize("rule", ["mean", "focus", "random"])
def test_shared_pieces_keep_their_rows_bit_for_bit(
    model_folder: Path, new_vocab: Path, corpora: dict[str, str], tmp_path: Path, rule: str
) -> None:
    settings = VocabTransplant(
        model=str(model_folder), vocab=str(new_vocab), rule=rule, corpora=dict(corpora) if rule == "focus" else {}
    )
    summary = transplant_vocabulary(settings, tmp_path / "out")
    old, new = load_tokenizer(model_folder), load_tokenizer(new_vocab)
    before, after = (load_model(XmodForMaskedLM, folder) for folder in (model_folder, tmp_path / "out"))
    rows_before, rows_after = (m.roberta.embeddings.word_embeddings.weight for m in (before, after))
    shared = set(old.get_vocab()) & set(new.get_vocab())
    assert len(shared) == summary["copied"] > 100
    for piece in shared:
        assert torch.equal(rows_before[old.get_vocab()[piece]], rows_after[new.get_vocab()[piece]])
        assert before.lm_head.bias[old.get_vocab()[piece]] == after.lm_head.bias[new.get_vocab()[piece]]
    assert rows_after.shape == (700, 32)
    assert after.lm_head.decoder.weight is rows_after
    trunk = {key: value for key, value in before.state_dict().items() if ".encoder." in key}
    assert all(torch.equal(value, after.state_dict()[key]) for key, value in trunk.items())
    made = {"mean": "spelled", "focus": "alike", "random": "random"}[rule]
    assert summary[made] > 20
    assert sum(summary[kind] for kind in ("copied", "spelled", "alike", "random", "unspelled")) == 700


def test_a_model_of_bert_takes_a_vocabulary_of_ours(new_vocab: Path, tmp_path: Path) -> None:
    """Padding moves from 0 to 1, and the positions with it; "##er" is "er", "haus" is "▁haus"."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "la", "la".upper(), "##a", "##na", "."]
    tokenizer = Tokenizer(models.WordPiece({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]", unk_token="[UNK]",
        mask_token="[MASK]",
    )  # fmt: skip
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=20, initializer_range=0.5,
    )  # fmt: skip
    BertForMaskedLM(config).save_pretrained(tmp_path / "bert")
    wrapped.save_pretrained(tmp_path / "bert")
    modularise_model(ModelModularise(source=str(tmp_path / "bert"), languages=["rm"]), tmp_path / "trunk")
    transplant_vocabulary(VocabTransplant(model=str(tmp_path / "trunk"), vocab=str(new_vocab)), tmp_path / "out")
    old, new = (load_model(XmodForMaskedLM, tmp_path / name).eval() for name in ("trunk", "out"))
    tokens = load_tokenizer(new_vocab)
    pairs = {
        "<s>": "[CLS]",
        "▁la": "la",
        "a": "##a",
        "na": "##na",
        "▁.": ".",
        ".": ".",
        "</s>": "[SEP]",
        "<mask>": "[MASK]",
    }
    pairs = {ours: theirs for ours, theirs in pairs.items() if ours in tokens.get_vocab()}
    assert len(pairs) >= 6
    ids = torch.tensor([tokens.convert_tokens_to_ids(list(pairs))])
    old_ids = torch.tensor([[words.index(theirs) for theirs in pairs.values()]])
    assert new.config.pad_token_id == 1 and new.roberta.max_tokens == 20
    for model in (old, new):
        model.set_default_language("rm")
    with torch.no_grad():
        states, expected = new.roberta(ids).last_hidden_state, old.roberta(old_ids).last_hidden_state
    torch.testing.assert_close(states, expected)


def test_rows_and_tokenizer_that_do_not_fit_are_named(model_folder: Path, new_vocab: Path, tmp_path: Path) -> None:
    model, tokenizer = load_model(XmodForMaskedLM, model_folder), load_tokenizer(model_folder)
    model.resize_token_embeddings(800)
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    with pytest.raises(UserError, match="the tokenizer has 900 pieces, the model only 800 rows"):
        transplant_vocabulary(VocabTransplant(model=str(tmp_path / "model"), vocab=str(new_vocab)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_focus_needs_text_and_the_others_do_not(corpora: dict[str, str]) -> None:
    with pytest.raises(UserError, match="the rule focus needs text"):
        VocabTransplant(model="m", vocab="v", rule="focus")
    with pytest.raises(UserError, match="no other does; found rule mean"):
        VocabTransplant(model="m", vocab="v", corpora=dict(corpora))
