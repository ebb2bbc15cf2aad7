from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerFast

from swissxmod import (
    EvalAlignment,
    EvalSentences,
    FinetuneAlignment,
    UserError,
    encode,
    evaluate_alignment,
    evaluate_sentences,
    finetune_alignment,
    load,
    load_tokenizer,
)
from swissxmod.tasks import alignment_tuning
from swissxmod.tasks.alignment_tuning import AlignmentTrainer, Pair, Runs
from swissxmod.tasks.links import similarity
from swissxmod.tasks.word_alignment import load_encoder, word_vectors
from swissxmod.xmod.inference import cut_words

WORDS = {"Berg": "munt", "Tal": "val", "Fluss": "flum", "Haus": "chasa", "Tür": "porta", "Brot": "paun", "Wein": "vin"}
LINES = 300


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Three words, two of them swapped in the translation: pairs to learn from, and others, with links, to test on."""
    folder, generator = tmp_path_factory.mktemp("text"), random.Random(0)
    rows, lines = [], {"de": "", "rm": "", "align": ""}
    for number in range(LINES):
        words, order = generator.sample(list(WORDS), 3), generator.choice([[0, 2, 1], [1, 0, 2]])
        source, target = " ".join(words), " ".join(WORDS[words[i]] for i in order)
        if number % 5:
            rows.append(f"{source}\t{target}\n")
        else:
            lines["de"] += source + "\n"
            lines["rm"] += target + "\n"
            lines["align"] += " ".join(f"{i}-{j}" for j, i in enumerate(order)) + "\n"
    (folder / "pairs.tsv").write_text("".join(rows))
    for name, content in lines.items():
        (folder / name).write_text(content)
    names = {"pairs": "pairs.tsv", "source": "de", "target": "rm", "gold": "align"}
    return {name: str(folder / file) for name, file in names.items()}


def settings(model: Path, pairs: str, **changes: object) -> FinetuneAlignment:
    common = {"parallel": {"de-rm": pairs}, "layer": 1, "batch_size": 8, "neighbours": 4, "learning_rate": 3e-3}
    return FinetuneAlignment(model=str(model), **{**common, **changes})


def test_pairs_alone_teach_words_and_sentences_to_find_each_other(
    model_folder: Path, text: dict[str, str], tmp_path: Path
) -> None:
    tuning = settings(model_folder, text["pairs"], steps=120, method="argmax")
    told = finetune_alignment(tuning, tmp_path / "tuned")
    assert told["pairs"] == {"de_CH-rm_CH": LINES * 4 // 5} and told["too_long"] == 0
    files = {name: text[name] for name in ("source", "target")}
    rates, hits = [], []
    for number, model in enumerate((model_folder, tmp_path / "tuned")):
        asked = EvalAlignment(model=str(model), **files, gold=text["gold"], layer=1, method="argmax")
        rates.append(evaluate_alignment(asked, tmp_path / f"words{number}")["aer"])
        sentences = evaluate_sentences(EvalSentences(model=str(model), **files), tmp_path / f"sentences{number}")
        hits.append(sentences["de_CH-rm_CH"]["accuracy"])
    assert rates[0] > 0.3 and rates[1] < 0.1
    # Sentences of the same words in another order cannot be told apart by a mean.
    assert hits[0] < 10 and hits[1] > 40
    own = evaluate_alignment(EvalAlignment(model=str(tmp_path / "tuned"), **files, gold=text["gold"]), tmp_path / "own")
    assert (own["layer"], own["method"], own["aer"]) == (1, "argmax", rates[1])
    history = json.loads((tmp_path / "tuned" / "swissxmod.json").read_text())["history"]
    assert history[-1]["step"] == "finetune alignment" and history[-1]["languages"] == ["de_CH", "rm_CH"]
    assert history[-1]["guidance"] == 0.5


def pair(tokenizer: PreTrainedTokenizerFast, source: str, target: str) -> Pair:
    sides = cut_words(tokenizer, [source.split()]), cut_words(tokenizer, [target.split()])
    counted = np.zeros((len(source.split()), len(target.split())), np.float16)
    counted[0, -1] = 1
    return Pair((sides[0][0], sides[1][0]), (0, 3), counted)


def test_a_batch_has_all_sources_then_all_targets_and_knows_which_are_the_same(model_folder: Path) -> None:
    tokenizer = load_tokenizer(model_folder)
    runs = [[pair(tokenizer, "Berg Tal", "munt val"), pair(tokenizer, "Haus", "chasa nova quia")],
            [pair(tokenizer, "Haus", "ina chasa"), pair(tokenizer, "Brot", "munt val")]]  # fmt: skip
    batch = Runs(runs, tokenizer).collate(runs)
    sources, targets = ["Berg Tal", "Haus", "Haus", "Brot"], ["munt val", "chasa nova quia", "ina chasa", "munt val"]
    read = [tokenizer.decode(ids, skip_special_tokens=True) for ids in batch["input_ids"]]
    assert read == sources + targets and batch["lang_ids"].tolist() == [0] * 4 + [3] * 4
    there = batch["attention_mask"].bool()
    for ids, words, real, text in zip(batch["input_ids"], batch["words"], there, sources + targets, strict=True):
        assert words[0] == -1 and words[real][-1] == -1 and (words[~real] == -1).all()
        parts = [tokenizer.decode(ids[words == number]) for number in range(len(text.split()))]
        assert parts == text.split()
    # The second and third have one source, the first and the last one target.
    assert {tuple(place) for place in batch["same"].nonzero().tolist()} == {(1, 2), (2, 1), (0, 3), (3, 0)}
    assert batch["counted"].shape == (4, 3, 3) and batch["counted"][1].nonzero().tolist() == [[0, 2]]


def test_the_loss_is_of_words_of_likely_links_and_of_sentences(model_folder: Path) -> None:
    model, tokenizer = load_encoder(str(model_folder))
    lines = [("Berg Tal", "munt val"), ("Haus", "chasa nova"), ("Brot Wein Tal", "paun vin val")]
    runs = [[pair(tokenizer, *line) for line in lines]]

    def loss(self_training: float, sentences: float) -> float:
        asked = replace(settings(model_folder, "x"), self_training=self_training, sentences=sentences)
        trainer = SimpleNamespace(settings=asked, layer=1)
        with torch.no_grad():
            found = AlignmentTrainer.compute_loss(trainer, model.eval(), Runs(runs, tokenizer).collate(runs))  # type: ignore[arg-type]
        return found.item()

    # Of words, by what is written in other places: the mean of every word's best match, both ways.
    sides = [
        word_vectors(model, tokenizer, [line[side].split() for line in lines], language, layer=1).vectors
        for side, language in enumerate(("de", "rm"))
    ]
    tables = [[similarity(source, target) for target in sides[1]] for source in sides[0]]
    fits = torch.tensor([[(t.max(axis=1).mean() + t.max(axis=0).mean()) / 2 for t in row] for row in tables]) / 0.05
    own = torch.arange(3)
    cross_entropy = torch.nn.functional.cross_entropy
    words = (cross_entropy(fits, own) + cross_entropy(fits.T, own)) / 2
    assert loss(0, 0) == pytest.approx(words.item(), rel=1e-4)
    # Of sentences: as words, by the mean of the last layer, special pieces included.
    means = [
        torch.nn.functional.normalize(
            encode(model, tokenizer, [line[side] for line in lines], language, special=True), dim=-1
        )
        for side, language in enumerate(("de", "rm"))
    ]
    near = means[0] @ means[1].T / 0.05
    sentences = (cross_entropy(near, own) + cross_entropy(near.T, own)) / 2
    assert loss(0, 2) - loss(0, 0) == pytest.approx(2 * sentences.item(), rel=1e-3)
    # Of links: those of which the mean of the vectors' probability and the counted one is more than 0.38.
    logs = []
    for number, line in enumerate(lines):
        logits = torch.tensor(tables[number][number]) / 0.1
        both = (logits.log_softmax(dim=0) + logits.log_softmax(dim=1)) / 2
        counted = torch.from_numpy(pair(tokenizer, *line).counted.astype(np.float32))
        logs += both[(both.exp() + counted) / 2 > 0.38].tolist()
    assert loss(1, 0) - loss(0, 0) == pytest.approx(-sum(logs) / len(logs), rel=1e-3)


def test_the_vectors_learn_what_was_counted(
    model_folder: Path, text: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_reverse(pairs: list[tuple[list[str], list[str]]], _: str) -> list[np.ndarray]:
        return [np.eye(len(source), dtype=np.float16)[::-1].copy() for source, _ in pairs]

    monkeypatch.setattr(alignment_tuning, "link_probabilities", in_reverse)
    (tmp_path / "reverse").write_text("0-2 1-1 2-0\n" * (LINES // 5))
    gold = {"de-rm": [text["source"], text["target"], str(tmp_path / "reverse")]}
    rates = [
        finetune_alignment(
            settings(
                model_folder, text["pairs"], steps=60, dev=gold, guidance=part, self_training=20, learning_rate=1e-2
            ),
            tmp_path / str(part),
        )["aer"]
        for part in (0.0, 1.0)
    ]
    assert rates[1] < 0.4 < 0.6 < rates[0]


def test_two_runs_with_a_seed_agree(model_folder: Path, text: dict[str, str], tmp_path: Path) -> None:
    for name in ("a", "b"):
        finetune_alignment(settings(model_folder, text["pairs"], steps=3, precision="float32"), tmp_path / name)
    first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("a", "b"))
    assert first == second


def test_gold_links_show_the_way_and_choose_how_to_link(
    model_folder: Path, text: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gold = {"de-rm": [text["source"], text["target"], text["gold"]]}
    told = finetune_alignment(settings(model_folder, text["pairs"], steps=100, dev=gold), tmp_path / "tuned")
    curve = [row for row in json.loads((tmp_path / "tuned" / "training.json").read_text()) if "eval_aer" in row]
    assert [row["step"] for row in curve] == list(range(10, 101, 10))
    shown = capsys.readouterr().err
    assert shown.count("dev AER") == 10  # not once more where an epoch ends
    assert curve[-1]["eval_aer"] == told["aer"] < 0.005 < curve[0]["eval_aer"]
    assert curve[-1]["eval_retrieval"] == told["retrieval"] > curve[0]["eval_retrieval"]
    assert f"step 100: dev AER {told['aer']}" in shown
    # The config says what reaches it, so that a measurement without further words finds the same.
    asked = EvalAlignment(
        model=str(tmp_path / "tuned"), source=text["source"], target=text["target"], gold=text["gold"]
    )
    found = evaluate_alignment(asked, tmp_path / "words")
    assert found["aer"] == told["aer"]
    assert {name: found[name] for name in ("layer", "method", "threshold", "pieces")} == told["linking"]
    history = json.loads((tmp_path / "tuned" / "swissxmod.json").read_text())["history"]
    assert history[-1]["dev"] == {"aer": told["aer"], "retrieval": told["retrieval"]}


def test_without_gold_links_the_layer_two_thirds_up_is_tuned_and_named(
    model_folder: Path, text: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "pairs").write_text("".join(Path(text["pairs"]).read_text().splitlines(keepends=True)[:19]))
    told = finetune_alignment(settings(model_folder, str(tmp_path / "pairs"), layer=None, steps=1), tmp_path / "out")
    assert told["linking"]["layer"] == 1  # of 2
    assert told["pairs"] == {"de_CH-rm_CH": 16}  # whole runs of 4


def test_gold_without_a_link_is_refused(model_folder: Path, text: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "none").write_text("\n" * (LINES // 5))
    gold = {"de-rm": [text["source"], text["target"], str(tmp_path / "none")]}
    with pytest.raises(UserError, match="none: expected gold links, found none"):
        finetune_alignment(settings(model_folder, text["pairs"], dev=gold), tmp_path / "out")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layer": 3}, "layer: expected 1 to 2, found 3"),
        (
            {"longest": 1},
            r"expected at least 8 sentence pairs of at most 1 pieces .* runs of 4 \(neighbours\), found 0",
        ),
        ({"parallel": {"de": "x"}}, "expected the names of two languages"),
        ({"parallel": {"de-rm": "missing.tsv"}}, "missing.tsv"),
        ({"dev": {"de-rm": ["dev.de", "dev.rm"]}}, "dev.de-rm: expected source, target and gold links, found 2 files"),
        # Told before the pairs are read and counted, which takes minutes.
        ({"dev": {"de-rm": ["dev.de", "dev.rm", "dev.align"]}, "parallel": {"de-rm": "missing.tsv"}}, "dev.de"),
        ({"parallel": {"de-rm": "x", "de_CH-rm_CH": "y"}}, "de_CH-rm_CH is given twice, under two names"),
        ({"batch_size": 6}, "batch_size: expected a multiple of neighbours, 4, found 6"),
        ({"temperature": 0.0}, "temperature: expected more than 0"),
        ({"guidance": 1.5}, "guidance: expected a number between 0 and 1, found 1.5"),
    ],
)
def test_what_cannot_be_done_is_told_and_nothing_written(
    model_folder: Path, text: dict[str, str], tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        finetune_alignment(settings(model_folder, text["pairs"], **changes), tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_few_kilobytes_beside_a_model_link_words(model_folder: Path, text: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("peft", reason="an extra: pip install swissxmod[peft]")
    told = finetune_alignment(
        settings(model_folder, text["pairs"], steps=120, peft="lora", learning_rate=2e-2), tmp_path / "tuned"
    )
    assert told["parameters"]["adapters"][0] == told["parameters"]["embeddings"][0] == 0
    files = {name: text[name] for name in ("source", "target", "gold")}
    rates = [
        evaluate_alignment(EvalAlignment(model=str(model), **files), tmp_path / f"words{number}")["aer"]
        for number, model in enumerate((model_folder, tmp_path / "tuned"))
    ]
    assert rates[1] < 0.8 * rates[0]
    assert not (tmp_path / "tuned" / "model.safetensors").exists()
    assert load(tmp_path / "tuned").config.alignment["layer"] == 1
