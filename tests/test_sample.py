"""The bundled sample: what its README promises holds, in every file."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from swissxmod.tasks.conll import entity_types
from swissxmod.tasks.ner_data import read_tagged
from swissxmod.tasks.sentences import TaggedSentence

SAMPLE = Path(str(files("swissxmod") / "sample"))
LANGUAGES = ["de", "fr", "it", "rm"]
TYPES = ["LOC", "MISC", "ORG", "PER"]
SPLITS = ["train", "dev"]
each_language = pytest.mark.parametrize("language", LANGUAGES)


def text_of(path: str) -> str:
    return (SAMPLE / path).read_bytes().decode("utf-8")


def records(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text_of(path).splitlines()]


def corpus(language: str) -> list[dict[str, Any]]:
    return [record for split in SPLITS for record in records(f"corpora/{language}/{split}.jsonl")]


def articles(language: str) -> dict[str, list[str]]:
    return {record["id"]: record["text"].split("\n") for record in corpus(language)}


def tagged(language: str, split: str) -> dict[str, list[TaggedSentence]]:
    """Sentences of each article of a split."""
    found: dict[str, list[TaggedSentence]] = {}
    for sentence in read_tagged(str(SAMPLE / f"ner/{language}/{split}.conll")):
        found.setdefault(sentence.document, []).append(sentence)
    return found


def without_blanks(sentence: str) -> str:
    return "".join(sentence.split())


@each_language
def test_the_articles_are_the_same_in_every_language(language: str) -> None:
    german = corpus("de")
    here = corpus(language)
    assert [(r["id"], r["topic"]) for r in here] == [(r["id"], r["topic"]) for r in german]
    assert all(set(r) == {"id", "lang", "topic", "text"} and r["lang"] == language for r in here)
    counts = [len(sentences) for sentences in articles(language).values()]
    assert counts == [len(sentences) for sentences in articles("de").values()]
    assert len(counts) >= 30
    assert sum(counts) >= 180
    assert len(here) == len(articles(language))


@each_language
@pytest.mark.parametrize("split", SPLITS)
def test_text_and_tags_are_split_alike(language: str, split: str) -> None:
    assert [r["id"] for r in records(f"corpora/{language}/{split}.jsonl")] == list(tagged(language, split))


@each_language
def test_the_tokens_are_those_of_the_texts(language: str) -> None:
    train, dev = (tagged(language, split) for split in SPLITS)
    assert not set(train) & set(dev)
    from_tokens = {name: ["".join(s.words) for s in part] for name, part in (train | dev).items()}
    assert from_tokens == {name: [without_blanks(s) for s in part] for name, part in articles(language).items()}


@each_language
@pytest.mark.parametrize("split", SPLITS)
def test_sources_number_the_sentences(language: str, split: str) -> None:
    sources = [line for line in text_of(f"ner/{language}/{split}.conll").splitlines() if line.startswith("# ")]
    numbers = [(name, n) for name, part in tagged(language, split).items() for n in range(1, len(part) + 1)]
    assert sources == [f"# source = {name} s{n}" for name, n in numbers]


@each_language
@pytest.mark.parametrize("split", SPLITS)
def test_tags_are_iob2_and_all_types_occur(language: str, split: str) -> None:
    sentences = [s for part in tagged(language, split).values() for s in part]
    assert entity_types(sentences) == TYPES
    for sentence in sentences:
        for before, tag in pairwise(("O", *sentence.tags)):
            assert not tag.startswith("I-") or before[2:] == tag[2:], sentence


@each_language
@pytest.mark.parametrize("split", SPLITS)
def test_a_sentence_has_the_same_entities_in_every_language(language: str, split: str) -> None:
    def kinds(of: str) -> dict[str, list[Counter[str]]]:
        return {
            name: [Counter(tag[2:] for tag in s.tags if tag.startswith("B-")) for s in part]
            for name, part in tagged(of, split).items()
        }

    assert kinds(language) == kinds("de")


@each_language
def test_no_sentence_is_in_both_splits(language: str) -> None:
    train, dev = ({s.words for part in tagged(language, split).values() for s in part} for split in SPLITS)
    assert not train & dev


def aligned(end: str) -> list[list[str]]:
    return [line.split(" ") for line in text_of(f"alignment/de-rm/dev.{end}").splitlines()]


def test_word_links_stay_inside_their_sentences() -> None:
    lines = aligned("align")
    assert len(lines) >= 60
    for german, romansh, line in zip(aligned("de"), aligned("rm"), lines, strict=True):
        links = [(int(i), int(j)) for i, j in (link.split("-") for link in line)]
        assert links == sorted(set(links))
        assert all(0 <= i < len(german) and 0 <= j < len(romansh) for i, j in links)
        assert len({i for i, _ in links}) > 0.7 * len(german)


def test_linked_sentences_are_those_of_the_texts() -> None:
    def tokens(language: str) -> list[tuple[str, ...]]:
        return [s.words for split in SPLITS for part in tagged(language, split).values() for s in part]

    linked = [(tuple(german), tuple(romansh)) for german, romansh in zip(aligned("de"), aligned("rm"), strict=True)]
    assert set(linked) <= set(zip(tokens("de"), tokens("rm"), strict=True))
    assert len(set(linked)) == len(linked)


@each_language
def test_stance_is_balanced_and_complete(language: str) -> None:
    comments = records(f"stance/{language}.jsonl")
    assert len(comments) >= (20 if language == "rm" else 40)
    fields = ["id", "question_id", "topic", "language", "question", "comment", "label"]
    for comment in comments:
        assert list(comment) == fields
        assert all(isinstance(value, str) and value for value in comment.values())
        assert comment["language"] == language
        assert comment["id"].startswith(f"{comment['question_id']}-{language}-")
        assert comment["question"].endswith("?")
    labels = Counter(comment["label"] for comment in comments)
    assert set(labels) == {"FAVOR", "AGAINST"}
    assert 0.4 <= labels["FAVOR"] / len(comments) <= 0.6
    assert len({c["comment"] for c in comments}) == len(comments)


def test_stance_questions_are_shared() -> None:
    comments = [c for language in LANGUAGES for c in records(f"stance/{language}.jsonl")]
    assert len({c["id"] for c in comments}) == len(comments)
    assert sum(c["language"] != "rm" for c in comments) >= 120
    questions = {c["question_id"] for c in comments}
    assert len(questions) >= 15
    for language in ("de", "fr", "it"):
        assert {c["question_id"] for c in comments if c["language"] == language} == questions
    wordings = {(c["question_id"], c["language"]): (c["question"], c["topic"]) for c in comments}
    assert all(wordings[c["question_id"], c["language"]] == (c["question"], c["topic"]) for c in comments)


BY_LANGUAGE = [
    "corpora/{}/train.jsonl",
    "corpora/{}/dev.jsonl",
    "stance/{}.jsonl",
    "ner/{}/train.conll",
    "ner/{}/dev.conll",
]
GERMAN = [*(pattern.format("de") for pattern in BY_LANGUAGE), "alignment/de-rm/dev.de"]
JSONL = [pattern.format(language) for pattern in BY_LANGUAGE[:3] for language in LANGUAGES]
DATA = [
    *(pattern.format(language) for pattern in BY_LANGUAGE for language in LANGUAGES),
    *(f"alignment/de-rm/dev.{end}" for end in ("de", "rm", "align")),
    "languages.txt",
]


def test_a_sentence_in_all_languages_is_of_an_article() -> None:
    lines = text_of("languages.txt").splitlines()
    places = {articles(language)["a24"].index(line) for language, line in zip(LANGUAGES, lines, strict=True)}
    assert len(places) == 1


def test_no_file_is_missing_or_unknown() -> None:
    there = {path.relative_to(SAMPLE).as_posix() for path in SAMPLE.rglob("*") if path.is_file()}
    assert there == {*DATA, "README.md", "LICENSE"}


@pytest.mark.parametrize("path", [*DATA, "README.md", "LICENSE"])
def test_files_are_clean_text(path: str) -> None:
    text = text_of(path)
    assert unicodedata.is_normalized("NFC", text)
    assert text.endswith("\n")
    assert not {"\r", "\u2019", "\u2018", "\u00a0", "\u202f", "\ufeff"} & set(text)
    assert not [line for line in text.split("\n") if line != line.rstrip()]


@pytest.mark.parametrize("path", GERMAN)
def test_german_is_in_swiss_spelling(path: str) -> None:
    assert "ß" not in text_of(path)


@pytest.mark.parametrize("path", JSONL)
def test_texts_have_no_stray_blanks(path: str) -> None:
    for record in records(path):
        for value in record.values():
            assert "  " not in value
            assert all(line == line.strip() for line in value.split("\n"))
