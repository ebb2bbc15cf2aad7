"""The report in a real browser: what a reader sees, sorts, filters and reaches by keyboard, and what it never does."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from swissxmod.eval.examples import Example, write_examples
from swissxmod.eval.records import Record, write_records
from swissxmod.eval.report import write_report
from swissxmod.settings import Report

websockets = pytest.importorskip("websockets.sync.client", reason="websockets, to talk to a browser, is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium or google-chrome here to open the page in")

WIDE, PHONE = 1100, 360


class Browser:
    """One tab of a headless browser, told what to do in Chrome's DevTools protocol."""

    def __init__(self, profile: Path) -> None:
        self.process = subprocess.Popen(
            [str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        address = next(
            found[1] for line in self.process.stderr if (found := re.search(r"listening on (ws://\S+)", line))
        )
        self.socket = websockets.connect(address, max_size=None)
        self.events: list[dict[str, Any]] = []
        self.number, self.session = 0, None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Do something and wait for the answer; what happens meanwhile is noted."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        self.socket.send(json.dumps(message | ({"sessionId": self.session} if self.session else {})))
        while (answer := json.loads(self.socket.recv(timeout=60))).get("id") != self.number:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, path: Path, *, width: int = WIDE, dark: bool = False) -> None:
        """Load a page anew; forget what happened before."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < WIDE
        )
        self.events.clear()
        self.call("Page.navigate", url=path.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(json.loads(self.socket.recv(timeout=60)))

    def run(self, script: str) -> Any:
        """The value of an expression of JavaScript."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key."""
        code = {"Tab": 9, "Enter": 13}[key]
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code,
                **(text if kind == "keyDown" else {}),
            )  # fmt: skip

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Write what is seen, or the whole page, as PNG."""
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **self._clip(whole))
        path.write_bytes(base64.b64decode(answer["data"]))

    def _clip(self, whole: bool) -> dict[str, Any]:
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {**size, "x": 0, "y": 0, "scale": 1}} if whole else {}

    def happened(self, *methods: str) -> list[dict[str, Any]]:
        """What was noted of these kinds since the page was opened."""
        return [event["params"] for event in self.events if event["method"] in methods]

    def close(self) -> None:
        """End the browser."""
        self.session = None
        self.call("Browser.close")
        self.socket.close()
        self.process.wait(timeout=30)
        self.process.stderr.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser for all tests of this file."""
    tab = Browser(tmp_path_factory.mktemp("profile"))
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
def test_the_page_opens_without_complaint_and_asks_for_nothing(browser: Browser, page: Path, dark: bool) -> None:
    browser.open(page, dark=dark)
    browser.run("new Promise(done => setTimeout(done, 200))")
    assert not browser.happened("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
    asked = [event["request"]["url"] for event in browser.happened("Network.requestWillBeSent")]
    assert asked == [page.as_uri()]


def test_no_request_and_no_other_script_gets_past_the_policy(browser: Browser, page: Path, tmp_path: Path) -> None:
    harm = (
        '<img src="http://127.0.0.1:9/x.png"><script>window.harm = 1</script><b id="b" onclick="window.harm = 1"></b>'
    )
    (tmp_path / "page.html").write_text(page.read_text(encoding="utf-8").replace("<main>", f"<main>{harm}"))
    browser.open(tmp_path / "page.html")
    assert browser.run("document.getElementById('b').click(), window.harm") is None
    assert len(browser.happened("Log.entryAdded")) >= 3  # also that complaints are heard here
    loaded = [event["response"]["url"] for event in browser.happened("Network.responseReceived")]
    assert loaded == [(tmp_path / "page.html").as_uri()]


def test_a_click_on_a_heading_sorts_and_another_one_turns_round(browser: Browser, page: Path) -> None:
    browser.open(page)
    scores = f"{CELLS.format(VISIBLE)}.map(cells => parseFloat(cells[2]))"
    before = browser.run(scores)
    heading = "[...document.querySelectorAll('#names th')].find(cell => cell.textContent === 'F1')"
    assert before != sorted(before) and browser.run(f"{heading}.getAttribute('aria-sort')") is None
    browser.run(f"{heading}.querySelector('button').click()")
    assert browser.run(scores) == sorted(before)
    assert browser.run(f"{heading}.getAttribute('aria-sort')") == "ascending"
    browser.run(f"{heading}.querySelector('button').focus()")
    browser.press("Enter")
    assert browser.run(scores) == sorted(before, reverse=True)
    assert browser.run(f"{heading}.getAttribute('aria-sort')") == "descending"
    browser.run("document.querySelector('#names th button').click()")
    names = [cells[0] for cells in browser.run(CELLS.format(VISIBLE))]
    assert names == sorted(names) and browser.run(f"{heading}.getAttribute('aria-sort')") is None


def test_numbers_are_sorted_as_numbers_and_what_is_not_told_stays_last(
    browser: Browser, record: Callable[..., Record], tmp_path: Path
) -> None:
    counts = [9, 10_000, 1_200, 80]
    records = [record("rm_CH", 50.0, [], seed=n, items=n, details={}) for n in counts]
    records += [record("rm_CH", 50.0, [], seed=1, items=0, details={"precision": 5.0})]
    write_records(tmp_path / "results.jsonl", records)
    write_report(Report(results=str(tmp_path / "results.jsonl")), tmp_path / "page.html")
    browser.open(tmp_path / "page.html")
    for heading, column, expected in (
        ("Names", 6, ["none", "9", "80", "1,200", "10,000"]),
        ("Precision", 7, ["5.0", "–", "–", "–", "–"]),
    ):
        for direction in (1, -1):
            browser.run(
                f"[...document.querySelectorAll('#names .sort')].find(b => b.textContent === '{heading}').click()"
            )
            found = browser.run(f"{VISIBLE}.map(row => row.cells[{column}].textContent)")
            assert found == (expected if direction == 1 or heading == "Precision" else expected[::-1])


def choose(browser: Browser, **values: str) -> None:
    """Fill in fields of the form as a reader does."""
    for name, value in values.items():
        browser.run(
            f"(field => {{ field.value = {json.dumps(value)};"
            "field.dispatchEvent(new Event('input', {bubbles: true})) })"
            f"(document.forms[0].elements[{json.dumps(name)}])"
        )


def test_scores_are_filtered_by_language_system_task_and_text(browser: Browser, page: Path) -> None:
    browser.open(page)
    shown = "document.forms[0].elements.shown.value"
    assert browser.run("document.forms[0].checkVisibility()") and browser.run(shown) == "14 of 14 scores"
    choose(browser, languages="rm_CH")
    assert browser.run(shown) == "6 of 14 scores"  # four of names, two of pairs with Romansh
    assert {cells[0] for cells in browser.run(CELLS.format(VISIBLE))} == {"Romansh (rm_CH)"}
    matrix = "[...document.querySelectorAll('#transfer-ner {}')].filter(c => c.checkVisibility()).length"
    assert browser.run(matrix.format("thead th")) == 3 and browser.run(matrix.format("td.heat")) == 4
    choose(browser, system="trunk")
    assert browser.run(shown) == "2 of 14 scores"
    assert not browser.run("document.getElementById('words').checkVisibility()")
    choose(browser, system="", languages="", text="TRUNK zero-shot")
    assert browser.run(shown) == "3 of 14 scores"
    choose(browser, text="", task="word-alignment")
    assert browser.run(shown) == "2 of 14 scores"
    assert not browser.run("document.getElementById('names').checkVisibility()")
    assert browser.run("document.getElementById('limits').checkVisibility()")
    browser.run("document.querySelector('form button').click(), new Promise(done => setTimeout(done, 50))")
    assert browser.run(shown) == "14 of 14 scores"


@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_a_score_of_the_matrix_is_said_in_words_where_the_focus_is(browser: Browser, page: Path, width: int) -> None:
    browser.open(page, width=width)
    said = "getComputedStyle({}, '::before').content"
    cells = "document.querySelectorAll('#transfer-ner .cell')"
    assert browser.run(said.format(f"{cells}[2]")) == "none"
    browser.run(f"{cells}[1].focus()")
    browser.press("Tab")
    assert browser.run(f"document.activeElement === {cells}[2]")
    told = browser.run(said.format("document.activeElement"))
    assert "tested on Romansh (rm_CH), names (test): F1 70.0, 95% interval" in told and "1,200 sentences, zero" in told
    # The box that scrolls does not cut it off.
    top = "document.activeElement{}.getBoundingClientRect().top"
    height = float(browser.run("getComputedStyle(document.activeElement, '::before').height").removesuffix("px"))
    assert browser.run(top.format("")) - height >= browser.run(top.format(".closest('.scroll')"))


def test_every_button_and_box_can_be_reached_and_says_what_it_is(browser: Browser, page: Path) -> None:
    browser.open(page)
    nameless = browser.run(
        "[...document.querySelectorAll('button, select, input, [role=region], [role=img], nav, form')].filter(e => "
        "!(e.ariaLabel || e.textContent.trim() || e.labels?.length)).map(e => e.outerHTML)"
    )
    assert nameless == []
    assert browser.run("[...document.querySelectorAll('table')].every(t => t.caption && t.tHead)")
    assert browser.run("[...document.querySelectorAll('th')].every(c => c.scope)")
    assert browser.run(
        "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth && e.tabIndex < 0).length"
    ) == 0  # fmt: skip
    assert browser.run("document.querySelector('.sentences mark').closest('.sentences [lang]').lang") == "rm-CH"


def test_a_phone_scrolls_tables_and_not_the_page(browser: Browser, page: Path) -> None:
    browser.open(page, width=PHONE)
    browser.run("document.querySelectorAll('details').forEach(details => details.open = true)")
    assert browser.run("document.documentElement.scrollWidth") == PHONE
    assert browser.run("visualViewport.width") == PHONE
    assert browser.run("[...document.querySelectorAll('.scroll')].some(box => box.scrollWidth > box.clientWidth)")


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
def test_all_text_stands_out_from_what_is_behind_it(browser: Browser, page: Path, dark: bool) -> None:
    browser.open(page, dark=dark)
    browser.run("document.querySelectorAll('details').forEach(details => details.open = true)")
    contrasts = browser.run(CONTRASTS)
    assert len(contrasts) > 200
    assert [text for ratio, text in contrasts if ratio < 4.5] == []
    light = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", light))) < 300) is dark


def test_without_javascript_the_page_is_complete(browser: Browser, page: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(page)
        assert len(browser.run(CELLS.format(VISIBLE))) == 12
        assert browser.run("document.querySelector('form').checkVisibility()") is False
        assert browser.run("document.querySelectorAll('.sort').length") == 0
        assert browser.run("[...document.querySelectorAll('section')].every(part => part.checkVisibility())")
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_paper_has_what_is_folded_and_no_form(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.run("document.querySelectorAll('details').forEach(details => details.open = false)")
    browser.run("dispatchEvent(new Event('beforeprint'))")
    browser.call("Emulation.setEmulatedMedia", media="print")
    assert browser.run("document.querySelector('mark.missed, mark.wrong-type').checkVisibility()")
    assert not browser.run("document.forms[0].checkVisibility() || document.querySelector('nav').checkVisibility()")
    browser.run("dispatchEvent(new Event('afterprint'))")
    browser.call("Emulation.setEmulatedMedia", media="")
    assert not browser.run("document.querySelector('details').open")
    assert base64.b64decode(browser.call("Page.printToPDF")["data"]).startswith(b"%PDF")


def test_there_is_something_to_see(browser: Browser, page: Path, tmp_path: Path) -> None:
    for name, width, dark in (("light", WIDE, False), ("dark", WIDE, True), ("phone", PHONE, False)):
        browser.open(page, width=width, dark=dark)
        browser.picture(tmp_path / f"{name}.png", whole=True)
    sizes = {path.stem: path.stat().st_size for path in tmp_path.iterdir()}
    assert min(sizes.values()) > 30_000 and len(set(sizes.values())) == 3
