from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import PreTrainedTokenizerFast, XmodConfig

from swissxmod import UserError, XmodModel, load_model
from swissxmod.xmod import inference
from swissxmod.xmod.inference import cut_texts, cut_words, run_pieces, windows
from swissxmod.xmod.packing import PackedBatch


@given(length=st.integers(0, 300), size=st.integers(2, 64))
def test_windows_keep_every_piece_once_and_fit(length: int, size: int) -> None:
    parts = windows(length, size)
    assert [i for part in parts for i in range(part.keep_start, part.keep_stop)] == list(range(length))
    assert all(part.stop - part.start <= size for part in parts)
    assert all(part.start <= part.keep_start <= part.keep_stop <= part.stop for part in parts)


def test_a_piece_is_kept_where_it_is_farther_from_a_cut() -> None:
    first, second = windows(12, 8)
    assert (first.start, first.stop, second.start, second.stop) == (0, 8, 4, 12)
    assert first.keep_stop == second.keep_start == 6


def test_no_room_is_an_error() -> None:
    with pytest.raises(UserError, match="needs at least 2"):
        windows(5, 1)


@pytest.fixture(scope="module")
def encoder(model_folder: Path) -> XmodModel:
    return load_model(XmodModel, model_folder, add_pooling_layer=False).eval()


def states(encoder: XmodModel, calls: list[int] | None = None) -> Callable[..., Tensor]:
    def forward(input_ids: Tensor, packed: PackedBatch) -> Tensor:
        if calls is not None:
            calls.append(len(input_ids))
        return encoder(input_ids, packed=packed).last_hidden_state

    return forward


def rows(_: int, states: Tensor) -> Tensor:
    return states


@given(lengths=st.lists(st.integers(0, 60), max_size=12), data=st.data())
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_results_come_in_the_order_given_and_equal_single_runs(
    encoder: XmodModel, tokenizer: PreTrainedTokenizerFast, lengths: list[int], data: st.DataObject
) -> None:
    languages = [data.draw(st.sampled_from(["de", "rm", "fr-CH"])) for _ in lengths]
    sentences = [[4 + (number + place) % 90 for place in range(length)] for number, length in enumerate(lengths)]
    together = run_pieces(encoder, tokenizer, sentences, languages, states(encoder), rows)
    for sentence, language, found in zip(sentences, languages, together, strict=True):
        kept = []
        for w in windows(len(sentence), 18):
            ids = torch.tensor([[tokenizer.bos_token_id, *sentence[w.start : w.stop], tokenizer.eos_token_id]])
            with torch.no_grad():
                window = encoder(ids, lang_ids=torch.tensor([encoder.language_id(language)])).last_hidden_state[0, 1:-1]
            kept.append(window[w.keep_start - w.start : w.keep_stop - w.start])
        torch.testing.assert_close(found, torch.cat(kept), atol=1e-5, rtol=1e-5)


def test_no_call_takes_more_than_the_budget(
    encoder: XmodModel, tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "token_budget", lambda device: 50)
    sentences = [[5] * (number % 19) for number in range(200)]
    calls: list[int] = []
    run_pieces(encoder, tokenizer, sentences, "rm", states(encoder, calls), rows)
    assert sum(calls) == sum(len(sentence) + 2 for sentence in sentences)
    assert max(calls) <= 50 and min(calls[:-1]) > 50 - 20


def test_a_sentence_is_finished_as_soon_as_its_pieces_are_there(
    encoder: XmodModel, tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "token_budget", lambda device: 30)
    calls: list[int] = []
    done: list[int] = []

    def finish(number: int, states: Tensor) -> int:
        done.append(len(calls))
        return len(states)

    counts = run_pieces(encoder, tokenizer, [[5] * 60, *[[6] * 8] * 9], "rm", states(encoder, calls), finish)
    assert counts == [60, *[8] * 9]
    assert done[0] < done[-1]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads peak memory as Linux tells it")
def test_ten_thousand_sentences_of_very_different_lengths_need_no_more_memory_than_a_batch(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    config = XmodConfig(
        vocab_size=600,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=256,
        max_position_embeddings=514,
        type_vocab_size=1,
        languages=[f"l{number}" for number in range(81)],
    )
    model = XmodModel(config, add_pooling_layer=False)
    generator = torch.Generator().manual_seed(0)
    lengths = torch.empty(10_000).log_normal_(3.4, 1.2, generator=generator).clamp(0, 2000).long().tolist()
    sentences = [[5] * length for length in lengths]
    languages = [f"l{number % 81}" for number in range(10_000)]

    def encode(count: int) -> int:
        """Peak mebibytes above what there was before."""
        Path("/proc/self/clear_refs").write_text("5")
        before = memory("VmRSS")
        pooled = run_pieces(
            model, tokenizer, sentences[:count], languages[:count], states(model), lambda _, rows: rows.sum(dim=0)
        )
        assert len(pooled) == count and pooled[0].shape == (64,)
        return memory("VmHWM") - before

    encode(100)
    # As padded batches of the whole corpus would be: 10,000 x 514 x 64 numbers, more than a gibibyte for one state.
    assert max(lengths) > 514 and encode(10_000) < 250


def memory(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(key))


def test_a_language_for_every_sentence_or_one_for_all(encoder: XmodModel, tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(UserError, match="for each of 2 sentences, found 1"):
        run_pieces(encoder, tokenizer, [[5], [6]], ["rm"], states(encoder), rows)


def test_half_a_sign_is_read_as_a_sign_that_nobody_knows(tokenizer: PreTrainedTokenizerFast) -> None:
    """As JSON writes text that was cut in the middle of an emoji."""
    assert cut_texts(tokenizer, ["Na \ud83d", "Na \ufffd"]) == [cut_texts(tokenizer, ["Na \ufffd"])[0]] * 2
    assert cut_words(tokenizer, [["Na", "\ud83d"]]) == cut_words(tokenizer, [["Na", "\ufffd"]])
    assert cut_texts(tokenizer, []) == []


def test_words_know_their_pieces(tokenizer: PreTrainedTokenizerFast) -> None:
    (cut,) = cut_words(tokenizer, [["La", "\u200b \u00a0", "vischnanca"]])
    assert set(cut.words) <= {0, 1, 2}
    assert cut.first_pieces()[0] == 0
    assert tokenizer.decode([i for i, word in zip(cut.ids, cut.words, strict=True) if word == 2]) == "vischnanca"
