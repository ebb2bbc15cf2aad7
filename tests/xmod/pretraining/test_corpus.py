from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from swissxmod import UserError
from swissxmod.texts import read_documents
from swissxmod.xmod.pretraining.corpus import Blocks, _draw, draw_blocks


def draw(
    corpora: dict[str, str], tokenizer: PreTrainedTokenizerFast, n_blocks: int = 50, seed: int = 1
) -> tuple[Blocks, list[str]]:
    texts = {"de": corpora["de_CH"], "rm": corpora["rm_CH"]}
    return draw_blocks(texts, tokenizer, n_blocks=n_blocks, block_size=16, alpha=0, seed=seed)


def test_blocks_are_of_one_language_and_follow_the_shares(
    tokenizer: PreTrainedTokenizerFast, corpora: dict[str, str]
) -> None:
    blocks, languages = draw(corpora, tokenizer)
    assert len(blocks) == len(languages) == 50
    assert languages.count("de") == languages.count("rm") == 25
    text = {name: " ".join(read_documents(path)) for name, path in corpora.items()}
    for block, language in zip(blocks, languages, strict=True):
        assert block.shape == (16,) and block[0] == 0 and block[-1] == 2
        words = tokenizer.decode(block, skip_special_tokens=True).split()
        assert words and all(word in text[f"{language}_CH"] for word in words)


def test_the_seed_is_the_order(tokenizer: PreTrainedTokenizerFast, corpora: dict[str, str]) -> None:
    first, again, other = (torch.stack(list(draw(corpora, tokenizer, seed=seed)[0])) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_language_without_a_block_of_text_is_named(
    tokenizer: PreTrainedTokenizerFast, corpora: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "short.txt").write_text("Bun di\n")
    with pytest.raises(UserError, match="rm: the text is shorter than one block of 16 pieces"):
        draw(corpora | {"rm_CH": str(tmp_path / "short.txt")}, tokenizer)


@given(st.integers(5, 200), st.integers(1, 60), st.integers(1, 5), st.integers(0, 9))
def test_all_text_is_read_before_any_is_read_again(pieces: int, count: int, width: int, seed: int) -> None:
    starts = _draw(pieces, count, width, np.random.default_rng(seed))
    assert len(starts) == count
    assert starts.min() >= 0 and starts.max() + width <= pieces
    first = starts[: pieces // width]
    assert len(set(first.tolist())) == len(first)
    assert all(start % width == 0 for start in first)


def test_text_that_is_read_again_is_cut_elsewhere() -> None:
    starts = _draw(100, 36, 10, np.random.default_rng(1))
    assert len({int(start) % 10 for start in starts}) == 4
