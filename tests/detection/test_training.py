from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from swissxmod import DetectorTrain, EvalDetector, LanguageDetector, UserError, evaluate_detector, train_detector
from swissxmod.cli import main
from swissxmod.detection.samples import split_sentences
from swissxmod.detection.training import _temperature


@pytest.fixture(scope="module")
def settings(corpora: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> DetectorTrain:
    folder = tmp_path_factory.mktemp("words")
    (folder / "es.tsv").write_text("de\t0.06\nque\t0.03\nayuntamiento\t0.0001\npuente\t0.0002\nhemos\t0.001\n")
    four = {language[:2]: path for language, path in corpora.items()}
    return DetectorTrain(
        corpora=four, words={"es": str(folder / "es.tsv")}, languages=["de", "fr", "it", "rm"], sentences=200, bits=12
    )


@pytest.fixture(scope="module")
def trained(settings: DetectorTrain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("detector") / "detector.safetensors"
    train_detector(settings, out)
    return out


def test_a_detector_learns_from_a_few_articles(trained: Path, sample_lines: dict[str, list[str]]) -> None:
    detector = LanguageDetector.load(trained)
    assert detector.languages == ["de", "fr", "it", "rm", "other"]
    dev = {language: lines[-60:] for language, lines in sample_lines.items()}
    for language, lines in dev.items():
        best = detector.probabilities(lines).argmax(axis=1)
        assert (best == detector.languages.index(language)).mean() > 0.9
    assert detector.probabilities(["de puente ayuntamiento que hemos"])[0].argmax() == 4


def test_the_same_settings_make_the_same_bytes(settings: DetectorTrain, trained: Path, tmp_path: Path) -> None:
    told = train_detector(settings, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == trained.read_bytes()
    assert told["held_out"] > 0 and 0 < told["answered"] <= 1 and 0.5 <= told["threshold"] < 1
    assert told["samples"]["other"] == 400


def test_two_languages_are_told_apart_too(corpora: dict[str, str], tmp_path: Path) -> None:
    two = {language[:2]: path for language, path in corpora.items() if language in ("de_CH", "rm_CH")}
    settings = DetectorTrain(corpora=two, languages=["rm", "de"], sentences=200, bits=12, dev=two)
    told = train_detector(settings, tmp_path / "two.safetensors")
    rows = {row["language"]: row for row in told["dev"]["five_words_or_more"]["languages"]}
    assert rows["de"]["most_probable_right"] > 95 and rows["rm"]["most_probable_right"] > 95


def test_scores_part_short_texts_and_count_each_answer(trained: Path, tmp_path: Path) -> None:
    sentence = "Die Gemeinde hat gestern entschieden, dass die Schule im Dorf und die Strasse gebaut werden."
    (tmp_path / "de.txt").write_text(f"{sentence} Guten Tag!\n12.5\n")
    (tmp_path / "it.conll").write_text("Il\tO\nponte\tO\ndi\tO\nChiasso\tB-LOC\nè\tO\nchiuso\tO\n.\tO\n\n")
    data = {"de": str(tmp_path / "de.txt"), "it": str(tmp_path / "it.conll")}
    told = evaluate_detector(EvalDetector(data=data, detector=str(trained)), tmp_path / "scores.json")
    assert json.loads((tmp_path / "scores.json").read_text()) == told
    long, short = told["five_words_or_more"], told["shorter"]
    assert [(row["language"], row["texts"]) for row in long["languages"]] == [("de", 1), ("it", 1)]
    assert [(row["language"], row["texts"]) for row in short["languages"]] == [("de", 1)]
    assert long["languages"][0]["right"] == 100 and long["confusion"][0]["de"] == 1
    assert sum(value for value in short["confusion"][0].values() if isinstance(value, int)) == 1
    assert 0 <= long["calibration_error"] <= 100


def test_words_may_be_compressed_and_bad_ones_are_named(corpora: dict[str, str], tmp_path: Path) -> None:
    with gzip.open(tmp_path / "en.tsv.gz", "wt") as file:
        file.write("the\t0.05\nof\n")
    settings = DetectorTrain(corpora={"de": corpora["de_CH"]}, words={"en": str(tmp_path / "en.tsv.gz")},
                             languages=["de", "en"], sentences=20)  # fmt: skip
    with pytest.raises(UserError, match=r"en.tsv.gz:2: expected a word, a tab and its frequency, found 'of'"):
        train_detector(settings, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("languages", "message"),
    [(["de", "en"], "no corpora or words for en"), (["de"], "expected two or more to tell apart, found de")],
)
def test_languages_without_text_are_named(
    corpora: dict[str, str], tmp_path: Path, languages: list[str], message: str
) -> None:
    settings = DetectorTrain(corpora={"de": corpora["de_CH"]}, languages=languages, sentences=20)
    with pytest.raises(UserError, match=message):
        train_detector(settings, tmp_path / "out")


def test_a_language_that_the_detector_does_not_tell_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Ina\n")
    with pytest.raises(UserError, match="language 'rn': the detector tells de, fr, it, rm, en, other; did you mean"):
        evaluate_detector(EvalDetector(data={"rn": str(tmp_path / "a.txt")}), tmp_path / "out")


def test_from_the_command_line(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rm.txt").write_text("La regenza ha decidì da construir la punt.\n")
    words = ["eval", "detector", f"--data.rm={tmp_path / 'rm.txt'}", "--out", str(tmp_path / "scores.json"), "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["five_words_or_more"]["languages"][0]["right"] == 100


def test_sentences_end_at_a_sign_before_a_capital_or_at_a_line() -> None:
    text = "Er kam am 3. Mai. Dann (z. B. heute) ging er! «Ja?» Nein.\nSchluss"
    assert split_sentences(text) == ["Er kam am 3.", "Mai.", "Dann (z.", "B. heute) ging er!", "«Ja?» Nein.", "Schluss"]


def test_too_little_text_and_too_many_buckets_are_told(tmp_path: Path) -> None:
    (tmp_path / "few").write_text("Bun di.\n" * 10)
    with pytest.raises(UserError, match="corpora: expected 20 documents or more in a file"):
        train_detector(
            DetectorTrain(corpora={"de": str(tmp_path / "few"), "rm": str(tmp_path / "few")}, languages=["de", "rm"]),
            tmp_path / "out",
        )
    with pytest.raises(UserError, match="bits: expected at most 24, found 60"):
        DetectorTrain(corpora={"de": "x"}, bits=60)
    with pytest.raises(UserError, match="languages: expected different ones, found it, it"):
        DetectorTrain(corpora={"it": "x"}, languages=["it", "it"])


def test_logits_that_are_too_sure_are_cooled() -> None:
    generator = np.random.default_rng(1)
    logits = generator.normal(size=(4000, 3))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    answers = np.array([generator.choice(3, p=row) for row in chances])
    sure = np.exp(4 * logits) / np.exp(4 * logits).sum(axis=1, keepdims=True)
    assert _temperature(sure, answers) == pytest.approx(4, rel=0.1)
    assert _temperature(chances, answers) == pytest.approx(1, rel=0.1)
