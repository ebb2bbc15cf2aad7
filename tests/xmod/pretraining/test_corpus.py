from __future__ import annotations

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from swissxmod import UserError
from swissxmod.texts import read_documents
from swissxmod.xmod.pretraining.corpus import Blocks, draw_blocks, first_blocks, shares_of
from swissxmod.xmod.pretraining.shards import Reading, open_shard
from swissxmod.xmod.pretraining.sources import Frame, FullBlocks

FRAME = Frame(0, 2, 16)


def sources(corpora: dict[str, str], tokenizer: PreTrainedTokenizerFast) -> list[FullBlocks]:
    return [
        FullBlocks(name, open_shard(Reading(corpora[name]), tokenizer), (number,), FRAME)
        for number, name in enumerate(("de_CH", "rm_CH"))
    ]


def draw(corpora: dict[str, str], tokenizer: PreTrainedTokenizerFast, seed: int = 1) -> Blocks:
    return draw_blocks(sources(corpora, tokenizer), [0.5, 0.5], 50, seed)


def test_blocks_are_of_one_language_and_follow_the_shares(
    tokenizer: PreTrainedTokenizerFast, corpora: dict[str, str]
) -> None:
    blocks = draw(corpora, tokenizer)
    assert len(blocks) == 50
    numbers = [int(lang_ids) for _, lang_ids in blocks]
    assert numbers.count(0) == numbers.count(1) == 25
    assert blocks.pieces(10) == {"de_CH": 16 * numbers[:10].count(0), "rm_CH": 16 * numbers[:10].count(1)}
    text = [" ".join(read_documents(corpora[name])) for name in ("de_CH", "rm_CH")]
    for (ids, _), number in zip(blocks, numbers, strict=True):
        assert ids.shape == (16,) and ids[0] == 0 and ids[-1] == 2
        words = tokenizer.decode(ids, skip_special_tokens=True).split()
        assert words and all(word in text[number] for word in words)


def test_the_seed_is_the_order(tokenizer: PreTrainedTokenizerFast, corpora: dict[str, str]) -> None:
    first, again, other = (torch.stack([ids for ids, _ in draw(corpora, tokenizer, seed)]) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_shares_are_smoothed_and_pairs_get_theirs(tokenizer: PreTrainedTokenizerFast, corpora: dict[str, str]) -> None:
    texts = sources(corpora, tokenizer)
    de, rm = (source.shard.characters for source in texts)
    assert shares_of(texts, [], 1.0, 0.2) == pytest.approx([de / (de + rm), rm / (de + rm)])
    assert shares_of(texts, texts[:1], 0.0, 0.2) == pytest.approx([0.4, 0.4, 0.2])


def test_the_first_blocks_are_those_of_the_text(tokenizer: PreTrainedTokenizerFast) -> None:
    documents = ["ina chasa", "duas chasas e dus umens " * 5]
    blocks = first_blocks(iter(documents), tokenizer, n_blocks=2, frame=FRAME, name="rm", language=3)
    row = [number for text in documents for number in [*tokenizer(text, add_special_tokens=False)["input_ids"], 2]]
    assert [ids.tolist() for ids, _ in blocks] == [[0, *row[:14], 2], [0, *row[14:28], 2]]
    assert [int(lang_ids) for _, lang_ids in blocks] == [3, 3]
    with pytest.raises(UserError, match="rm: the text is shorter than one block of 16 pieces"):
        first_blocks(iter(["Bun di"]), tokenizer, n_blocks=2, frame=FRAME, name="rm", language=3)
