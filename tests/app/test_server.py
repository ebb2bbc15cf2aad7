from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from swissxmod.app.answers import Answers, EntitiesQuestion, LinksQuestion
from swissxmod.settings import MINI_NER
from swissxmod.tasks.word_alignment import Linking, all_links, load_encoder, word_vectors
from swissxmod.tasks.words import INVISIBLE
from swissxmod.xmod.checkpoints import save_checkpoint

pytest.importorskip("starlette", reason="the app is an extra: pip install swissxmod[app]")
from starlette.testclient import TestClient

from swissxmod.app.server import make_app

LIMIT = 2000
HOME = "http://127.0.0.1:8000"
ENTITIES, LINKS = "/api/entities", "/api/links"


@pytest.fixture(scope="module")
def answers(small_tagger: Callable[[str], Path]) -> Answers:
    return Answers(str(small_tagger("Anna\tB-PER\nwohnt\tO\nin\tO\nChur\tB-LOC\n.\tO\n\n" * 16)))


@pytest.fixture(scope="module")
def client(answers: Answers) -> Iterator[TestClient]:
    with TestClient(make_app(answers, LIMIT), base_url=HOME) as client:
        yield client


def test_names_come_as_segments_of_each_paragraph(client: TestClient) -> None:
    german, romansh = "Anna wohnt in Chur.", "Ella è ida a Cuira, e nus betg."
    found = client.post(ENTITIES, json={"text": f"{german}\n\n  {romansh}"}).json()
    first, second = found["passages"]
    assert [(part["text"], part.get("label")) for part in first["segments"]] == [
        ("Anna", "PER"), (" wohnt in ", None), ("Chur", "LOC"), (".", None),
    ]  # fmt: skip
    assert first["language"] == "de" and second["name"] == "Romansh (rm)"
    assert second["sure"] is True and second["probability"] > 0.9
    assert "".join(part["text"] for part in second["segments"]) == romansh
    entity = found["entities"][1]
    assert (entity["text"], entity["label"], entity["start"], entity["end"]) == ("Chur", "LOC", 14, 18)
    assert first["segments"][2]["score"] == entity["score"]


def test_a_paragraph_that_does_not_show_its_language_says_so(client: TestClient) -> None:
    (passage,) = client.post(ENTITIES, json={"text": "3.14"}).json()["passages"]
    assert passage["sure"] is False and passage["probability"] < 0.5


def test_a_language_can_be_chosen(client: TestClient, answers: Answers) -> None:
    text = "Anna wohnt in Chur.\nAnna"
    found = client.post(ENTITIES, json={"text": text, "language": "rm_CH"}).json()
    told = [(part["language"], part["name"], part["probability"], part["sure"]) for part in found["passages"]]
    assert told == [("rm_CH", "Romansh (rm_CH)", None, None)] * 2
    assert [entity["text"] for entity in found["entities"]] == [e.text for e in answers.tagger(text, "rm")]
    refused = client.post(ENTITIES, json={"text": text, "language": "en"})
    assert refused.status_code == 422
    assert "no adapter for language 'en'" in refused.json()["error"]


def test_lines_of_a_printed_page_are_one_paragraph(client: TestClient) -> None:
    found = client.post(ENTITIES, json={"text": "Anna wohnt in\nCh-\nur.\n\nAnna", "wrapped": True}).json()
    assert len(found["passages"]) == 2
    assert [entity["text"] for entity in found["entities"]] == ["Anna", "Ch-\nur", "Anna"]


@given(st.text(alphabet=st.characters(), max_size=60))
@example("\ud83d \x00\u202e שלום 😀 e\u0301\r\n\u2028")
def test_nothing_of_a_text_is_lost_or_moved(client: TestClient, text: str) -> None:
    text = f"😀 Anna wohnt in Chur. {text} Anna"
    response = client.post(ENTITIES, content=json.dumps({"text": text}), headers={"Content-Type": "application/json"})
    assert response.status_code == 200, response.text
    found = response.json()
    whole = "".join("\ufffd" if "\ud800" <= sign <= "\udfff" else sign for sign in text)
    names = [part for passage in found["passages"] for part in passage["segments"] if "label" in part]
    assert [part["text"] for part in names] == [entity["text"] for entity in found["entities"]]
    assert all(whole[entity["start"] : entity["end"]] == entity["text"] for entity in found["entities"])
    shown = ["".join(segment["text"] for segment in passage["segments"]) for passage in found["passages"]]
    left_out = re.split("|".join(map(re.escape, sorted(shown, key=len, reverse=True))), whole)
    assert all(re.fullmatch(rf"[\s{INVISIBLE}]*", part) for part in left_out)


