"""The words of the bundled sample stand in dictionaries of their language."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest

from swissxmod.tasks.ner_data import read_tagged
from swissxmod.tasks.schemes import OUTSIDE

pytestmark = pytest.mark.slow
SAMPLE = Path(str(files("swissxmod") / "sample"))
ENOUGH = 0.97


def words_outside_names(language: str) -> Counter[str]:
    """How often each word occurs; a word before its apostrophe is left out, no dictionary lists it so."""
    return Counter(
        word
        for split in ("train", "dev")
        for sentence in read_tagged(str(SAMPLE / f"ner/{language}/{split}.conll"))
        for word, tag in zip(sentence.words, sentence.tags, strict=True)
        if tag == OUTSIDE and re.search(r"[^\W\d_]", word) and not word.endswith("'")
    )


def assert_known(words: Counter[str], known: Callable[[str], bool]) -> None:
    unknown = {word: count for word, count in words.items() if not known(word)}
    assert 1 - sum(unknown.values()) / words.total() >= ENOUGH, f"unknown: {sorted(unknown)}"


@pytest.mark.parametrize("language", ["de", "fr", "it"])
def test_words_are_known_to_hunspell(language: str) -> None:
    dictionary = f"{language}_CH"
    hunspell = shutil.which("hunspell")
    if hunspell is None:
        pytest.skip("hunspell is not installed")
    words = words_outside_names(language)
    command = [hunspell, "-d", dictionary, "-i", "utf-8", "-l"]
    result = subprocess.run(command, input="\n".join(words), text=True, capture_output=True, check=False)
    if "Can't open" in result.stderr:
        pytest.skip(f"hunspell has no dictionary {dictionary}")
    assert result.returncode == 0, result.stderr
    unknown = set(result.stdout.split())
    assert_known(words, lambda word: word not in unknown)


def test_romansh_words_are_known_to_rumlem() -> None:
    rumlem = pytest.importorskip("rumlem")
    lemmatizer = rumlem.Lemmatizer(idiom="rm-rumgr")

    def known(word: str) -> bool:
        return any(token.lemmas for form in (word, word.lower()) for token in lemmatizer(form).tokens)

    assert_known(words_outside_names("rm"), known)
