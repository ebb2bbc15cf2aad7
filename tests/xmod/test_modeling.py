"""The reference is ``transformers``' own X-MOD with the same random weights."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path

import pytest
import torch
import transformers
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import XmodConfig

import swissxmod
from swissxmod import UserError, XmodForMaskedLM, XmodForQuestionAnswering, XmodForTokenClassification, XmodModel
from swissxmod.xmod.packing import pack_rows

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
    assert theirs.state_dict().keys() <= ours.state_dict().keys()
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


@st.composite
def configs(draw: st.DrawFn) -> XmodConfig:
    switches = {switch: draw(st.booleans()) for switch in SWITCHES}
    heads = draw(st.sampled_from([1, 2, 4]))
    return config(
        draw(st.sampled_from([1, 4, 81])),
        hidden_size=heads * draw(st.sampled_from([4, 8, 20])),
        num_attention_heads=heads,
        num_hidden_layers=draw(st.integers(1, 3)),
        adapter_reduction_factor=draw(st.sampled_from([1, 2, 3])),
        hidden_act=draw(st.sampled_from(["gelu", "relu", "gelu_new"])),
        layer_norm_eps=draw(st.sampled_from([1e-12, 1e-5])),
        **switches,
    )


@settings(deadline=None, max_examples=40, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    config=configs(),
    name=st.sampled_from(["XmodModel", "XmodForMaskedLM", "XmodForTokenClassification"]),
    lengths=st.lists(st.one_of(st.just(1), st.just(38), st.integers(1, 38)), min_size=1, max_size=6),
    left=st.booleans(),
    per_token=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_equals_transformers_for_any_config_lengths_and_languages(
    config: XmodConfig, name: str, lengths: list[int], left: bool, per_token: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    theirs, ours = pair(name, config)
    ids, mask = batch(lengths, max(lengths))
    if left:
        ids, mask = ids.flip(1), mask.flip(1)
    languages = torch.randint(len(config.languages), ids.shape if per_token else ids.shape[:1])
    outputs, weights = [], torch.randn(100)
    for model in (theirs, ours):
        states = model(ids, attention_mask=mask, lang_ids=languages)[0]
        # Not a norm: the squares of normalised states add up to a constant, with rounding errors for gradients.
        (states * weights[: states.shape[-1]])[mask].mean().backward()
        outputs.append(states.detach())
    scale = max(1.0, float(outputs[0][mask].abs().max()))
    assert_same(*outputs, mask, 1e-5 * scale)
    assert_same_gradients(theirs, ours)


def assert_same_gradients(theirs: torch.nn.Module, ours: torch.nn.Module) -> None:
    """Equal to 1e-4 of the largest gradient of the same tensor.

    And to 1e-6 of the largest of all: what cancels out (a key's bias in the softmax, every query of a sentence of one
    token) has rounding errors for gradients.
    """
    expected = dict(theirs.named_parameters())
    largest = max(float(parameter.grad.abs().max()) for parameter in expected.values() if parameter.grad is not None)
    for key, parameter in ours.named_parameters():
        reference = expected[key].grad
        if parameter.grad is None:
            # The adapter of a language that does not occur: theirs multiplies an empty batch, ours does not touch it.
            assert reference is None or not reference.any(), key
            continue
        atol = 1e-4 * float(reference.abs().max()) + 1e-6 * largest
        torch.testing.assert_close(parameter.grad, reference, rtol=0, atol=atol, msg=key)


@pytest.mark.parametrize("order", permutations(range(3)))
def test_languages_may_change_within_a_sentence_in_any_order(order: tuple[int, ...]) -> None:
    theirs, ours = pair("XmodForMaskedLM", config())
    ids, mask = batch([17, 9, 12])
    switched = torch.tensor(order).repeat_interleave(6)[:17].expand(3, 17).clone()
    switched[1] = torch.tensor(order * 6)[:17]
    switched[2] = 3
    for model in (theirs, ours):
        model(ids, attention_mask=mask, lang_ids=switched).logits[mask].pow(3).mean().backward()
    with torch.no_grad():
        assert_same(*(model(ids, attention_mask=mask, lang_ids=switched).logits for model in (theirs, ours)), mask)
    assert_same_gradients(theirs, ours)


@pytest.mark.parametrize("pre_norm", [False, True])
def test_the_first_layers_give_their_states(pre_norm: bool) -> None:
    _, model = pair("XmodModel", config(pre_norm=pre_norm, num_hidden_layers=3))
    ids, mask = batch([17, 1, 5, 9])
    inputs = {"attention_mask": mask, "lang_ids": torch.tensor([2, 0, 3, 0])}
    with torch.no_grad():
        every = model(ids, **inputs, output_hidden_states=True).hidden_states
        for layers, expected in enumerate(every):
            assert torch.equal(model(ids, **inputs, layers=layers).last_hidden_state, expected)


@pytest.mark.parametrize("name", NAMES)
def test_a_packed_batch_gives_what_the_padded_one_gives(name: str) -> None:
    _, model = pair(name, config())
    rows = [list(range(4, 4 + length)) for length in (5, 1, 17, 5, 9)]
    languages = [2, 0, 2, 1, 0]
    ids, mask = torch.full((5, 17), 1), torch.zeros(5, 17)
    for number, row in enumerate(rows):
        ids[number, : len(row)], mask[number, : len(row)] = torch.tensor(row), 1
    padded = model(ids, mask, torch.tensor(languages), output_hidden_states=True)
    tokens, packed = pack_rows(rows, languages)
    found = model(tokens, packed=packed, output_hidden_states=True)
    assert tokens.shape == (37,)
    for expected, there in zip(padded.values(), found.values(), strict=True):
        for grid, flat in zip(*((v if isinstance(v, tuple) else (v,)) for v in (expected, there)), strict=True):
            if flat.shape[0] == len(rows):
                torch.testing.assert_close(flat, grid, atol=1e-5, rtol=0)
                continue
            for number, part in enumerate(packed.split(flat)):
                torch.testing.assert_close(part, grid[number, : len(rows[number])], atol=1e-5, rtol=0)


def test_eager_attention_gives_the_same() -> None:
    ids, mask = batch([17, 5, 9])
    model = XmodModel(config()).eval()
    expected = model(ids, mask, torch.tensor([2, 0, 1])).last_hidden_state
    model.set_attn_implementation("eager")
    found = model(ids, mask, torch.tensor([2, 0, 1])).last_hidden_state
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert XmodModel(config(attn_implementation="eager")).config._attn_implementation == "eager"


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
    assert_same_gradients(theirs, ours)


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


def test_question_answering_equals_transformers(tmp_path: Path) -> None:
    theirs, ours = pair("XmodForQuestionAnswering", config(num_labels=2))
    ids, _ = batch([17, 17, 17])
    starts, ends = torch.tensor([0, 16, 40]), torch.tensor([3, 99, 5])
    for model in (theirs, ours):
        output = model(ids, lang_ids=torch.tensor([2, 0, 2]), start_positions=starts, end_positions=ends)
        output.loss.backward()
        model.found = [output.loss, output.start_logits, output.end_logits]
    for expected, found in zip(theirs.found, ours.found, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert_same_gradients(theirs, ours)
    ours.save_pretrained(tmp_path)
    _, info = transformers.XmodForQuestionAnswering.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]


def test_padding_is_never_an_answer() -> None:
    theirs, ours = pair("XmodForQuestionAnswering", config(num_labels=2))
    ids, mask = batch([17, 5])
    expected, found = (model(ids, attention_mask=mask, lang_ids=torch.tensor([1, 0])) for model in (theirs, ours))
    torch.testing.assert_close(found.start_logits[mask], expected.start_logits[mask], atol=1e-5, rtol=0)
    assert (found.end_logits[1].softmax(-1)[5:] == 0).all()


def test_question_answering_needs_two_scores() -> None:
    with pytest.raises(UserError, match="num_labels is 5"):
        XmodForQuestionAnswering(config())


def test_logits_where_there_is_a_label() -> None:
    model = XmodForMaskedLM(config())
    ids, mask = batch([17, 5])
    labels = torch.full_like(ids, -100)
    labels[0, 3], labels[1, 2], labels[0, 9] = 8, 9, 11
    languages = torch.tensor([1, 0])  # packed the other way round
    full = model.eval()(ids, mask, languages, labels=labels)
    sparse = model(ids, mask, languages, labels=labels, logits_at="labels")
    torch.testing.assert_close(sparse.logits, full.logits[labels >= 0])
    torch.testing.assert_close(sparse.loss, full.loss)
    assert full.logits.shape == (2, 17, 97)
    assert model.train()(ids, mask, languages, labels=labels).logits.shape == (3, 97)


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


def test_bad_packed_input_is_named() -> None:
    model = XmodModel(config())
    ids, packed = pack_rows([[5, 6, 7], [8, 9]], [0, 1])
    with pytest.raises(UserError, match="leave out attention_mask, lang_ids"):
        model(ids, packed=packed, lang_ids=torch.tensor([0, 1]))
    with pytest.raises(UserError, match="5 tokens, found an input of 4"):
        model(ids[:4], packed=packed)
    with pytest.raises(UserError, match="between 0 and 3, found 0 to 4"):
        model(torch.tensor([5, 6]), packed=pack_rows([[5], [6]], [0, 4])[1])
    ids, packed = pack_rows([[5] * 39], [0])
    with pytest.raises(UserError, match="39 tokens is longer than the 38 positions"):
        model(ids, packed=packed)


def test_too_long_a_sequence_is_named() -> None:
    ids, mask = batch([39], 39)
    with pytest.raises(UserError, match="39 tokens is longer than the 38 positions"):
        XmodModel(config())(ids, mask, torch.tensor([0]))
