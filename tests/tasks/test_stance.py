from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from swissxmod import (
    EvalStance,
    FinetuneStance,
    PredictStance,
    UserError,
    XmodForSequenceClassification,
    detect_stance,
    evaluate_stance,
    finetune_stance,
    load_model,
    load_with_tokenizer,
    predict_stance,
    read_comments,
    read_records,
)
from swissxmod.cli import main
from swissxmod.tasks.stance import Comment, as_comment, encode_comments, tell_settings

LABELS = {"Ja": "FAVOR", "Nein": "AGAINST"}


def comments(path: Path, count: int = 24, **further: object) -> str:
    """A task a tiny model can learn: the first word says it."""
    rows = []
    for number in range(count):
        word = ["Ja", "Nein"][number % 2]
        row = {"question": f"Frage {number % 4}?", "comment": f"{word} die Brücke", "label": LABELS[word]}
        rows.append(json.dumps(row | further) + "\n")
    path.write_text("".join(rows), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def stance(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stance")
    data = comments(folder / "de.jsonl")
    settings = FinetuneStance(
        model=str(model_folder), train={"de": data, "fr": data}, dev={"de": data}, epochs=8, learning_rate=1e-2
    )
    finetune_stance(settings, folder / "stance")
    return folder / "stance"


def test_learns_and_transfers_by_swapping_the_adapter(stance: Path, tmp_path: Path) -> None:
    data = comments(tmp_path / "test.jsonl")
    learned = {"de": data, "en": data}
    settings = EvalStance(model=str(stance), data={"de": data, "rm": data}, system="tiny", baseline_train=learned)
    told = evaluate_stance(settings, tmp_path / "scores")
    assert told["de_CH"]["tiny"]["macro_f1"] > 90
    records = {(r.language, r.system): r for r in read_records(tmp_path / "scores" / "results.jsonl")}
    assert records["de_CH", "tiny"].zero_shot is False and records["rm_CH", "tiny"].zero_shot is True
    german = records["de_CH", "tiny"]
    assert (german.items, german.clusters, german.metric) == (24, 4, "macro_f1")
    assert german.low <= german.score <= german.high
    # Half of each label: of a constant answer one has F1 2/3, the other 0.
    assert records["de_CH", "majority"].score == pytest.approx(100 / 3, abs=0.01)
    assert records["de_CH", "TF-IDF"].score == 100
    # By the names that the model's own scores have, so that a report shows them together.
    assert records["rm_CH", "TF-IDF"].provenance.finetuned_on == ["de_CH", "en"]


def test_the_best_epoch_is_what_is_written(model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Tensor] = []

    def score(model: torch.nn.Module, *_: object) -> float:
        seen.append(model.classifier.out_proj.weight.detach().clone())
        return [1.0, 3.0, 2.0][len(seen) - 1]

    monkeypatch.setattr("swissxmod.tasks.stance._dev_score", score)
    data = {"de": comments(tmp_path / "a.jsonl")}
    told = finetune_stance(FinetuneStance(model=str(model_folder), train=data, dev=data, epochs=3), tmp_path / "out")
    written = load_model(XmodForSequenceClassification, tmp_path / "out").classifier.out_proj.weight
    assert told["kept_epoch"] == 2
    assert [torch.equal(written, each) for each in seen] == [False, True, False]


def test_the_settings_of_a_test_set_are_kept_apart(stance: Path, tmp_path: Path) -> None:
    first = comments(tmp_path / "a.jsonl", 8, test_set="new_comments_defr", comment="Ja")
    second = comments(tmp_path / "b.jsonl", 6, test_set="new_topics_defr", comment="Ja die Brücke " * 30)
    (tmp_path / "both.jsonl").write_text(Path(first).read_text() + Path(second).read_text())
    settings = EvalStance(model=str(stance), data={"de": str(tmp_path / "both.jsonl")}, dataset="x-stance")
    evaluate_stance(settings, tmp_path / "scores")
    found = {r.dataset: (r.items, r.cut) for r in read_records(tmp_path / "scores" / "results.jsonl")}
    assert found == {"x-stance, new_comments_defr": (8, 0), "x-stance, new_topics_defr": (6, 6)}


def test_settings_come_from_questions_and_topics_where_nobody_names_them(stance: Path, tmp_path: Path) -> None:
    """As on the hub: a question has one number in all languages, and its topic."""
    known, other, strange = (
        {"question_id": 1, "topic": "a"},
        {"question_id": 2, "topic": "a"},
        {"question_id": 3, "topic": "b"},
    )
    train = comments(tmp_path / "train.jsonl", 4, **known)
    parts = [comments(tmp_path / f"{n}.jsonl", n, **facts) for n, facts in ((2, known), (4, other), (6, strange))]
    (tmp_path / "test.jsonl").write_text("".join(Path(part).read_text() for part in parts))
    settings = EvalStance(model=str(stance), data={"de": str(tmp_path / "test.jsonl")}, baseline_train={"de": train})
    evaluate_stance(settings, tmp_path / "scores")
    records = read_records(tmp_path / "scores" / "results.jsonl")
    expected = {"stance, new comments": 2, "stance, new questions": 4, "stance, new topics": 6}
    for system in ("model", "majority", "TF-IDF"):
        assert {r.dataset: r.items for r in records if r.system == system} == expected
    # A question without a number is known by its words.
    items = [
        as_comment({"question": q, "comment": "Ja.", "question_id": None}, "", labelled=False) for q in ("A?", "B?")
    ]
    assert [item.question_id for item in items] == ["A?", "B?"]
    # Without training data, or without topics, nothing can be told.
    items = read_comments(str(tmp_path / "test.jsonl"), labelled=True)
    assert {item.setting for item in tell_settings(items, [])} == {""}
    plain = [Comment("Soll es sein?", "Ja.", "FAVOR")]
    assert tell_settings(plain, plain) == plain


def test_stock_transformers_gives_the_same_probabilities(stance: Path) -> None:
    model, tokenizer = load_with_tokenizer(XmodForSequenceClassification, stance)
    stock = transformers.XmodForSequenceClassification.from_pretrained(stance).eval()
    items = [Comment("Frage 1?", "Ja die Brücke"), Comment("Frage?", "Nein"), Comment("Frage 2?", "o")]
    ours = detect_stance(model, tokenizer, items, ["de", "rm", "de"]).probabilities
    for item, found, language in zip(items, ours, [0, 3, 0], strict=True):
        encoded = tokenizer(item.question, item.comment, return_tensors="pt")
        with torch.no_grad():
            expected = stock(**encoded, lang_ids=torch.tensor([language])).logits.softmax(-1)[0]
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)
    assert detect_stance(model, tokenizer, [], "de").probabilities.shape == (0, 2)


def test_what_is_too_long_is_cut_at_the_comment_and_counted(stance: Path) -> None:
    model, tokenizer = load_with_tokenizer(XmodForSequenceClassification, stance)
    items = [Comment("Brücke?", "Ja " + "die Brücke " * 30), Comment("Brücke?", "Ja")]
    longest = model.base_model.max_tokens
    rows, cut = encode_comments(tokenizer, items, longest)
    assert cut == [True, False] and len(rows[0]) == longest
    question = tokenizer("Brücke?")["input_ids"]
    assert rows[0][: len(question)] == question
    assert detect_stance(model, tokenizer, items, "de").cut.tolist() == [True, False]


def test_the_language_of_a_comment_is_detected_where_none_is_given(
    stance: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"question": "Soll die Brücke gebaut werden?", "comment": "Ja, das wäre für uns alle sehr gut."},
        {"question": "Soll die Brücke gebaut werden?", "comment": "Oui, ce serait très bien pour nous tous."},
        {"question": "Soll die Brücke gebaut werden?", "comment": "100 %"},
        {"question": "Frage?", "comment": "Oui, ce serait bien.", "language": "de"},
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["predict", "stance", "--model", str(stance), "--text", str(tmp_path / "a.jsonl"), "--json"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    assert json.loads(capsys.readouterr().out)["detected"] == {"de": 1, "fr": 1, "unsure": 1}
    found = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [row["language"] for row in found] == ["de", "fr", "de", "de"]
    assert [row["detected"]["sure"] for row in found[:3]] == [True, True, False] and "detected" not in found[3]
    model, tokenizer = load_with_tokenizer(XmodForSequenceClassification, stance)
    items = [Comment(row["question"], row["comment"]) for row in rows]
    expected = detect_stance(model, tokenizer, items, [row["language"] for row in found]).probabilities.max(axis=1)
    told = [max(row["probabilities"].values()) for row in found]
    np.testing.assert_allclose(told, expected, atol=1e-4)


def test_comments_of_other_languages_are_left_out(tmp_path: Path) -> None:
    german = comments(tmp_path / "a.jsonl", 4, language="de")
    french = comments(tmp_path / "b.jsonl", 3, language="fr")
    (tmp_path / "both.jsonl").write_text(Path(german).read_text() + Path(french).read_text())
    counts = [len(read_comments(str(tmp_path / "both.jsonl"), name, labelled=True)) for name in ("de", "fr_CH", None)]
    assert counts == [4, 3, 7]
    silent = comments(tmp_path / "null.jsonl", 2, language=None)
    assert len(read_comments(silent, "de", labelled=True)) == 2
    with pytest.raises(UserError, match=r"odd.jsonl:1: .*expected a tag such as"):
        read_comments(comments(tmp_path / "odd.jsonl", 2, language="de CH"), "de", labelled=True)
    with pytest.raises(UserError, match=r"both.jsonl: no comment in it"):
        read_comments(str(tmp_path / "both.jsonl"), "it", labelled=True)


def test_each_comment_of_a_file_gets_its_stance(stance: Path, tmp_path: Path) -> None:
    rows = [{"id": 7, "question": "Frage?", "comment": "Ja die Brücke", "language": "de"},
            {"question": "Frage?", "comment": "Nein die Brücke"}]  # fmt: skip
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["predict", "stance", "--model", str(stance), "--text", str(tmp_path / "a.jsonl"), "--language", "rm"]
    assert main([*words, "--out", str(tmp_path / "out.jsonl")]) == 0
    first, second = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert (first["id"], first["stance"], second["stance"]) == (7, "FAVOR", "AGAINST")
    for row in (first, second):
        assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-3)
        assert max(row["probabilities"], key=row["probabilities"].get) == row["stance"]


def test_bfloat16_changes_probabilities_a_little_and_no_stance(stance: Path, tmp_path: Path) -> None:
    told = {}
    for precision in ("float32", "bfloat16"):
        settings = PredictStance(
            model=str(stance), text=comments(tmp_path / "new.jsonl"), language="de", precision=precision
        )
        predict_stance(settings, tmp_path / precision)
        told[precision] = [json.loads(line) for line in (tmp_path / precision).read_text().splitlines()]
    exact, quick = ([row["probabilities"]["FAVOR"] for row in rows] for rows in told.values())
    assert exact != quick and np.allclose(exact, quick, atol=0.05)
    assert len({tuple(row["stance"] for row in rows) for rows in told.values()}) == 1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"question": "x", "comment": "y"},
            'a.jsonl:1: expected an object with a string "label", found question, comm',
        ),
        ({"question": "x", "comment": "y", "label": 1}, 'a.jsonl:1: expected an object with a string "label", found 1'),
        ({"question": "x", "comment": "y", "label": "FAVOR"}, "train: expected two labels or more, found FAVOR"),
    ],
)
def test_data_that_cannot_be_used_is_named(
    model_folder: Path, tmp_path: Path, row: dict[str, object], message: str
) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n")
    settings = FinetuneStance(model=str(model_folder), train={"de": str(tmp_path / "a.jsonl")})
    with pytest.raises(UserError, match=message):
        finetune_stance(settings, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_half_a_sign_stops_nobody(stance: Path, tmp_path: Path) -> None:
    text = comments(tmp_path / "a.jsonl", 2, comment="Ja \ud83d")
    assert predict_stance(PredictStance(model=str(stance), text=text, language="de"), tmp_path / "out")["cut"] == 0
    assert all(json.loads(line)["comment"] == "Ja \ud83d" for line in (tmp_path / "out").read_text().splitlines())


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"label": "FAVOR"}, "samples of at least 2 classes"), ({"question": "?", "comment": "!"}, "empty vocabulary")],
)
def test_baselines_that_cannot_learn_are_told_before_the_model_runs(
    stance: Path, tmp_path: Path, changes: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swissxmod.eval.stance.detect_stance", lambda *_: pytest.fail("the model was run"))
    train = comments(tmp_path / "train.jsonl", 4, **changes)
    data = {"de": comments(tmp_path / "test.jsonl", 4, label="FAVOR")}
    settings = EvalStance(model=str(stance), data=data, baseline_train={"de": train})
    with pytest.raises(UserError, match=f"baseline_train: TF-IDF cannot learn .*{message}"):
        evaluate_stance(settings, tmp_path / "scores")


def test_an_object_in_a_language_without_an_adapter_is_named(stance: Path, tmp_path: Path) -> None:
    text = comments(tmp_path / "a.jsonl", 1, language="de")
    Path(text).write_text(Path(text).read_text() + Path(comments(tmp_path / "b.jsonl", 1, language="gsw")).read_text())
    with pytest.raises(UserError, match=r"a.jsonl:2: no adapter for language 'gsw'"):
        predict_stance(PredictStance(model=str(stance), text=text), tmp_path / "out")


def test_labels_that_the_model_does_not_know_are_refused(stance: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"question": "x", "comment": "y", "label": "MAYBE"}) + "\n")
    with pytest.raises(UserError, match=r"labels MAYBE are not the model's \(AGAINST, FAVOR\)"):
        evaluate_stance(EvalStance(model=str(stance), data={"de": str(tmp_path / "a.jsonl")}), tmp_path / "scores")