def test_words_of_translations_are_linked_line_by_line(client: TestClient) -> None:
    source, target = "Anna wohnt in Chur.\n\nAnna", "\nAnna wohnt in Chur.\nAnna 😀\n"
    question = {"source": source, "target": target, "source_language": "de", "target_language": "de_CH"}
    first, second = client.post(LINKS, json=question).json()["pairs"]
    assert first["source"] == first["target"] == ["Anna", "wohnt", "in", "Chur", "."]
    assert first["links"] == [[number, number] for number in range(5)]
    assert second["target"] == ["Anna", "😀"] and second["links"] == [[0, 0]]
    detected = client.post(LINKS, json={"source": "Nus essan qua ed els na vegnan betg.", "target": "1"}).json()
    languages = detected["pairs"][0]["languages"]
    assert (languages[0]["language"], languages[0]["sure"], languages[1]["sure"]) == ("rm", True, False)


def test_texts_that_do_not_go_together_are_refused(client: TestClient) -> None:
    response = client.post(LINKS, json={"source": "Anna\nAnna", "target": "Anna"})
    assert response.status_code == 422
    assert "the first text has 2 lines with words, the second 1" in response.json()["error"]


def test_nothing_in_nothing_out(client: TestClient) -> None:
    for text in ("", " \n\t\u200b"):
        assert client.post(ENTITIES, json={"text": text}).json() == {"passages": [], "entities": []}
        assert client.post(LINKS, json={"source": text, "target": ""}).json() == {"pairs": []}


def test_another_encoder_links_the_words(answers: Answers, model_folder: Path) -> None:
    other = Answers(str(answers.tagger.model.name_or_path), str(model_folder))
    assert other.encoder is not other.tagger.model.base_model
    assert answers.encoder is answers.tagger.model.base_model


def test_a_tuned_model_says_how_its_words_are_linked(answers: Answers, model_folder: Path, tmp_path: Path) -> None:
    model, tokenizer = load_encoder(str(model_folder))
    source, target = "die Brücke in der Gemeinde", "la punt en la vischnanca"
    found = []
    for pieces in (True, False):
        model.config.alignment = {"layer": 1, "method": "argmax", "pieces": pieces}
        save_checkpoint(tmp_path / str(pieces), model, tokenizer, [])
        own = Answers(str(answers.tagger.model.name_or_path), str(tmp_path / str(pieces)))
        question = LinksQuestion(source=source, target=target, source_language="de", target_language="rm")
        found.append({tuple(link) for link in own.links(question)["pairs"][0]["links"]})
        words = word_vectors(model, tokenizer, [source.split()], "de", 1, pieces=pieces)
        others = word_vectors(model, tokenizer, [target.split()], "rm", 1, pieces=pieces)
        assert found[-1] == next(all_links((words, others), Linking(1, "argmax", pieces=pieces)))
    assert found[0] != found[1]


