from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from transformers import PreTrainedTokenizerFast

from swissxmod import UserError
from swissxmod.texts import read_documents
from swissxmod.xmod.pretraining import shards
from swissxmod.xmod.pretraining.shards import Reading, cache_folder, open_shard


@pytest.fixture
def text(tmp_path: Path) -> str:
    (tmp_path / "a.txt").write_text("ina chasa\nduas chasas\n")
    return str(tmp_path / "a.txt")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWISSXMOD_CACHE", str(tmp_path / "cache"))


def test_a_shard_is_the_documents_in_a_row(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    shard = open_shard(Reading(text), tokenizer)
    assert (shard.documents, shard.characters, shard.pieces.dtype) == (2, 20, np.uint16)
    assert tokenizer.decode(shard.pieces.tolist()) == "ina chasa</s> duas chasas</s>"


def test_a_shard_is_made_once(tokenizer: PreTrainedTokenizerFast, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_shard(Reading(text), tokenizer)
    monkeypatch.setattr(shards, "read_documents", lambda *args: pytest.fail("read again"))
    assert np.array_equal(open_shard(Reading([text]), tokenizer).pieces, first.pieces)


def test_other_text_and_another_tokenizer_are_other_shards(
    tokenizer: PreTrainedTokenizerFast, text: str, corpora: dict[str, str]
) -> None:
    open_shard(Reading(text), tokenizer)
    Path(text).write_text("trais\n")
    assert tokenizer.decode(open_shard(Reading(text), tokenizer).pieces.tolist()) == "trais</s>"
    other = tokenizer.__class__(tokenizer_object=tokenizer.backend_tokenizer, eos_token="</s>")
    other.add_tokens(["trais"])
    assert other.get_vocab()["trais"] in open_shard(Reading(text), other).pieces
    assert open_shard(Reading([text, text]), tokenizer).documents == 2


@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_a_damaged_shard_is_named_and_made_again_once_removed(
    tokenizer: PreTrainedTokenizerFast, text: str, damage: str
) -> None:
    before = open_shard(Reading(text), tokenizer).pieces.tolist()
    [folder] = (cache_folder() / "shards").iterdir()
    file = folder / "pieces.bin"
    content = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(content[:-2] if damage == "cut" else bytes([content[0] ^ 1]) + content[1:])
    with pytest.raises(UserError, match=r"this shard of .*a.txt is damaged; remove it"):
        open_shard(Reading(text), tokenizer)
    shutil.rmtree(folder)
    assert open_shard(Reading(text), tokenizer).pieces.tolist() == before


def test_a_full_disk_leaves_no_half_shard(
    tokenizer: PreTrainedTokenizerFast, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shards, "write_json", full)
    with pytest.raises(OSError, match="No space left"):
        open_shard(Reading(text), tokenizer)
    assert not list((cache_folder() / "shards").iterdir())


def test_a_faster_process_makes_the_shard(
    tokenizer: PreTrainedTokenizerFast, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shards._write

    def meanwhile(reading: Reading, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
        real(reading, tokenizer, folder)
        monkeypatch.setattr(shards, "_write", real)
        open_shard(reading, tokenizer)

    monkeypatch.setattr(shards, "_write", meanwhile)
    assert open_shard(Reading(text), tokenizer).documents == 2
    assert len(list((cache_folder() / "shards").iterdir())) == 1


def test_text_that_cannot_be_read_leaves_nothing(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_bytes(b"gut\n\xff\n")
    for name, message in (("bad.txt", "not UTF-8"), ("none.txt", "no such file")):
        with pytest.raises(UserError, match=message):
            open_shard(Reading(str(tmp_path / name)), tokenizer)
    assert not (tmp_path / "cache" / "shards").exists() or not list((tmp_path / "cache" / "shards").iterdir())


def test_a_corpus_is_the_same_through_the_shard(tokenizer: PreTrainedTokenizerFast, corpora: dict[str, str]) -> None:
    texts = list(read_documents(corpora["rm_CH"]))
    expected = [number for ids in tokenizer(texts, add_special_tokens=False)["input_ids"] for number in (*ids, 2)]
    assert open_shard(Reading(corpora["rm_CH"]), tokenizer).pieces.tolist() == expected


def test_a_letter_that_changed_and_a_folder_behind_hub_are_other_text(
    tokenizer: PreTrainedTokenizerFast, text: str, tmp_path: Path
) -> None:
    before = Reading(text).name(tokenizer)
    content, time = Path(text).read_text(), Path(text).stat().st_mtime_ns
    Path(text).write_text(content[:-2] + "x" + content[-1])
    os.utime(text, ns=(time + 10**9, time + 10**9))
    assert Reading(text).name(tokenizer) != before
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train.jsonl").write_text('{"text": "ina"}')
    before = Reading(f"hub:{tmp_path / 'set'}").name(tokenizer)
    (tmp_path / "set" / "train.jsonl").write_text('{"text": "dua"}')
    assert Reading(f"hub:{tmp_path / 'set'}").name(tokenizer) != before
    assert Reading("hub:owner/set:a").name(tokenizer) != Reading("hub:owner/set:b").name(tokenizer)
