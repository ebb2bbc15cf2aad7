"""The page as people use it, in a browser."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from swissxmod.app.answers import Answers

uvicorn = pytest.importorskip("uvicorn", reason="the app is an extra: pip install swissxmod[app]")
from swissxmod.app.server import make_app  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LIMIT = 1000
WIDTH = 360


@pytest.fixture(scope="module")
def url(small_tagger: Callable[[str], Path]) -> Iterator[str]:
    answers = Answers(str(small_tagger("Anna\tB-PER\nwohnt\tO\nin\tO\nChur\tB-LOC\n.\tO\n\n" * 16)))
    config = uvicorn.Config(make_app(answers, LIMIT), port=0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(30)


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    """The page, on a telephone; at the end nothing has gone wrong in it and nothing has left this computer."""
    context = browser.new_context(viewport={"width": WIDTH, "height": 740})
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=url)
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith(f"{url}/") else wrong.append(asked.url))
    page.goto(url)
    yield page
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH
    assert wrong == []
    context.close()


def said(page: Page, panel: str) -> str:
    """What the status line says when an answer has come."""
    status = page.locator(f"#{panel} [role=status]")
    page.wait_for_function(
        "status => status.textContent && !status.textContent.endsWith('…')", arg=status.element_handle()
    )
    return status.inner_text()


def test_names_of_a_text_are_marked(page: Page) -> None:
    german = "😀 Anna wohnt in Chur. Wir gehen heute mit den Kindern <img src=x onerror=alert(1)> שלום"
    text = f"{german}\n\nElla è ida a Cuira, e nus betg."
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_role("button", name="Find names").click()
    assert said(page, "entities").endswith("in 2 paragraphs.")
    first, second = page.locator("#entities .passage").all()
    marks = [mark.inner_text().split() for mark in first.locator("mark").all()]
    assert [words[:2] for words in marks[:2]] == [["Anna", "PER"], ["Chur", "LOC"]]
    assert "German (de)" in first.inner_text() and "Romansh (rm)" in second.inner_text()
    shown = first.locator(".text").evaluate(
        "p => { for (const part of p.querySelectorAll('mark > span')) part.remove(); return p.textContent; }"
    )
    assert shown == german
    assert page.locator("#entities .legend").inner_text().split() == ["LOC", "PER"]
    assert page.locator("#entities tbody tr").count() == page.locator("#entities mark").count()


def test_a_score_is_shown_where_the_focus_is(page: Page) -> None:
    page.get_by_label("Text", exact=True).fill("Anna wohnt in Chur.")
    page.get_by_role("button", name="Find names").click()
    said(page, "entities")
    mark = page.locator("mark").first
    content = "mark => getComputedStyle(mark, '::after').content"
    assert mark.evaluate(content) == "none"
    mark.focus()
    assert "%" in mark.evaluate(content)
    assert mark.evaluate("mark => getComputedStyle(mark).backgroundColor") != page.locator("mark").nth(1).evaluate(
        "mark => getComputedStyle(mark).backgroundColor"
    )


def test_an_example_is_read_and_names_are_copied(page: Page) -> None:
    page.get_by_role("button", name="All four").click()
    assert said(page, "entities").endswith("in 4 paragraphs.")
    page.get_by_label("Text", exact=True).fill("Anna wohnt in Chur.")
    page.get_by_label("Language of all paragraphs").select_option("de_CH")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Find names").click()
    assert said(page, "entities") == "2 names in 1 paragraph."
    assert "as chosen" in page.locator(".passage").inner_text()
    page.get_by_role("button", name="Copy as JSON").click()
    page.wait_for_function("() => document.querySelector('#entities .status').textContent === 'Copied.'")
    copied = page.evaluate("navigator.clipboard.readText().then(JSON.parse)")
    assert [(name["text"], name["start"]) for name in copied] == [("Anna", 0), ("Chur", 14)]


def test_a_paragraph_without_a_language_is_unsure(page: Page) -> None:
    page.get_by_label("Text", exact=True).fill("3.14")
    page.get_by_role("button", name="Find names").click()
    said(page, "entities")
    assert page.locator(".passage .language").inner_text().startswith("unsure; read as ")


def test_words_are_linked_with_the_keyboard_alone(page: Page) -> None:
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("tab", name="Word links").evaluate("tab => tab === document.activeElement")
    source, target = page.get_by_label("Text, a sentence"), page.get_by_label("Its translation")
    while not source.evaluate("field => field === document.activeElement"):
        page.keyboard.press("Tab")
    page.keyboard.type("Anna wohnt in Chur.")
    while not target.evaluate("field => field === document.activeElement"):
        page.keyboard.press("Tab")
    page.keyboard.type("Anna wohnt in Chur und Chur.")
    page.keyboard.press("Control+Enter")
    assert said(page, "links").endswith("in 1 pair.")
    paths = page.locator("#links figure path")
    assert paths.count() >= 4
    assert all(path.get_attribute("d").startswith("M") for path in paths.all())
    while "Anna: " not in (page.evaluate("document.activeElement.ariaLabel") or ""):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.ariaLabel") == "Anna: linked with Anna"
    assert page.locator("path.lit").count() == 1
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.ariaLabel").startswith("wohnt: ")


def test_links_end_at_their_words_whatever_the_width(page: Page) -> None:
    page.get_by_role("tab", name="Word links").click()
    for field in ("Text, a sentence", "Its translation"):
        page.get_by_label(field).fill("Anna wohnt in Chur. " * 3)
    page.get_by_role("button", name="Link words").click()
    said(page, "links")
    gap = """() => {
      const [path] = document.querySelectorAll("#links path"), end = path.getPointAtLength(0);
      const frame = path.ownerSVGElement.getBoundingClientRect(), tall = document.querySelector("#links .tall");
      const word = document.querySelector("#links ol button:not(.alone)").getBoundingClientRect();
      return tall ? [Math.abs(end.x + frame.x - word.right), Math.abs(end.y + frame.y - (word.top + word.bottom) / 2)]
        : [Math.abs(end.x + frame.x - (word.left + word.right) / 2), Math.abs(end.y + frame.y - word.bottom)];
    }"""
    assert max(page.evaluate(gap)) < 1
    assert page.locator("#links .tall").count() == 1
    page.set_viewport_size({"width": 1600, "height": 900})
    page.wait_for_function("() => !document.querySelector('#links .tall')")
    assert max(page.evaluate(gap)) < 1
    page.set_viewport_size({"width": WIDTH, "height": 740})
    page.wait_for_function("() => document.querySelector('#links .tall')")
    assert max(page.evaluate(gap)) < 1


def test_what_goes_wrong_is_told_on_the_page(page: Page) -> None:
    send, text = page.get_by_role("button", name="Find names"), page.get_by_label("Text", exact=True)
    send.click()
    assert said(page, "entities") == "Write a text first."
    text.fill("😀" * (LIMIT + 1))
    assert page.locator("#text-count").inner_text() == "1,001 of 1,000 characters"
    send.click()
    assert "at most 1,000 characters" in said(page, "entities")
    assert text.get_attribute("aria-invalid") == "true"
    text.fill("😀" * LIMIT)
    send.click()
    page.wait_for_selector(".passage")
    assert text.get_attribute("aria-invalid") == "false"
