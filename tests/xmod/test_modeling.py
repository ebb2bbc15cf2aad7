"""The reference is ``transformers``' own X-MOD with the same random weights."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import XmodConfig

import swissxmod
from swissxmod import UserError, XmodForMaskedLM, XmodForTokenClassification, XmodModel

NAMES = ["XmodModel", "XmodForMaskedLM", "XmodForTokenClassification", "XmodForSequenceClassification"]
SWITCHES = ["pre_norm", "ln_before_adapter", "adapter_layer_norm", "adapter_reuse_layer_norm"]


def config(n_languages: int = 4, **changes: object) -> XmodConfig:
    values: dict[str, object] = {
        "vocab_size": 97, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
        "max_position_embeddings": 40, "type_vocab_size": 2, "initializer_range": 0.2, "num_labels": 5,
        "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
        "languages": [f"l{i}" for i in range(n_languages)],
    }  # fmt: skip
    return XmodConfig(**(values | changes))


def pair(name: str, config: XmodConfig) -> tuple[torch.nn.Module, torch.nn.Module]:
    """Their model and ours with the same weights."""
    theirs, ours = getattr(transformers, name)(config).eval(), getattr(swissxmod, name)(config).eval()
    assert list(theirs.state_dict()) == [key for key in theirs.state_dict() if key in ours.state_dict()]
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def batch(lengths: list[int], width: int = 17) -> tuple[Tensor, Tensor]:
    ids = torch.randint(4, 97, (len(lengths), width))
    mask = torch.arange(width)[None, :] < torch.tensor(lengths)[:, None]
    return ids.masked_fill(~mask, 1), mask


def assert_same(theirs: Tensor, ours: Tensor, mask: Tensor, tolerance: float = 1e-5) -> None:
    if theirs.dim() == 3:
        theirs, ours = theirs[mask], ours[mask]
    torch.testing.assert_close(ours, theirs, atol=tolerance, rtol=0)


@pytest.mark.parametrize("switches", product([False, True], repeat=4))
@pytest.mark.parametrize("name", NAMES)
def test_equals_transformers_for_every_switch(name: str, switches: tuple[bool, ...]) -> None:
    theirs, ours = pair(name, config(**dict(zip(SWITCHES, switches, strict=True))))
    ids, mask = batch([17, 1, 5, 9])
    for languages in (torch.tensor([2, 0, 3, 0]), torch.randint(0, 4, (4, 17))):
        inputs = {"attention_mask": mask, "lang_ids": languages, "output_hidden_states": True}
        with torch.no_grad():
            expected, found = theirs(ids, **inputs), ours(ids, **inputs)
        key = "last_hidden_state" if name == "XmodModel" else "logits"
        assert_same(expected[key], found[key], mask)
        for layer, other in zip(expected.hidden_states, found.hidden_states, strict=True):
            assert_same(layer, other, mask)


@settings(deadline=None, max_examples=15)
@given(
    n_languages=st.sampled_from([1, 4, 81]),
    factor=st.sampled_from([1, 2, 8]),
    lengths=st.lists(st.integers(1, 38), min_size=1, max_size=6),
    left=st.booleans(),
    data=st.data(),
)
def test_equals_transformers_for_any_lengths_and_languages(
    n_languages: int, factor: int, lengths: list[int], left: bool, data: st.DataObject
) -> None:
    theirs, ours = pair("XmodModel", config(n_languages, adapter_reduction_factor=factor))
    ids, mask = batch(lengths, max(lengths))
    if left:
        ids, mask = ids.flip(1), mask.flip(1)
    languages = torch.tensor([data.draw(st.integers(0, n_languages - 1)) for _ in lengths])
    with torch.no_grad():
        expected, found = (m(ids, attention_mask=mask, lang_ids=languages).last_hidden_state for m in (theirs, ours))
    assert_same(expected, found, mask)


def test_without_a_mask_padding_counts_as_text() -> None:
    theirs, ours = pair("XmodModel", config())
    ids, _ = batch([17, 5])
    with torch.no_grad():
        expected, found = (m(ids, lang_ids=torch.tensor([1, 0])).last_hidden_state for m in (theirs, ours))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_accepts_embeddings_positions_and_types() -> None:
    theirs, ours = pair("XmodModel", config())
    _, mask = batch([17, 5])
    inputs = {
        "inputs_embeds": torch.randn(2, 17, 32), "attention_mask": mask, "lang_ids": torch.tensor([1, 0]),
        "token_type_ids": torch.randint(0, 2, (2, 17)),
    }  # fmt: skip
    positions = torch.arange(20, 37).expand(2, 17)
    with torch.no_grad():
        for more in ({}, {"position_ids": positions}):
            expected, found = (m(**inputs, **more).last_hidden_state for m in (theirs, ours))
            assert_same(expected, found, mask)


@pytest.mark.parametrize("name", NAMES[1:])
def test_loss_and_gradients_equal_transformers(name: str) -> None:
    theirs, ours = pair(name, config())
    ids, mask = batch([17, 5, 11])
    if name == "XmodForSequenceClassification":
        labels = torch.tensor([0, 3, 1])
    else:
        labels = torch.where(torch.rand(ids.shape) < 0.3, ids % 5, -100).masked_fill(~mask, -100)
    losses = []
    for model in (theirs, ours.train()):
        loss = model(ids, attention_mask=mask, lang_ids=torch.tensor([2, 0, 2]), labels=labels).loss
        loss.backward()
        losses.append(loss.detach())
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-5, atol=1e-6)
    expected = dict(theirs.named_parameters())
    for key, parameter in ours.named_parameters():
        reference = expected[key].grad
        if parameter.grad is None:
            # The adapter of a language that does not occur: theirs multiplies an empty batch, ours does not touch it.
            assert reference is None or not reference.any()
        else:
            torch.testing.assert_close(parameter.grad, reference, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("frozen", [True, False])
def test_trains_in_mixed_precision(frozen: bool) -> None:
    model = XmodForMaskedLM(config()).train()
    for key, parameter in model.named_parameters():
        parameter.requires_grad = not frozen or "adapter" in key or "embeddings" in key
    ids, mask = batch([17, 5, 11])
    labels = ids.masked_fill(~mask, -100)
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    losses = []
    for _ in range(30):
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(ids, mask, torch.tensor([2, 0, 2]), labels=labels).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]


def test_bfloat16_gradients_are_close_to_float32() -> None:
    model = XmodModel(config(), add_pooling_layer=False).train()
    ids, mask = batch([17, 5, 11])
    gradients = []
    for enabled in (False, True):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            states = model(ids, mask, torch.tensor([2, 0, 2])).last_hidden_state
        states.float().pow(3).mean().backward()
        gradients.append(model.encoder.layer[0].attention.self.query.weight.grad.clone())
    cosine = torch.cosine_similarity(gradients[0].flatten(), gradients[1].flatten(), dim=0)
    assert cosine > 0.98


def test_logits_where_there_is_a_label() -> None:
    model = XmodForMaskedLM(config())
    ids, mask = batch([17, 5])
    labels = torch.full_like(ids, -100)
    labels[0, 3], labels[1, 2] = 8, 9
    languages = torch.tensor([0, 1])
    model.eval()
    full = model(ids, mask, languages, labels=labels)
    assert full.logits.shape == (2, 17, 97)
    sparse = model(ids, mask, languages, labels=labels, logits_at="labels")
    torch.testing.assert_close(sparse.logits, full.logits[labels >= 0])
    torch.testing.assert_close(sparse.loss, full.loss)
    assert model.train()(ids, mask, languages, labels=labels).logits.shape == (2, 97)


@pytest.mark.parametrize("name", NAMES)
def test_checkpoints_load_in_both_libraries(name: str, tmp_path: Path) -> None:
    ids, mask = batch([17, 5])
    inputs = {"attention_mask": mask, "lang_ids": torch.tensor([3, 1])}
    theirs, ours = getattr(transformers, name), getattr(swissxmod, name)
    for writer, reader in ((theirs, ours), (ours, theirs)):
        model = writer(config()).eval()
        folder = tmp_path / writer.__module__
        model.save_pretrained(folder)
        loaded, info = reader.from_pretrained(folder, output_loading_info=True)
        assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"]
        with torch.no_grad():
            expected, found = model(ids, **inputs)[0], loaded.eval()(ids, **inputs)[0]
        assert_same(expected, found, mask)


def test_output_rows_are_tied_to_embeddings(tmp_path: Path) -> None:
    XmodForMaskedLM(config()).save_pretrained(tmp_path)
    model = XmodForMaskedLM.from_pretrained(tmp_path)
    assert model.lm_head.decoder.weight is model.roberta.embeddings.word_embeddings.weight
    assert model.lm_head.decoder.bias is model.lm_head.bias


def test_default_language_by_any_of_its_names() -> None:
    model = XmodForTokenClassification(config(languages=["de_CH", "rm_CH"])).eval()
    ids, mask = batch([9])
    explicit = model(ids, mask, torch.tensor([1])).logits
    for name in ("rm", "rm-CH", "rm_CH"):
        model.set_default_language(name)
        torch.testing.assert_close(model(ids, mask).logits, explicit)


def test_gradient_checkpointing_changes_no_gradient() -> None:
    model = XmodForMaskedLM(config()).train()
    ids, mask = batch([17, 5])
    gradients = []
    for enable in (False, True):
        if enable:
            model.gradient_checkpointing_enable()
        model.zero_grad()
        model(ids, mask, torch.tensor([0, 3]), labels=ids).loss.backward()
        gradients.append(model.roberta.encoder.layer[0].intermediate.dense.weight.grad.clone())
    torch.testing.assert_close(gradients[0], gradients[1])


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "language of the input is unknown"),
        ({"lang_ids": torch.tensor([0, 4])}, "between 0 and 3, found 0 to 4"),
        ({"lang_ids": torch.tensor([0, 1, 2])}, r"found \(3,\)"),
        ({"lang_ids": torch.tensor([0, 1]), "attention_mask": torch.ones(2, 5)}, r"found \(2, 5\)"),
        ({"lang_ids": torch.tensor([0, 1]), "attention_mask": torch.tensor([[1] * 17, [0] * 17])}, "no token in row 1"),
        ({"lang_ids": torch.tensor([0, 1]), "inputs_embeds": torch.zeros(2, 17, 32)}, "exactly one of"),
    ],
)
def test_bad_input_is_named(inputs: dict[str, Tensor], message: str) -> None:
    ids, _ = batch([17, 5])
    with pytest.raises(UserError, match=message):
        XmodModel(config())(ids, **inputs)


def test_too_long_a_sequence_is_named() -> None:
    ids, mask = batch([39], 39)
    with pytest.raises(UserError, match="39 tokens is longer than the 38 positions"):
        XmodModel(config())(ids, mask, torch.tensor([0]))
