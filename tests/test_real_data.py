"""What must hold on real text and a real checkpoint, where the developer has them (see CONTRIBUTING.md)."""

from __future__ import annotations

import gzip
from itertools import islice
from pathlib import Path

import pytest
import torch
from transformers import AutoModel

from swissxmod import (
    EvalAlignment,
    ModelModularise,
    VocabTrain,
    XmodModel,
    evaluate_alignment,
    load_model,
    load_tokenizer,
    modularise_model,
    train_vocabulary,
)
from swissxmod.settings import MINI_ALIGNER
from swissxmod.texts import read_documents
from swissxmod.tokenizer.measure import count_text, cut_words
from swissxmod.tokenizer.pipeline import normalise

pytestmark = pytest.mark.slow
LANGUAGES = ("de", "fr", "it", "rm")


def dev(real_data: Path, language: str) -> list[str]:
    return list(read_documents(str(real_data / "corpora" / language / "dev.jsonl")))


@pytest.fixture(scope="module")
def vocabularies(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two trainings of 50,000 pieces."""
    folder = tmp_path_factory.mktemp("vocab")
    corpora = {language: str(real_data / "corpora" / language / "train.jsonl.gz") for language in LANGUAGES}
    for name in ("a", "b"):
        train_vocabulary(VocabTrain(corpora=dict(corpora), size=50_000), folder / name)
    return [folder / "a", folder / "b"]


def test_two_trainings_at_full_size_give_the_same_bytes(vocabularies: list[Path]) -> None:
    first, second = ((folder / "tokenizer.json").read_bytes() for folder in vocabularies)
    assert first == second


def test_every_dev_text_comes_back_and_nothing_is_unknown(vocabularies: list[Path], real_data: Path) -> None:
    tokenizer = load_tokenizer(vocabularies[0])
    for language in LANGUAGES:
        for text in dev(real_data, language):
            ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
            assert tokenizer.unk_token_id not in ids
            assert tokenizer.decode(ids) == normalise(text, "nfc")


def test_romansh_needs_far_fewer_pieces_than_with_the_trunks_vocabulary(
    vocabularies: list[Path], real_data: Path, real_trunk: Path
) -> None:
    words = count_text(dev(real_data, "rm"))
    ours, theirs = (cut_words(load_tokenizer(folder), words).fertility for folder in (vocabularies[0], real_trunk))
    assert ours <= 0.75 * theirs


def test_a_modularised_checkpoint_has_the_states_of_the_original(
    real_data: Path, real_trunk: Path, tmp_path: Path
) -> None:
    modularise_model(ModelModularise(source=str(real_trunk), languages=list(LANGUAGES)), tmp_path / "model")
    original = AutoModel.from_pretrained(real_trunk, add_pooling_layer=False, dtype=torch.float32).eval()
    model = load_model(XmodModel, tmp_path / "model", new_parts=["pooler."]).eval()
    tokenizer = load_tokenizer(real_trunk)
    sentences = [text.split("\n")[-1] for language in LANGUAGES for text in dev(real_data, language)[:50]]
    for start in range(0, len(sentences), 10):
        batch = tokenizer(
            sentences[start : start + 10], padding=True, truncation=True, max_length=512, return_tensors="pt"
        )
        mask = batch["attention_mask"].bool()
        with torch.no_grad():
            expected = original(**batch).last_hidden_state[mask]
            for number in range(len(LANGUAGES)):
                states = model(batch["input_ids"], mask, torch.full((len(mask),), number)).last_hidden_state[mask]
                torch.testing.assert_close(states, expected, atol=1e-5, rtol=0)


def test_counting_takes_a_tenth_off_the_errors_of_the_bundled_aligner(real_data: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.tsv"
    with gzip.open(real_data / "parallel" / "de-rm" / "train.tsv.gz", "rt", encoding="utf-8") as file:
        pairs.write_text("".join(islice(file, 10_000)), encoding="utf-8")
    dermit = real_data / "alignment" / "dermit"
    files = {"source": str(dermit / "dev.de"), "target": str(dermit / "dev.rm"), "gold": str(dermit / "dev.align")}
    vectors, both = (
        evaluate_alignment(EvalAlignment(model=MINI_ALIGNER, **files, **counting), tmp_path / name)["aer"]
        for name, counting in (("vectors", {}), ("both", {"guidance": 0.5, "counts": str(pairs)}))
    )
    assert vectors < 0.14 and both < 0.9 * vectors
