from __future__ import annotations

import pytest

from swissxmod.xmod.pretraining.duplicates import without_near_duplicates

WORDS = [f"pled{number}" for number in range(200)]


def test_a_document_that_is_nearly_an_earlier_one_is_left_out() -> None:
    first = " ".join(WORDS)
    nearly = first.upper().replace("PLED7 ", "auter ", 1)
    half = " ".join(WORDS[:100] + [f"nov{number}" for number in range(100)])
    other = " ".join(f"text{number}" for number in range(200))
    kept = list(without_near_duplicates(iter([first, nearly, half, other, other + "."]), 0.8))
    assert kept == [first, half, other]


def test_short_documents_are_compared_whole() -> None:
    assert list(without_near_duplicates(iter(["Bun di", "bun di!", "Buna saira"]), 0.8)) == ["Bun di", "Buna saira"]


def test_what_the_index_only_suspects_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locality-sensitive hashing also finds documents below the threshold."""
    monkeypatch.setattr("datasketch.MinHashLSH.query", lambda self, _: list(self.keys))
    half = " ".join(WORDS[:100] + [f"nov{number}" for number in range(100)])
    documents = [" ".join(WORDS), half]
    assert list(without_near_duplicates(iter(documents), 0.8)) == documents
