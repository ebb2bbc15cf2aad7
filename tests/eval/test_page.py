"""The report in a real browser: what a reader sees, sorts, filters and reaches by keyboard, and what it never does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from swissxmod.eval.examples import Example, write_examples
from swissxmod.eval.records import Record, write_records
from swissxmod.eval.report import write_report
from swissxmod.settings import Report

if TYPE_CHECKING:
    from playwright.sync_api import Browser

WIDE, PHONE = 1100, 360
NOTED = (
    "Log.entryAdded",
    "Network.requestWillBeSent",
    "Network.responseReceived",
    "Runtime.consoleAPICalled",
    "Runtime.exceptionThrown",
)


class Tab:
    """A page in a browser, opened anew for each look at it; what happens meanwhile is noted."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser

    def open(self, path: Path, *, width: int = WIDE, dark: bool = False, scripts: bool = True) -> None:
        """Load a page; forget what happened before."""
        self.close()
        self.page = self.browser.new_page(
            viewport={"width": width, "height": 900},
            is_mobile=width < WIDE,
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
        )
        self.events: list[tuple[str, dict[str, Any]]] = []
        session = self.page.context.new_cdp_session(self.page)
        for name in NOTED:
            session.on(name, lambda event, name=name: self.events.append((name, event)))
        for domain in ("Runtime", "Log", "Network"):
            session.send(f"{domain}.enable")
        self.page.goto(path.as_uri())

    def run(self, script: str) -> Any:
        """The value of an expression of JavaScript."""
        return self.page.evaluate(script)

    def happened(self, *names: str) -> list[dict[str, Any]]:
        """What was noted of these kinds since the page was opened."""
        return [event for name, event in self.events if name in names]

    def close(self) -> None:
        """Leave the page, if one is open."""
        for context in self.browser.contexts:
            context.close()


@pytest.fixture
def tab(browser: Browser) -> Iterator[Tab]:
    tab = Tab(browser)
    yield tab
    tab.close()


LONG = "a-name-without-any-blank-" * 6
WORDS = "Cuira è la chapitala dal Grischun"


