from __future__ import annotations

import unicodedata
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from swissxmod import LanguageDetector, UserError
from swissxmod.detection import grams
from swissxmod.detection.detector import UNSURE

SHORT = {
    "de": ["Guten Morgen!", "Bitte nicht stören", "Wie geht es dir?", "Morgen wieder geöffnet", "Danke für alles",
           "Das Dorffest", "Unsere neue Schule", "Kein Zutritt"],
    "fr": ["Bonjour à tous !", "Merci beaucoup", "Où habitez-vous ?", "Fermé le dimanche", "La petite maison",
           "Une école pour tous", "Défense d'entrer", "Comment ça va ?"],
    "it": ["Buongiorno a tutti!", "Grazie mille", "Dove abita Lei?", "Chiuso la domenica", "La piccola casa",
           "Una scuola per tutti", "Vietato entrare", "Come sta oggi?"],
    "rm": ["Bun di a tuts!", "Grazia fitg", "Nua stais vus?", "Serrà la dumengia", "La chasa pitschna",
           "Ina scola per tuts", "Betg entrar qua", "Co vai cun tai?"],
}  # fmt: skip
OTHERS = {
    "en": ["The council decided to rebuild the bridge next year.", "We are looking for somebody who can help us."],
    "other": [
        "El consejo decidió reconstruir el puente el próximo año.",
        "Rada rozhodla, že most bude příští rok znovu postaven.",
        "De raad heeft besloten de brug volgend jaar te herbouwen.",
        "Совет решил восстановить мост в следующем году.",
    ],
}


def test_the_sample_is_told_apart_line_by_line(bundled: LanguageDetector, sample_lines: dict[str, list[str]]) -> None:
    for language, lines in sample_lines.items():
        said = [found.language for found in bundled.detect(lines)]
        assert len(lines) > 150
        assert said.count(language) >= 0.97 * len(lines), language


def test_a_few_words_are_enough_mostly(bundled: LanguageDetector) -> None:
    said = {language: [found.language for found in bundled.detect(texts)] for language, texts in SHORT.items()}
    right = sum(answers.count(language) for language, answers in said.items())
    wrong = sum(len(answers) - answers.count(language) - answers.count(UNSURE) for language, answers in said.items())
    assert right >= 0.85 * 32 and wrong <= 2


def test_english_and_further_languages_are_no_swiss_ones(bundled: LanguageDetector) -> None:
    for language, texts in OTHERS.items():
        assert [found.language for found in bundled.detect(texts)] == [language] * len(texts)


@pytest.mark.parametrize("text", ["", " ", "12.5 %", "\x00", "👩‍👩‍👧 !", "\ud83d", "\u202e\n\n", "-" * 300_000])
def test_a_text_without_letters_is_unsure(bundled: LanguageDetector, text: str) -> None:
    (found,) = bundled.detect([text])
    assert found.language == UNSURE
    assert found.probability == pytest.approx(1 / len(bundled.languages))


def test_nothing_in_nothing_out(bundled: LanguageDetector) -> None:
    assert bundled.detect([]) == []
    assert bundled.probabilities([]).shape == (0, 6)


@given(st.lists(st.text(alphabet=st.characters(), max_size=60), max_size=8))
@example(["\ud83d\x00", "", "ǅ İ ß ﬁ", "a" * 40, "Bun di"])
def test_any_text_alone_and_among_others(bundled: LanguageDetector, texts: list[str]) -> None:
    together = bundled.probabilities(texts)
    np.testing.assert_allclose(together.sum(axis=1), 1)
    assert all((bundled.probabilities([text])[0] == row).all() for text, row in zip(texts, together, strict=True))


def in_blocks(detector: LanguageDetector, texts: list[str], size: int) -> np.ndarray:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grams, "_BLOCK", size)
        grams._powers.cache_clear()
        found = detector.probabilities(texts)
    grams._powers.cache_clear()
    return found


@given(st.lists(st.text(alphabet="abcè '\n-", max_size=40), min_size=1, max_size=8), st.integers(1, 30))
def test_where_a_block_ends_changes_nothing(bundled: LanguageDetector, texts: list[str], size: int) -> None:
    assert (in_blocks(bundled, texts, size) == bundled.probabilities(texts)).all()


def test_a_long_word_is_the_same_wherever_a_block_ends(bundled: LanguageDetector) -> None:
    texts = ["Verwaltungen", "die Verwaltungen", "Krankenkasse, Verwaltungen"]
    whole = bundled.probabilities(texts)
    assert all((in_blocks(bundled, texts, size) == whole).all() for size in range(1, 60))


def test_case_signs_digits_and_the_form_of_accents_do_not_count(bundled: LanguageDetector) -> None:
    text = "Il cussegl è vegnì elegì a Cuira"
    forms = [
        text.upper(),
        f"  {text} 1848!",
        text.replace(" ", "\t\n"),
        unicodedata.normalize("NFD", text),
        f"«{text}»",
    ]
    assert len(set(bundled.detect([text, *forms]))) == 1


def test_no_n_gram_reaches_over_two_words(bundled: LanguageDetector) -> None:
    words = ["chasa", "Haus", "maison"]
    sums = [bundled.probabilities([" ".join(order)]) for order in (words, words[::-1])]
    assert (sums[0] == sums[1]).all()


def test_a_very_long_line_is_judged_by_its_beginning(bundled: LanguageDetector) -> None:
    text = "La regenza ha decidì da construir la punt. " * 3000
    assert bundled.detect([text + "Die Regierung hat entschieden. " * 50_000]) == bundled.detect([text])


def test_the_bundled_file_is_small() -> None:
    with resources.as_file(resources.files("swissxmod.detection") / "languages.safetensors") as path:
        assert path.stat().st_size < 1_000_000


def test_a_detector_is_read_as_it_was_written(bundled: LanguageDetector, tmp_path: Path) -> None:
    bundled.save(tmp_path / "copy.safetensors")
    copy = LanguageDetector.load(tmp_path / "copy.safetensors")
    texts = [text for part in SHORT.values() for text in part]
    assert copy.detect(texts) == bundled.detect(texts)
    assert copy.languages == ["de", "fr", "it", "rm", "en", "other"]


@pytest.mark.parametrize("content", [b"no detector", b"\x02\x00\x00\x00\x00\x00\x00\x00{}"])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(UserError, match="expected a language detector, as detector train writes it"):
        LanguageDetector.load(tmp_path / "x.safetensors")
    with pytest.raises(UserError, match="no such file"):
        LanguageDetector.load(tmp_path / "y.safetensors")
