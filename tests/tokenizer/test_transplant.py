from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from swissxmod import (
    VocabTrain,
    VocabTransplant,
    XmodForMaskedLM,
    load_model,
    load_tokenizer,
    train_vocabulary,
    transplant_vocabulary,
)
from swissxmod.tokenizer.training import wrap_tokenizer
from swissxmod.tokenizer.transplant import Transplant, plan_transplant


@pytest.fixture(scope="module")
def new_vocab(tmp_path_factory: pytest.TempPathFactory, corpora: dict[str, str]) -> Path:
    out = tmp_path_factory.mktemp("new") / "vocab"
    train_vocabulary(VocabTrain(corpora={"rm": corpora["rm_CH"]}, size=300), out)
    return out


def test_shared_pieces_keep_their_rows_bit_for_bit(model_folder: Path, new_vocab: Path, tmp_path: Path) -> None:
    summary = transplant_vocabulary(VocabTransplant(model=str(model_folder), vocab=str(new_vocab)), tmp_path / "out")
    old, new = load_tokenizer(model_folder), load_tokenizer(new_vocab)
    before, after = (load_model(XmodForMaskedLM, folder) for folder in (model_folder, tmp_path / "out"))
    rows_before, rows_after = (m.roberta.embeddings.word_embeddings.weight for m in (before, after))
    shared = set(old.get_vocab()) & set(new.get_vocab())
    assert len(shared) == summary["copied"] > 100
    for piece in shared:
        assert torch.equal(rows_before[old.get_vocab()[piece]], rows_after[new.get_vocab()[piece]])
    assert rows_after.shape == (300, 32)
    assert after.lm_head.decoder.weight is rows_after
    trunk = {key: value for key, value in before.state_dict().items() if ".encoder." in key}
    assert all(torch.equal(value, after.state_dict()[key]) for key, value in trunk.items())


def test_other_pieces_start_from_what_spells_them(tokenizer: PreTrainedTokenizerFast, new_vocab: Path) -> None:
    new = load_tokenizer(new_vocab)
    plan = plan_transplant(tokenizer, new)
    other = [piece for piece in new.get_vocab() if piece not in tokenizer.get_vocab()]
    assert other
    for piece in other:
        spelled = tokenizer.convert_ids_to_tokens(list(plan.rows[new.get_vocab()[piece]]))
        assert "".join(spelled) == piece


def test_a_blend_has_the_direction_of_the_mean_and_the_length_of_its_parts() -> None:
    old = torch.tensor([[2.0, 0.0], [0.0, 2.0], [5.0, 5.0]])
    rows = Transplant(((0, 1), (2,), ())).apply(old)
    torch.testing.assert_close(rows[0], torch.tensor([2**0.5, 2**0.5]))
    assert torch.equal(rows[1], old[2])
    torch.testing.assert_close(rows[2], old.mean(dim=0))


def test_a_bias_is_averaged() -> None:
    assert Transplant(((0, 1),)).apply(torch.tensor([1.0, 3.0])).tolist() == [2.0]


def test_a_shared_piece_is_copied_even_where_the_old_model_would_rather_split_it() -> None:
    special = [(token, 0.0) for token in ("<s>", "<pad>", "</s>", "<unk>")]

    def unigram(*pieces: tuple[str, float]) -> PreTrainedTokenizerFast:
        tokenizer = Tokenizer(models.Unigram([*special, *pieces], unk_id=3))
        tokenizer.add_special_tokens(["<mask>"])
        return wrap_tokenizer(tokenizer)

    old = unigram(("▁a", -1.0), ("b", -1.0), ("▁ab", -9.0))
    assert old.tokenize("▁ab") == ["▁a", "b"]
    plan = plan_transplant(old, unigram(("▁ab", -1.0), ("▁aba", -2.0)))
    assert plan.rows[4] == (6,)
    assert plan.rows[0] == (0,)