BAD = {
    "no JSON": (b"text", "expected JSON"),
    "not UTF-8": (b'{"text": "\xff\xff"}', "expected JSON"),
    "too deep": (b"[" * 20_000, "expected JSON"),
    "no object": (b"[]", "question: "),
    "no text": (b"{}", "text: Field required"),
    "a number": (b'{"text": 1}', "text: Input should be a valid string"),
    "no truth": (b'{"text": "", "wrapped": "no"}', "wrapped: "),
    "unknown": (b'{"text": "", "colour": 1}', "colour: Extra inputs are not permitted"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_not_understood_is_told(case: str, client: TestClient) -> None:
    body, message = BAD[case]
    response = client.post(ENTITIES, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert response.json()["error"].startswith(message)


def test_only_json_is_taken(client: TestClient) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        assert client.post(ENTITIES, content=b'{"text": ""}', headers={"Content-Type": kind}).status_code == 415
    assert client.get(ENTITIES).status_code == 405
    assert client.get("/page.html.jinja").status_code == 404


def test_the_limit_counts_characters_of_all_texts(client: TestClient) -> None:
    longest = ("Anna 😀 " * LIMIT)[:LIMIT]
    assert client.post(ENTITIES, json={"text": longest}).status_code == 200
    assert client.post(ENTITIES, content=json.dumps({"text": "😀" * LIMIT}).encode(), headers={
        "Content-Type": "application/json"}).status_code == 200  # fmt: skip
    refused = client.post(ENTITIES, json={"text": longest + "."})
    assert refused.status_code == 413
    assert "at most 2,000 characters are read at once, here are 2,001" in refused.json()["error"]
    both = client.post(LINKS, json={"source": longest[:1001], "target": longest[:1000]})
    assert both.status_code == 413


def test_a_body_that_is_too_large_is_not_read(client: TestClient) -> None:
    read = []

    def parts() -> Iterator[bytes]:
        for _ in range(1000):
            read.append(1)
            yield b" " * 10_000

    for content, told in ((parts(), {}), (b" ", {"Content-Length": "99999999"})):
        headers = {"Content-Type": "application/json", **told}
        response = client.post(ENTITIES, content=content, headers=headers)
        assert response.status_code == 413
        assert "here are more" in response.json()["error"]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8000", "0.0.0.0:8000", "", "[::1]:8000"])
@pytest.mark.parametrize("address", ["/", "/page.js", "/api/health", ENTITIES])
def test_another_host_is_refused(client: TestClient, host: str, address: str) -> None:
    ask = client.post if address == ENTITIES else client.get
    response = ask(address, headers={"Host": host})
    assert response.status_code == 403
    assert "expected a request to 127.0.0.1 or localhost" in response.json()["error"]


def test_other_pages_are_refused(client: TestClient) -> None:
    for origin in ("https://evil.example", "http://127.0.0.1:9999", "http://localhost:8000", "null"):
        response = client.post(ENTITIES, json={"text": "Anna"}, headers={"Origin": origin})
        assert response.status_code == 403, origin
        assert not any(name.startswith("access-control") for name in response.headers)
    assert client.options(ENTITIES, headers={"Origin": "https://evil.example"}).status_code == 403
    assert client.post(ENTITIES, json={"text": "Anna"}, headers={"Origin": HOME}).status_code == 200
    home = {"Host": "localhost:8000", "Origin": "http://localhost:8000"}
    assert client.post(ENTITIES, json={"text": "Anna"}, headers=home).status_code == 200


def test_the_page_is_whole_and_may_only_load_what_is_here(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["Content-Type"].startswith("text/html")
    assert '<option value="rm_CH">Romansh (rm_CH)</option>' in page.text
    assert 'data-label="PER"' in page.text and "Piz Beverin" in page.text
    for address in ("/", "/page.js", "/page.css", "/icon.svg", "/api/health", "/nowhere"):
        response = client.get(address)
        assert response.headers["Content-Security-Policy"].startswith("default-src 'self';"), address
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "://" not in response.text.replace("http://www.w3.org/2000/svg", ""), address


def test_the_licence_of_the_model_of_the_package_is_told(
    client: TestClient, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "swissxmod-mini" not in client.get("/").text
    monkeypatch.setattr(answers, "uses_own_model", True)
    with TestClient(make_app(answers, LIMIT), base_url=HOME) as anew:
        assert "CC BY-NC-SA 4.0, not for commercial use" in anew.get("/").text
    own = Answers(MINI_NER)
    assert own.uses_own_model
    # Its trunk, which may read in bfloat16, links words too.
    assert own.links(LinksQuestion(source="Chur", target="Cuira"))["pairs"]


def test_health_is_told_while_a_question_is_answered(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    started, go_on, together = threading.Event(), threading.Event(), []

    def slow(question: EntitiesQuestion) -> dict[str, str]:
        started.set()
        together.append(question.text)
        assert go_on.wait(30)
        return {"text": question.text}

    monkeypatch.setattr(answers, "entities", slow)
    with TestClient(make_app(answers, LIMIT), base_url=HOME) as client:
        found: list[str] = []

        def ask(text: str) -> None:
            found.append(client.post(ENTITIES, json={"text": text}).json()["text"])

        asking = [threading.Thread(target=ask, args=[text]) for text in ("one", "two")]
        for thread in asking:
            thread.start()
        assert started.wait(30)
        assert client.get("/api/health").json() == {"status": "busy"}
        assert len(together) == 1
        go_on.set()
        for thread in asking:
            thread.join(30)
        assert sorted(found) == ["one", "two"]
        assert client.get("/api/health").json() == {"status": "idle"}


def test_a_failure_is_told_and_raised_where_the_server_runs(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "entities", lambda question: 1 / 0)
    with TestClient(make_app(answers, LIMIT), base_url=HOME, raise_server_exceptions=False) as client:
        response = client.post(ENTITIES, json={"text": "Anna"})
        assert response.status_code == 500
        assert response.json() == {"error": "The server failed; its terminal says why."}
        assert client.get("/api/health").json() == {"status": "idle"}
    with TestClient(make_app(answers, LIMIT), base_url=HOME) as client, pytest.raises(ZeroDivisionError):
        client.post(ENTITIES, json={"text": "Anna"})
