from __future__ import annotations

import shutil

import pytest
import torch
from torch import Tensor
from torch._dynamo import explain, reset
from transformers import XmodConfig

from swissxmod import XmodForTokenClassification


@pytest.fixture(autouse=True)
def _fresh() -> None:
    reset()


def tagger() -> XmodForTokenClassification:
    config = XmodConfig(
        vocab_size=97,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=70,
        type_vocab_size=1,
        languages=["de_CH", "fr_CH", "rm_CH"],
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return XmodForTokenClassification(config).eval()


def batch(size: int, width: int, generator: torch.Generator) -> dict[str, Tensor]:
    lengths = torch.randint(2, width + 1, (size,), generator=generator)
    mask = torch.arange(width)[None, :] < lengths[:, None]
    ids = torch.randint(4, 97, (size, width), generator=generator).masked_fill(~mask, 1)
    return {"input_ids": ids, "attention_mask": mask, "lang_ids": torch.arange(size) % 3}


@pytest.mark.parametrize("training", [False, True])
def test_layers_compile_without_a_break_and_once_for_all_shapes(training: bool) -> None:
    model, generator = tagger().train(training), torch.Generator().manual_seed(0)
    batches = [batch(size, width, generator) for size, width in ((6, 17), (9, 30), (5, 60), (12, 11))]
    expected = [model(**part).logits for part in batches]
    graphs = []

    def backend(graph: torch.fx.GraphModule, _: list[Tensor]) -> object:
        graphs.append(graph)
        return graph.forward

    model.roberta.encoder.compile(fullgraph=True, backend=backend)
    for part, logits in zip(batches, expected, strict=True):
        torch.testing.assert_close(model(**part).logits, logits, atol=1e-5, rtol=0)
    # Once for the first shape, once for every other; torch 2.6 compiles each anew.
    assert len(graphs) == (2 if torch.__version__ >= (2, 7) else len(batches))


def test_a_compiled_model_breaks_only_where_the_batch_is_packed() -> None:
    found = explain(tagger())(**batch(6, 17, torch.Generator().manual_seed(0)))
    assert found.graph_count >= 1
    assert all("pack_inputs" in reason.reason for reason in found.break_reasons), found.break_reasons


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="compiling for processors needs g++")
def test_the_compiled_model_computes_the_same() -> None:
    model, generator = tagger(), torch.Generator().manual_seed(0)
    compiled = torch.compile(model)
    for size, width in ((6, 17), (9, 30)):
        part = batch(size, width, generator)
        with torch.no_grad():
            torch.testing.assert_close(compiled(**part).logits, model(**part).logits, atol=1e-5, rtol=0)
