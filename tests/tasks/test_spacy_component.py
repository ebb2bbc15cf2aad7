from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from swissxmod import UserError

spacy = pytest.importorskip("spacy", reason="spaCy is an extra: pip install swissxmod[spacy]")


@pytest.fixture(scope="module")
def ner(small_tagger: Callable[[str], Path]) -> str:
    """A tagger for which "Chur" and what follows an apostrophe are places."""
    return str(small_tagger("in\tO\nChur\tB-LOC\n.\tO\n\nl'\tO\nEngiadina\tB-LOC\n.\tO\n\n" * 8))


def test_names_become_entities_with_scores(ner: str) -> None:
    nlp = spacy.blank("de")
    nlp.add_pipe("swissxmod_ner", config={"model": ner})
    doc = nlp("in Chur.\n\nin  Chur.")
    assert [(entity.text, entity.label_, entity.start_char) for entity in doc.ents] == [
        ("Chur", "LOC", 3), ("Chur", "LOC", 14),
    ]  # fmt: skip
    group = doc.spans["swissxmod_ner"]
    assert [span.text for span in group] == ["Chur", "Chur"]
    assert all(0.5 < score <= 1 for score in group.attrs["scores"])
    assert not nlp("").ents


def test_documents_are_tagged_together_as_alone(ner: str) -> None:
    nlp = spacy.blank("xx")
    nlp.add_pipe("swissxmod_ner", config={"model": ner, "language": "de"})
    texts = ["in Chur.", "", "in", "in Chur."]
    together = [[entity.start_char for entity in doc.ents] for doc in nlp.pipe(texts, batch_size=3)]
    assert together == [[3], [], [], [3]] == [[entity.start_char for entity in nlp(text).ents] for text in texts]


def test_a_name_within_a_token_takes_all_of_it(ner: str) -> None:
    nlp = spacy.blank("xx")
    nlp.add_pipe("swissxmod_ner", config={"model": ner, "language": "de"})
    doc = nlp("l'Engiadina.")
    assert doc[0].text == "l'Engiadina"
    assert [entity.text for entity in doc.ents] == ["l'Engiadina"]


def test_entities_that_are_there_stay(ner: str) -> None:
    nlp = spacy.blank("de")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "TOWN", "pattern": [{"LOWER": "chur"}, {"TEXT": "."}]}])
    nlp.add_pipe("swissxmod_ner", config={"model": ner})
    doc = nlp("in Chur. in Chur x")
    assert [(entity.text, entity.label_) for entity in doc.ents] == [("Chur.", "TOWN"), ("Chur", "LOC")]


def test_a_pipeline_of_no_language_detects_it(ner: str) -> None:
    text = "Die Regierung hat heute entschieden, und sie kommt nicht in Chur."
    given, detected = spacy.blank("xx"), spacy.blank("xx")
    given.add_pipe("swissxmod_ner", config={"model": ner, "language": "de"})
    detected.add_pipe("swissxmod_ner", config={"model": ner})
    names = [[(entity.text, entity.start) for entity in nlp(text).ents] for nlp in (given, detected)]
    assert names[0] == names[1] and names[0]


@pytest.mark.parametrize(
    ("config", "message"),
    [({}, "swissxmod_ner: which tagger?"), ({"language": "en"}, "no adapter for language 'en'")],
)
def test_what_it_cannot_do_is_told_when_it_is_added(ner: str, config: dict[str, str], message: str) -> None:
    config = config | {"model": ner} if config else config
    with pytest.raises(UserError, match=message):
        spacy.blank("de").add_pipe("swissxmod_ner", config=config)
