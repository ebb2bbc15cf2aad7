"""The models in ``transformers``' own ``Trainer`` and ``pipeline``, as users of the stock classes know them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import (
    DataCollatorForLanguageModeling,
    DataCollatorForTokenClassification,
    EvalPrediction,
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
    pipeline,
)

from swissxmod import (
    XmodForMaskedLM,
    XmodForSequenceClassification,
    XmodForTokenClassification,
    XmodModel,
    load,
    load_model,
)

TEXTS = ["La regenza ha decidì damaun.", "Il Cussegl grond discurra.", "Chau"]


def arguments(folder: Path) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=30,
        per_device_train_batch_size=3,
        learning_rate=5e-3,
        lr_scheduler_type="constant",
        report_to="none",
        disable_tqdm=True,
        save_strategy="no",
        use_cpu=True,
        logging_steps=1,
        gradient_checkpointing=True,
    )


def test_a_tagger_learns_in_the_trainer(model_folder: Path, tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    model = load_model(XmodForTokenClassification, model_folder, new_parts=("classifier.",), num_labels=3)
    rows = []
    for number, text in enumerate(TEXTS):
        ids = tokenizer(text, truncation=True, max_length=20)["input_ids"]
        rows.append({"input_ids": ids, "labels": [piece % 3 for piece in ids], "lang_ids": number})

    def accuracy(prediction: EvalPrediction) -> dict[str, float]:
        real = prediction.label_ids != -100
        return {"accuracy": float(np.mean((prediction.predictions.argmax(-1) == prediction.label_ids)[real]))}

    trainer = Trainer(
        model=model,
        args=arguments(tmp_path),
        train_dataset=rows,
        eval_dataset=rows,
        data_collator=DataCollatorForTokenClassification(tokenizer),
        compute_metrics=accuracy,
    )
    before = trainer.evaluate()["eval_accuracy"]
    trainer.train()
    assert trainer.evaluate()["eval_accuracy"] > max(0.9, before)


def test_a_language_model_learns_in_the_trainer(
    model_folder: Path, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    model = load_model(XmodForMaskedLM, model_folder)
    model.set_default_language("rm")
    rows = [tokenizer(text, truncation=True, max_length=20) for text in TEXTS]
    collator = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.3)
    trainer = Trainer(model=model, args=arguments(tmp_path), train_dataset=rows, data_collator=collator)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert np.mean(losses[-5:]) < np.mean(losses[:5])


@pytest.mark.parametrize("batch_size", [1, 3])
def test_tagging_pipeline(model_folder: Path, tokenizer: PreTrainedTokenizerFast, batch_size: int) -> None:
    model = load_model(XmodForTokenClassification, model_folder, new_parts=("classifier.",), num_labels=3).eval()
    model.set_default_language("rm")
    found = pipeline("token-classification", model=model, tokenizer=tokenizer)(TEXTS, batch_size=batch_size)
    for text, tags in zip(TEXTS, found, strict=True):
        inputs = tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            expected: Tensor = model(**inputs).logits.softmax(-1).max(-1).values[0]
        assert [tag["score"] for tag in tags] == pytest.approx(expected[1:-1].tolist(), abs=1e-5)


def test_filling_pipeline(model_folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    model = load(model_folder)
    model.set_default_language("rm")
    text = f"La {tokenizer.mask_token} decida."
    found = pipeline("fill-mask", model=model, tokenizer=tokenizer)(text, top_k=2)
    inputs = tokenizer(text, return_tensors="pt")
    place = inputs["input_ids"][0].tolist().index(tokenizer.mask_token_id)
    with torch.no_grad():
        best = model(**inputs).logits[0, place].topk(2).indices
    assert [answer["token"] for answer in found] == best.tolist()


def test_classifying_and_feature_pipelines(model_folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    classifier = load_model(XmodForSequenceClassification, model_folder, new_parts=("classifier.",), num_labels=2)
    encoder = load_model(XmodModel, model_folder, add_pooling_layer=False)
    for model in (classifier, encoder):
        model.eval().set_default_language("de")
    (found,) = pipeline("text-classification", model=classifier, tokenizer=tokenizer)(TEXTS[:1])
    inputs = tokenizer(TEXTS[0], return_tensors="pt")
    with torch.no_grad():
        assert found["score"] == pytest.approx(float(classifier(**inputs).logits.softmax(-1).max()), abs=1e-5)
        states = encoder(**inputs).last_hidden_state
    (features,) = pipeline("feature-extraction", model=encoder, tokenizer=tokenizer)(TEXTS[:1])
    torch.testing.assert_close(torch.tensor(features), states, atol=1e-5, rtol=0)