@pytest.fixture(scope="module")
def page(record: Callable[..., Record], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with all of its parts."""
    folder = tmp_path_factory.mktemp("report")
    types = {"f1 LOC": 70.0, "precision LOC": 75.0, "recall LOC": 66.0, "f1 PER": 90.0, "precision PER": 92.0}
    taggers = [
        record(language, score - 10 * (language not in trained), trained, details=types, system=system)
        for system, score in (("adapted", 80.0), ("trunk", 62.5))
        for trained in (["de_CH"], ["de_CH", "fr_CH"])
        for language in ("de_CH", "fr_CH", "rm_CH")
    ]
    aligned = {"task": "word-alignment", "metric": "aer", "dataset": "dermit", "low": 0.1, "high": 0.3}
    layers = {"layer 0": 0.3, "layer 1": 0.2, "layer mean": 0.2, "best layer": 1.0}
    pairs = [
        record("de_CH-rm_CH", score, [], system=name, details=layers, **aligned)
        for name, score in (("adapted", 0.15), (LONG, 0.25))
    ]
    write_records(folder / "results.jsonl", taggers + pairs)
    tags = {"gold": ["B-LOC", "O", "O", "O", "O", "B-LOC"], "predicted": ["B-PER", "O", "O", "B-PER", "O", "O"]}
    example = Example(model_hash="a" * 64, dataset="names", split="test", language="rm_CH", words=WORDS.split(), **tags)
    write_examples(folder / "examples.jsonl", [example])
    linked = {"source": ["Guten", "Tag", "Welt"], "target": ["Bun", "di", "mund"], "links": [[0, 0], [1, 1]]}
    (folder / "links.jsonl").write_text(json.dumps(linked | {"languages": ["de", "rm"]}))
    (folder / "training.json").write_text('[{"step": 1, "loss": 2.0, "learning_rate": 1e-4}]')
    settings = Report(
        results=str(folder / "results.jsonl"),
        title=f"All parts {LONG}",
        notes=[f"A note. {LONG}"],
        curves={"pretraining": str(folder)},
        examples=[str(folder / "examples.jsonl")],
        links={"links": str(folder / "links.jsonl")},
        command=f"swissxmod demo --out {LONG}",
    )
    write_report(settings, folder / "page.html")
    return folder / "page.html"


VISIBLE = "[...document.querySelectorAll('#names tr.record')].filter(row => row.checkVisibility())"
CELLS = "({}).map(row => [...row.cells].slice(0, 3).map(cell => cell.textContent.trim()))"


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_opens_without_complaint_and_asks_for_nothing(tab: Tab, page: Path, dark: bool) -> None:
    tab.open(page, dark=dark)
    tab.run("new Promise(done => setTimeout(done, 200))")
    assert not tab.happened("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
    asked = [event["request"]["url"] for event in tab.happened("Network.requestWillBeSent")]
    assert asked == [page.as_uri()]


def test_no_request_and_no_other_script_gets_past_the_policy(tab: Tab, page: Path, tmp_path: Path) -> None:
    harm = (
        '<img src="http://127.0.0.1:9/x.png"><script>window.harm = 1</script><b id="b" onclick="window.harm = 1"></b>'
    )
    (tmp_path / "page.html").write_text(page.read_text(encoding="utf-8").replace("<main>", f"<main>{harm}"))
    tab.open(tmp_path / "page.html")
    assert tab.run("document.getElementById('b').click(), window.harm") is None
    assert len(tab.happened("Log.entryAdded")) >= 3  # also that complaints are heard here
    loaded = [event["response"]["url"] for event in tab.happened("Network.responseReceived")]
    assert loaded == [(tmp_path / "page.html").as_uri()]


def test_a_click_on_a_heading_sorts_and_another_one_turns_round(tab: Tab, page: Path) -> None:
    tab.open(page)
    scores = f"{CELLS.format(VISIBLE)}.map(cells => parseFloat(cells[2]))"
    before = tab.run(scores)
    heading = "[...document.querySelectorAll('#names th')].find(cell => cell.textContent === 'F1')"
    assert before != sorted(before) and tab.run(f"{heading}.getAttribute('aria-sort')") is None
    tab.run(f"{heading}.querySelector('button').click()")
    assert tab.run(scores) == sorted(before)
    assert tab.run(f"{heading}.getAttribute('aria-sort')") == "ascending"
    tab.run(f"{heading}.querySelector('button').focus()")
    tab.page.keyboard.press("Enter")
    assert tab.run(scores) == sorted(before, reverse=True)
    assert tab.run(f"{heading}.getAttribute('aria-sort')") == "descending"
    tab.run("document.querySelector('#names th button').click()")
    names = [cells[0] for cells in tab.run(CELLS.format(VISIBLE))]
    assert names == sorted(names) and tab.run(f"{heading}.getAttribute('aria-sort')") is None


def test_numbers_are_sorted_as_numbers_and_what_is_not_told_stays_last(
    tab: Tab, record: Callable[..., Record], tmp_path: Path
) -> None:
    counts = [9, 10_000, 1_200, 80]
    records = [record("rm_CH", 50.0, [], seed=n, items=n, details={}) for n in counts]
    records += [record("rm_CH", 50.0, [], seed=1, items=0, details={"precision": 5.0})]
    write_records(tmp_path / "results.jsonl", records)
    write_report(Report(results=str(tmp_path / "results.jsonl")), tmp_path / "page.html")
    tab.open(tmp_path / "page.html")
    for heading, column, expected in (
        ("Names", 6, ["none", "9", "80", "1,200", "10,000"]),
        ("Precision", 7, ["5.0", "–", "–", "–", "–"]),
    ):
        for direction in (1, -1):
            tab.run(f"[...document.querySelectorAll('#names .sort')].find(b => b.textContent === '{heading}').click()")
            found = tab.run(f"{VISIBLE}.map(row => row.cells[{column}].textContent)")
            assert found == (expected if direction == 1 or heading == "Precision" else expected[::-1])


def choose(tab: Tab, **values: str) -> None:
    """Fill in fields of the form as a reader does."""
    for name, value in values.items():
        tab.run(
            f"(field => {{ field.value = {json.dumps(value)};"
            "field.dispatchEvent(new Event('input', {bubbles: true})) })"
            f"(document.forms[0].elements[{json.dumps(name)}])"
        )


def test_scores_are_filtered_by_language_system_task_and_text(tab: Tab, page: Path) -> None:
    tab.open(page)
    shown = "document.forms[0].elements.shown.value"
    assert tab.run("document.forms[0].checkVisibility()") and tab.run(shown) == "14 of 14 scores"
    choose(tab, languages="rm_CH")
    assert tab.run(shown) == "6 of 14 scores"  # four of names, two of pairs with Romansh
    assert {cells[0] for cells in tab.run(CELLS.format(VISIBLE))} == {"Romansh (rm_CH)"}
    matrix = "[...document.querySelectorAll('#transfer-ner {}')].filter(c => c.checkVisibility()).length"
    assert tab.run(matrix.format("thead th")) == 3 and tab.run(matrix.format("td.heat")) == 4
    choose(tab, system="trunk")
    assert tab.run(shown) == "2 of 14 scores"
    assert not tab.run("document.getElementById('words').checkVisibility()")
    choose(tab, system="", languages="", text="TRUNK zero-shot")
    assert tab.run(shown) == "3 of 14 scores"
    choose(tab, text="", task="word-alignment")
    assert tab.run(shown) == "2 of 14 scores"
    assert not tab.run("document.getElementById('names').checkVisibility()")
    assert tab.run("document.getElementById('limits').checkVisibility()")
    tab.run("document.querySelector('form button').click(), new Promise(done => setTimeout(done, 50))")
    assert tab.run(shown) == "14 of 14 scores"


@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_a_score_of_the_matrix_is_said_in_words_where_the_focus_is(tab: Tab, page: Path, width: int) -> None:
    tab.open(page, width=width)
    said = "getComputedStyle({}, '::before').content"
    cells = "document.querySelectorAll('#transfer-ner .cell')"
    assert tab.run(said.format(f"{cells}[2]")) == "none"
    tab.run(f"{cells}[1].focus()")
    tab.page.keyboard.press("Tab")
    assert tab.run(f"document.activeElement === {cells}[2]")
    told = tab.run(said.format("document.activeElement"))
    assert "tested on Romansh (rm_CH), names (test): F1 70.0, 95% interval" in told and "1,200 sentences, zero" in told
    # The box that scrolls does not cut it off.
    top = "document.activeElement{}.getBoundingClientRect().top"
    height = float(tab.run("getComputedStyle(document.activeElement, '::before').height").removesuffix("px"))
    assert tab.run(top.format("")) - height >= tab.run(top.format(".closest('.scroll')"))


def test_every_button_and_box_can_be_reached_and_says_what_it_is(tab: Tab, page: Path) -> None:
    tab.open(page)
    nameless = tab.run(
        "[...document.querySelectorAll('button, select, input, [role=region], [role=img], nav, form')].filter(e => "
        "!(e.ariaLabel || e.textContent.trim() || e.labels?.length)).map(e => e.outerHTML)"
    )
    assert nameless == []
    assert tab.run("[...document.querySelectorAll('table')].every(t => t.caption && t.tHead)")
    assert tab.run("[...document.querySelectorAll('th')].every(c => c.scope)")
    assert tab.run(
        "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth && e.tabIndex < 0).length"
    ) == 0  # fmt: skip
    assert tab.run("document.querySelector('.sentences mark').closest('.sentences [lang]').lang") == "rm-CH"


def test_a_phone_scrolls_tables_and_not_the_page(tab: Tab, page: Path) -> None:
    tab.open(page, width=PHONE)
    tab.run("document.querySelectorAll('details').forEach(details => details.open = true)")
    assert tab.run("document.documentElement.scrollWidth") == PHONE
    assert tab.run("visualViewport.width") == PHONE
    assert tab.run("[...document.querySelectorAll('.scroll')].some(box => box.scrollWidth > box.clientWidth)")


CONTRASTS = """
(() => {
  const context = Object.assign(document.createElement("canvas"), {width: 1, height: 1}).getContext("2d");
  const over = (colours) => {
    context.clearRect(0, 0, 1, 1);
    for (const colour of colours) { context.fillStyle = colour; context.fillRect(0, 0, 1, 1); }
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const behind = [];
    for (let e = element; e; e = e.parentElement) behind.unshift(getComputedStyle(e).backgroundColor);
    const colour = element.closest("svg") ? style.fill : style.color;
    const [one, other] = [light(over(behind)), light(over([...behind, colour]))];
    found.push([(Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05), walker.currentNode.data.trim()]);
  }
  return found;
})()
"""


@pytest.mark.parametrize("dark", [False, True])
def test_all_text_stands_out_from_what_is_behind_it(tab: Tab, page: Path, dark: bool) -> None:
    tab.open(page, dark=dark)
    tab.run("document.querySelectorAll('details').forEach(details => details.open = true)")
    contrasts = tab.run(CONTRASTS)
    assert len(contrasts) > 200
    assert [text for ratio, text in contrasts if ratio < 4.5] == []
    light = tab.run("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", light))) < 300) is dark


def test_without_javascript_the_page_is_complete(tab: Tab, page: Path) -> None:
    tab.open(page, scripts=False)
    assert len(tab.run(CELLS.format(VISIBLE))) == 12
    assert tab.run("document.querySelector('form').checkVisibility()") is False
    assert tab.run("document.querySelectorAll('.sort').length") == 0
    assert tab.run("[...document.querySelectorAll('section')].every(part => part.checkVisibility())")


def test_paper_has_what_is_folded_and_no_form(tab: Tab, page: Path) -> None:
    tab.open(page)
    tab.run("document.querySelectorAll('details').forEach(details => details.open = false)")
    tab.run("dispatchEvent(new Event('beforeprint'))")
    tab.page.emulate_media(media="print")
    assert tab.run("document.querySelector('mark.missed, mark.wrong-type').checkVisibility()")
    assert not tab.run("document.forms[0].checkVisibility() || document.querySelector('nav').checkVisibility()")
    tab.run("dispatchEvent(new Event('afterprint'))")
    tab.page.emulate_media(media="screen")
    assert not tab.run("document.querySelector('details').open")
    assert tab.page.pdf().startswith(b"%PDF")


def test_there_is_something_to_see(tab: Tab, page: Path, tmp_path: Path) -> None:
    for name, width, dark in (("light", WIDE, False), ("dark", WIDE, True), ("phone", PHONE, False)):
        tab.open(page, width=width, dark=dark)
        tab.page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
    sizes = {path.stem: path.stat().st_size for path in tmp_path.iterdir()}
    assert min(sizes.values()) > 30_000 and len(set(sizes.values())) == 3
