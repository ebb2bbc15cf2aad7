"""The report: what a reader finds on the page and in the terminal, for made-up records."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from swissxmod.errors import UserError
from swissxmod.eval.examples import Example, write_examples
from swissxmod.eval.records import Provenance, Record, write_records
from swissxmod.eval.report import main_table, write_report
from swissxmod.settings import Report

PROVENANCE = {
    "model": "tagger",
    "model_hash": "0123456789abcdef" * 4,
    "data_hash": "f" * 64,
    "pretrained_on": ["de_CH", "rm_CH"],
    "finetuned_on": ["de_CH"],
    "train_seed": 7,
    "seed": 1,
    "precision": "float32",
    "seconds": 1.5,
    "hardware": "abacus",
    "versions": {"swissxmod": "0.1.0"},
    "commit": None,
    "created": "2025-01-01T00:00:00+00:00",
}
VOID = {"meta", "link", "img", "input", "br", "hr"}


def ner(language: str = "de_CH", score: float = 74.6, **changes: Any) -> Record:
    """Make a record of names; keys of the provenance may be among the changes."""
    return _record({"task": "ner", "metric": "f1", "language": language, "score": score}, 3.0, changes)


def alignment(system: str = "trunk", score: float = 0.3, **changes: Any) -> Record:
    """Make a record of word alignment by an encoder that learned no task."""
    fields = {"task": "word-alignment", "metric": "aer", "language": "de_CH-rm_CH", "score": score, "system": system}
    return _record(fields, 0.02, {"dataset": "pairs", "finetuned_on": [], **changes})


def retrieval(language: str = "de_CH-rm_CH", score: float = 80.0, **changes: Any) -> Record:
    """Make a record of sentence retrieval by an encoder that learned no task."""
    fields = {"task": "sentence-retrieval", "metric": "accuracy", "language": language, "score": score}
    return _record(fields, 2.5, {"dataset": "pairs", "finetuned_on": [], **changes})


def stance(language: str = "de", score: float = 76.3, **changes: Any) -> Record:
    """Make a record of stances."""
    fields = {"task": "stance", "metric": "macro_f1", "language": language, "score": score}
    return _record(fields, 4.0, {"dataset": "x-stance", **changes})


def _record(fields: dict[str, Any], half_width: float, changes: dict[str, Any]) -> Record:
    provenance = PROVENANCE | {key: value for key, value in changes.items() if key in PROVENANCE}
    common = {
        "dataset": "names",
        "split": "test",
        "system": "adapted",
        "low": fields["score"] - half_width,
        "high": fields["score"] + half_width,
        "sentences": 120,
        "clusters": 40,
        "items": 200,
        "windowed": 0,
        "dropped": 0,
    }
    own = {key: value for key, value in changes.items() if key not in PROVENANCE}
    return Record(**common | fields | own, provenance=Provenance(**provenance))


def layered(*scores: float) -> dict[str, float]:
    """Details of an alignment: each layer, the best one, and the mean."""
    best = min(range(len(scores)), key=scores.__getitem__)
    layers = {f"layer {number}": score for number, score in enumerate(scores)}
    return layers | {"best layer": float(best), "layer mean": 0.3}


class Page(HTMLParser):
    """A page as its reader meets it: text, table rows and what it loads; refuses tags that do not match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html, self.open, self.tags, self.ids, self.links = html, [], set(), [], []
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag."""
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in {"src", "href", "xlink:href", "action", "data"}]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag of an element without content."""
        self.handle_starttag(tag, attrs)
        self.open.remove(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that it is its turn."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Collect text, by table cell too."""
        if {"style", "script"} & set(self.open):
            return
        self.text += " ".join(data.split()) + " "
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data.strip()

    def row(self, *cells: str) -> list[str]:
        """The only row that begins like this."""
        (row,) = [row for row in self.rows if row[: len(cells)] == list(cells)]
        return row


@pytest.fixture
def report(tmp_path: Path) -> Any:
    """Write a report of records and read it again."""

    def write(*records: Record, **settings: Any) -> Page:
        write_records(tmp_path / "results.jsonl", records)
        write_report(Report(results=str(tmp_path / "results.jsonl"), **settings), tmp_path / "out" / "page.html")
        return Page((tmp_path / "out" / "page.html").read_text(encoding="utf-8"))

    return write


def curve(path: Path, *losses: float) -> Path:
    """Write a learning curve."""
    points = [{"step": 10 * i, "loss": loss, "learning_rate": 1e-4} for i, loss in enumerate(losses, 1)]
    path.write_text(json.dumps(points))
    return path


def test_scores_intervals_and_counts_are_in_one_table(report: Any) -> None:
    details = {"precision": 70.25, "recall": 79.5, "f1 PER": 81.0, "fuzzy f1": 83.25}
    page = report(ner(details=details, dataset="a"), ner("rm_CH", 50.44, dataset="b"))
    german, romansh = "German (de_CH)a (test)", "Romansh (rm_CH)b (test)"
    assert page.row(german, "74.6", "71.6–77.6") == [
        *[german, "74.6", "71.6–77.6", "trained on", "120", "200", "70.2", "79.5", "83.2"]
    ]
    assert page.row(romansh, "50.4")[2:] == ["47.4–53.4", "zero-shot", "120", "200", "–", "–", "–"]
    assert page.row(german, "81.0") and page.row(romansh, "–")
    assert report(ner(dataset="a"), ner("rm_CH", dataset="a")).row("German (de_CH)", "74.6")


def test_the_transfer_matrix_has_a_row_for_each_training(report: Any) -> None:
    both = ["de_CH", "fr_CH"]
    page = report(ner("de_CH", 88.0), ner("rm_CH", 60.0), ner("de_CH", 90.0, finetuned_on=both))
    start = page.html.index("<h2>Transfer: named entities</h2>")
    matrix = Page(page.html[start : page.html.index("</section>", start)])
    assert matrix.rows == [
        ["Trained on", "German (de_CH)", "Romansh (rm_CH)"],
        ["German (de_CH)", "88.085.0–91.0", "60.0zero-shot57.0–63.0"],
        ["German (de_CH) and French (fr_CH)", "90.087.0–93.0", "–"],
    ]
    assert "Transfer" not in report(ner("de_CH"), ner("rm_CH")).text


def test_another_adapter_stands_beside_the_own_and_not_in_the_summary(report: Any) -> None:
    page = report(ner("rm_CH", 50.44, adapter="rm_CH"), ner("rm_CH", 12.34, adapter="de_CH"))
    assert page.row("Romansh (rm_CH)", "adapted", "50.4") and page.row(
        "Romansh (rm_CH)", "adapted, adapter de_CH", "12.3"
    )
    assert "is 50.4 (" in page.text and "12.3 (" not in page.text


def test_where_nothing_is_summed_up_there_is_no_empty_list(report: Any) -> None:
    record = ner("rm_CH", 12.34, adapter="de_CH")
    assert 'class="findings"' in report(ner()).html
    assert 'class="findings"' not in report(record).html


def test_stances_stand_beside_their_baselines(report: Any) -> None:
    page = report(stance(cut=7), stance(score=33.3, system="majority"), stance("it", 60.0))
    assert page.row("German (de)", "adapted", "76.3") == [
        *["German (de)", "adapted", "76.3", "72.3–80.3", "trained on", "120", "40"]
    ]
    assert page.row("German (de)", "majority", "33.3") and page.row("Italian (it)", "adapted", "60.0")[4] == "zero-shot"
    assert (
        "Telling the stance of 120 comments in German (de), x-stance (test), the macro F1 (in percent) is" in page.text
    )
    assert page.row("Stance", "x-stance (test)", "German (de)", "adapted")[-1] == "7"
    assert "For or against" not in report(ner()).text


def test_only_a_zero_shot_score_is_called_so(report: Any) -> None:
    seen = [ner("de_CH"), ner("de_AT"), ner("fr_CH", finetuned_on=[]), alignment()]
    assert "zero-shot" not in report(*seen).html.lower()
    page = report(*seen, ner("rm_CH"), ner("rm_sursilv", finetuned_on=["rm_CH"]))
    marks = {row[0]: row[4] for row in page.rows if len(row) > 7}
    assert {language for language, mark in marks.items() if mark == "zero-shot"} == {"Romansh (rm_CH)"}
    assert marks["Romansh (rm_sursilv)"] == marks["German (de_AT)"] == "trained on"
    assert marks["French (fr_CH)"] == "none recorded"


def test_the_summary_keeps_taggers_of_different_training_apart(report: Any) -> None:
    page = report(ner(score=74), ner("it_CH", 76, finetuned_on=["it_CH"]))
    assert "of a tagger trained on German (de_CH) (in percent, 100 is perfect) is 74.0" in page.text
    assert "of a tagger trained on Italian (it_CH) (in percent, 100 is perfect) is 76.0" in page.text
    assert "of a tagger trained" not in report(ner(score=74), ner("it_CH", 76)).text


def test_the_summary_speaks_of_trained_and_unseen_languages_apart(report: Any) -> None:
    both = ["de_CH", "it_CH"]
    page = report(
        *(ner(name, score, finetuned_on=both) for name, score in (("de_CH", 74), ("it_CH", 76), ("rm_CH", 50)))
    )
    assert "is 74.0 to 76.0 in German (de_CH) and Italian (it_CH), where the tagger had" in page.text
    assert "50.0 (47.0–53.0) in Romansh (rm_CH), zero-shot: the tagger saw no labelled" in page.text


@pytest.mark.parametrize(("score", "verdict"), [(0.2, "do not overlap"), (0.29, "overlap")])
def test_systems_of_an_alignment_stand_side_by_side(report: Any, score: float, verdict: str) -> None:
    page = report(
        alignment(details=layered(0.4, 0.25, 0.3)), alignment("adapted", score, details=layered(0.35, 0.3, 0.15))
    )
    assert page.row("trunk", "0.300", "0.280–0.320")[3:5] == ["1", "0.250"]
    assert page.row("adapted", f"{score:.3f}")[3:5] == ["2", "0.150"]
    assert f"The two intervals {verdict}." in page.text
    assert "German (de_CH) – Romansh (rm_CH)" in page.text
    assert "chosen on the data it is scored on and hence is optimistic" in page.text


def test_the_score_is_called_a_mean_of_layers_only_where_it_is(report: Any) -> None:
    assert "AER, mean of all layers" in report(alignment(details=layered(0.4, 0.25))).text
    assert "AER, mean of all layers" not in report(alignment(score=0.25, details=layered(0.4, 0.25))).text
    assert "AER, mean of all layers" not in report(alignment()).text


def test_one_task_alone_has_no_heading_of_the_other(report: Any) -> None:
    assert "Aligning words" not in report(ner()).text
    assert "Finding names" not in report(alignment()).text
    assert "Finding translations" not in report(ner(), alignment()).text
    assert "Aligning words" not in report(retrieval()).text


@pytest.mark.parametrize(("score", "verdict"), [(86, "do not overlap"), (84, "overlap")])
def test_retrieval_is_told_in_each_direction_and_summed_up_by_the_mean(report: Any, score: float, verdict: str) -> None:
    trunk = [retrieval(system="trunk"), retrieval("de_CH>rm_CH", 82, system="trunk")]
    adapted = [retrieval(score=score), retrieval("de_CH>rm_CH", 90)]
    page = report(*trunk, *adapted)
    both, there = "German (de_CH) – Romansh (rm_CH)", "German (de_CH) → Romansh (rm_CH)"
    tables = [row for row in page.rows if row[0] in (both, there) and len(row) == 5]
    assert [row[:3] for row in tables] == [
        [both, "trunk", "80.0"],
        [both, "adapted", f"{score:.1f}"],
        [there, "trunk", "82.0"],
        [there, "adapted", "90.0"],
    ]
    assert tables[0][3:] == ["77.5–82.5", "120"]
    assert "among 120 pairs of German (de_CH) – Romansh (rm_CH), the accuracy (in percent, mean of" in page.text
    assert (
        f"is 80.0 (77.5–82.5) for trunk and {score:.1f} ({score - 2.5:.1f}–{score + 2.5:.1f}) for adapted." in page.text
    )
    assert f"The two intervals {verdict}." in page.text and "82.0 (" not in page.text
    assert page.row("Sentence retrieval", "trunk")[2:] == ["German (de_CH) and Romansh (rm_CH)", "none recorded"]


def test_a_score_says_by_which_training_and_seed_where_there_are_several(report: Any) -> None:
    both = ["de_CH", "fr_CH"]
    records = [ner(), ner(score=90, finetuned_on=both), ner(score=91, finetuned_on=both, train_seed=8)]
    page = report(*records, ner(adapter="fr_CH", score=20), ner("fr_CH", system="other"))
    systems = [row[1] for row in page.rows if row[0] == "German (de_CH)" and len(row) > 8]
    assert systems == [
        "adapted trained on de_CH",
        "adapted trained on de_CH and fr_CH, seed 7",
        "adapted trained on de_CH and fr_CH, seed 8",
        "adapted trained on de_CH, adapter fr_CH",
    ]
    assert page.row("French (fr_CH)", "other", "74.6")
    assert [re.split("  +", line)[2] for line in main_table(records).splitlines()[1:]] == systems[:3]


def test_a_result_that_is_told_twice_is_shown_once(report: Any, tmp_path: Path) -> None:
    again = ner(created="2025-02-02T00:00:00+00:00", seconds=9)
    page = report(ner(), again, ner("fr_CH"))
    assert len([row for row in page.rows if row[0] == "German (de_CH)" and len(row) > 7]) == 1
    assert "1 record that tells a result told already" in page.text
    answer = write_report(Report(results=[str(tmp_path / "results.jsonl")] * 2), tmp_path / "page.html")
    assert answer == {"records": 2, "report": str(tmp_path / "page.html")}


def test_names_are_escaped(report: Any, tmp_path: Path) -> None:
    odd = '<script>alert("1")</script>'
    names = {key: odd for key in ("dataset", "system", "model", "model_hash", "hardware", "commit")}
    page = report(
        ner(odd, details={f"f1 {odd}": 5.0}, finetuned_on=[], versions={odd: odd}, **names),
        alignment(odd, details=layered(0.2, 0.3), **{key: value for key, value in names.items() if key != "system"}),
        title=odd,
        notes=[odd],
        command=odd,
        curves={odd: str(curve(tmp_path / "training.json", 2, 1))},
    )
    assert page.html.count("<script") == 1
    assert page.text.count(odd) > 10


def test_braces_in_a_name_are_no_places_to_fill(report: Any) -> None:
    assert "in {them} {0}, by a model" in report(ner("{them} {0}", finetuned_on=[])).text


def test_the_page_loads_nothing_and_its_ids_are_unique(report: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = curve(tmp_path / "training.json", 2, 1)
    page = report(
        ner(),
        alignment(details=layered(0.4, 0.3)),
        alignment(details=layered(0.4, 0.3), split="dev"),
        curves={"first": str(path), "second": str(tmp_path)},
    )
    assert page.html.count("<svg") == 4
    assert not re.search(r"https?:|@import|url\((?!#)", page.html)
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    assert len(set(page.ids)) == len(page.ids)
    # The only script is ours, and no other may run.
    (script,) = re.findall(r"<script>(.*?)</script>", page.html, re.DOTALL)
    checksum = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{checksum}'" in page.html


def test_drawings_take_the_colours_of_the_page(report: Any) -> None:
    pytest.importorskip("matplotlib")
    html = report(alignment(details=layered(0.4, 0.3)), alignment("b", details=layered(0.4, 0.2))).html
    svg = html[html.index("<svg") : html.index("</svg>")]
    assert not re.search(r"#[0-9a-f]{6}\b", svg)
    assert all(colour in svg for colour in ("currentColor", "var(--rule)", "var(--series-0)", "var(--series-1)"))


def test_without_matplotlib_only_the_drawings_are_missing(
    report: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    path = curve(tmp_path / "training.json", 2, 1.25)
    page = report(ner(), alignment(details=layered(0.4, 0.3)), curves={"pretraining": str(path)})
    assert "svg" not in page.tags
    assert 'pip install "swissxmod[report]"' in page.text
    assert page.row("pretraining") == ["pretraining", "20", "2.000", "1.250", "0.0001"]
    assert page.row("trunk", "0.300", "0.400", "0.300")


def test_notes_provenance_and_command_are_shown(report: Any) -> None:
    page = report(ner(), title="Names", notes=["A tiny sample.", "Do not cite."], command="swissxmod demo --out x")
    assert "<title>Names</title>" in page.html and '<html lang="en">' in page.html
    for text in ("A tiny sample.", "Do not cite.", "swissxmod demo --out x", "abacus", "swissxmod 0.1.0", "2025-01-01"):
        assert text in page.text
    assert page.row("tagger") == ["tagger", "Named entities, adapted", "0123456789ab", "7", "float32"]
    assert f'title="{PROVENANCE["model_hash"]}"' in page.html
    assert page.row("Named entities", "adapted")[2:] == ["German (de_CH) and Romansh (rm_CH)", "German (de_CH)"]


def mistake(gold: str, predicted: str, words: str = "da Cuira", **changes: Any) -> Example:
    """Make a sentence that the tagger of :func:`ner` got wrong."""
    about = {"model_hash": PROVENANCE["model_hash"], "dataset": "names", "split": "test", "language": "rm_CH"} | changes
    return Example(**about, words=words.split(), gold=gold.split(), predicted=predicted.split())


def test_mistakes_are_shown_with_what_should_have_been(report: Any, tmp_path: Path) -> None:
    odd = "<b>&</b>"
    examples = [mistake("O B-LOC", "O O"), mistake("O B-LOC", "B-PER B-LOC", words=f"{odd} Cuira")]
    write_examples(tmp_path / "examples.jsonl", examples)
    page = report(ner("rm_CH", 60.0), examples=[str(tmp_path / "examples.jsonl")])
    assert '<li lang="rm-CH">da <mark class="missed">Cuira</mark>' in page.html
    text = " ".join(page.text.split())
    assert "da Cuira LOC missed" in text and f"{odd} PER invented Cuira LOC" in text
    assert "b" not in page.tags
    assert "Mistakes" not in report(ner("rm_CH", 60.0)).text


def test_mistakes_are_those_of_the_best_tagger_and_few(report: Any, tmp_path: Path) -> None:
    best = [mistake("O B-LOC", "O O", words=f"best {number}", model_hash="b" * 64) for number in range(9)]
    worse = [mistake("O B-LOC", "O O", words="worse Cuira")]
    write_examples(tmp_path / "examples.jsonl", worse + best)
    paths = [str(tmp_path / "examples.jsonl")]
    page = report(ner("rm_CH", 60.0), ner("rm_CH", 70.0, model_hash="b" * 64, system="other"), examples=paths)
    assert "worse" not in page.text and page.text.count("LOC missed") == 4
    # Given twice they are shown once: as few as there are.
    few = str(tmp_path / "few.jsonl")
    write_examples(few, worse)
    assert report(ner("rm_CH", 60.0), examples=[few, few]).text.count("LOC missed") == 1
    with pytest.raises(UserError, match=r"no record of the tagger that made the mistakes in names \(test\), rm_CH"):
        report(ner("rm_CH", 60.0), examples=paths)


def linked(path: Path, *pairs: tuple[str, str], **changes: Any) -> str:
    """Write sentence pairs whose first words are linked."""
    rows = [
        {"source": one.split(), "target": other.split(), "links": [[0, 0]] if one and other else []}
        | {"languages": ["de", "rm"]}
        | changes
        for one, other in pairs
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_word_links_are_drawn_for_pairs_that_fit(report: Any, tmp_path: Path) -> None:
    long = " ".join(["wort"] * 40)
    path = linked(tmp_path / "a", ("", "nagut"), (long, "pled"), ("Guten <i>Tag</i> Welt", "Bun di mund"))
    page = report(ner(), links={"links": path})
    start = page.html.index("<h2>Word links</h2>")
    part = Page(page.html[start : page.html.index("</section>", start)])
    assert part.rows == [
        ["", "Bun", "di", "mund"],
        ["Guten", "●", "", ""],
        ["<i>Tag</i>", "", "", ""],
        ["Welt", *[""] * 3],
    ]
    assert '<th scope="col" lang="rm">Bun</th>' in page.html
    assert "wort" in report(ner(), links={"links": linked(tmp_path / "b", (long, "pled"))}).text
    assert "No pair has words on both sides" in report(ner(), links={"links": linked(tmp_path / "c", ("", ""))}).text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"links": [[0, 7]]}, "link 0-7 of 1 and 1 words"),
        ({"languages": ["de"]}, "languages"),
        ({"source": None}, "source"),
    ],
)
def test_broken_links_are_refused(report: Any, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = linked(tmp_path / "links.jsonl", ("Tag", "di"), **changes)
    with pytest.raises(UserError, match=rf"links\.jsonl:1: not a pair with its links.*{message}"):
        report(ner(), links={"links": path})


def test_systems_that_were_compared_stand_side_by_side(report: Any, tmp_path: Path) -> None:
    adapted = {"task": "ner", "dataset": "names", "split": "test", "language": "rm_CH", "metric": "f1"}
    told = {
        "trained_on": ["de_CH"], "system": "adapted", "other": "adapted", "adapter": "rm_CH", "other_adapter": "de_CH",
        "score": 61.3, "other_score": 40.2, "spread": 1.2, "other_spread": None, "seeds": [1, 2], "difference": 21.1,
        "low": 15.0, "high": 27.5, "p": 0.0002, "p_holm": 0.0004, "clusters": 40,
    }  # fmt: skip
    lines = [adapted | told, adapted | told | {"language": "de_CH", "low": -1.0, "difference": 0.5, "p_holm": 0.6}]
    (tmp_path / "comparison.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    records = [ner("rm_CH", 61.3), ner("rm_CH", 59.0, system="trunk", model_hash="b" * 64)]
    assert "Systems were not compared pair by pair" in report(*records).text
    page = report(*records, comparisons=[str(tmp_path / "comparison.jsonl")])
    assert "Systems were not compared pair by pair" not in page.text and "adjusted by Holm" in page.text
    scores = ["F1 61.3 ± 1.2", "40.2"]
    assert page.row("names (test)", "Romansh (rm_CH)", "German (de_CH)")[3:] == [
        *("adapted", "adapted, adapter de_CH", *scores),
        *("+21.1", "+15.0 to +27.5", "< 0.001", "adapted"),
    ]
    assert page.row("names (test)", "German (de_CH)", "German (de_CH)")[3:] == [
        *("adapted, adapter rm_CH", "adapted", *scores, "+0.5", "-1.0 to +27.5", "0.600", "–"),
    ]
    write_report(
        Report(
            results=str(tmp_path / "results.jsonl"),
            comparisons=[str(tmp_path / "comparison.jsonl")],
            format="markdown",
        ),
        tmp_path / "page.md",
    )
    assert "| names (test) | Romansh (rm_CH) | German (de_CH) | adapted |" in (tmp_path / "page.md").read_text()


def test_published_scores_stand_beside_ours_on_the_same_data(report: Any) -> None:
    page = report(alignment("ours", 0.2, dataset="DERMIT"), alignment("other data", 0.3))
    start = page.html.index("<h2>Beside published scores</h2>")
    part = Page(page.html[start : page.html.index("</section>", start)])
    assert [row[:2] for row in part.rows[1:]] == [
        ["SwissBERTpublished", "0.136"],
        ["mBERT with SimAlign or awesome-alignpublished", "0.22"],
        ["ours", "0.200"],
    ]
    assert "Vamvas et al. 2023" in part.text and "Dolev 2023" in part.text and "fewer pairs" in part.text
    assert "published" not in report(alignment("other data", 0.3)).text
    assert "published" not in report(alignment(language="de_CH-rm_sursilv", dataset="dermit")).text
    assert "published" not in report(alignment(language="de_CH-fr_CH", dataset="dermit")).text


@pytest.mark.parametrize(
    ("dataset", "language", "score"),
    [
        ("x-stance, new_comments_defr", "de_CH", "76.3"),
        ("xstance, new_topics_defr", "fr", "74.3"),
        ("X-Stance, new_comments_it", "it_CH", "71.6"),
    ],
)
def test_published_stances_are_those_of_the_setting(report: Any, dataset: str, language: str, score: str) -> None:
    page = report(stance(language, 60.0, dataset=dataset))
    assert page.row("SwissBERTpublished")[1] == score


def test_precision_and_recall_of_types_are_shown_where_they_are_told(report: Any) -> None:
    details = {"f1 PER": 81.0, "precision PER": 79.2, "recall PER": 83.1, "f1 LOC": 70.0}
    assert report(ner(details=details)).row("German (de_CH)", "F181.0P79.2R83.1") == [
        *["German (de_CH)", "F181.0P79.2R83.1", "70.0"]
    ]


def test_of_many_taggers_the_summary_names_the_best(report: Any) -> None:
    trained = (["de_CH"], ["fr_CH"], ["it_CH"], ["de_CH", "fr_CH"])
    records = [ner("de_CH", 80.0 + number, finetuned_on=names) for number, names in enumerate(trained)]
    text = report(*records, retrieval(), alignment()).text
    assert (
        "Finding names in German (de_CH), names (test), the best F1 (in percent) of 4 taggers is 83.0 (80.0–86.0) by "
        "adapted trained on German and French; zero-shot 82.0 (79.0–85.0) by adapted trained on Italian."
    ) in text
    assert "Measured: named entities, sentence retrieval and word alignment, with 2 systems in 2 languages; 6 " in text


def test_of_many_systems_the_summary_names_the_best_two(report: Any) -> None:
    text = report(*(alignment(f"s{number}", 0.4 - number / 10) for number in range(4))).text
    assert "is at best 0.100 (0.080–0.120) for s3 and 0.200 (0.180–0.220) for s2; the" in text
    assert "the other 2 reach 0.300 to 0.400." in text
    same = report(*(alignment(f"s{number}", 0.4 if number else 0.1) for number in range(4))).text
    assert "the other 2 reach 0.400." in same


def test_a_score_of_the_matrix_is_told_in_words(report: Any) -> None:
    page = report(ner("de_CH", 88.0), ner("rm_CH", 60.0), ner("de_CH", 90.0, finetuned_on=["de_CH", "fr_CH"]))
    told = (
        "adapted trained on German (de_CH), tested on Romansh (rm_CH), names (test): F1 60.0, 95% interval 57.0–63.0, "
        "120 sentences, zero-shot"
    )
    assert f'aria-label="{told}" data-told="{told}"' in page.html


def test_windowed_and_dropped_are_counted_or_none(report: Any) -> None:
    assert "Windowed sentences: none. Dropped words: none. Cut texts: none." in report(ner()).text
    page = report(ner(windowed=2), ner("rm_CH", dropped=1234), ner("fr_CH"))
    assert page.row("Named entities", "names (test)", "German (de_CH)")[-3:] == ["2", "none", "none"]
    assert page.row("Named entities", "names (test)", "Romansh (rm_CH)")[-3:] == ["none", "1,234", "none"]
    assert "What else was measured was read at once." in page.text


@pytest.mark.parametrize(
    ("records", "limit"),
    [
        ([ner(split="dev")], "Development sets, not untouched test sets: names (dev)"),
        ([ner(dataset="hipe-silver")], "the labels of hipe-silver were made by machine"),
        ([ner(), ner("fr_CH")], "One seed: every trained model is of seed 7"),
        ([ner(), ner(train_seed=8)], "the seeds of training (7 and 8)"),
        ([ner(clusters=120)], "no documents are known"),
        ([ner(), ner("fr_CH")], "texts of their own"),
        ([ner("rm_CH")], "Text without labels in Romansh (rm_CH) may well have been in pretraining"),
        (
            [stance("it_CH", finetuned_on=["de_CH"]), stance("de_CH", finetuned_on=["de_CH"])],
            "Text without labels in Italian (it_CH) may well have been in pretraining",
        ),
        ([stance("it_CH"), stance("de_CH")], "Languages were tested on texts of their own"),
        ([ner(), ner(system="trunk")], "Of 1 pair on the same data, 1 has intervals that overlap"),
        ([ner(), ner(score=20, finetuned_on=["it_CH"])], "Of 1 pair on the same data, 0 have intervals that overlap"),
        (
            [ner("rm_CH", sentences=99)],
            "Small test sets, by their number of texts: names (test) in Romansh (rm_CH), 99",
        ),
        (
            [ner(), ner(system="trunk", data_hash="e" * 64)],
            "Not the same data under the same name: names (test), German",
        ),
        ([alignment(details=layered(0.2, 0.1))], "The best layer of an alignment was chosen on the data"),
    ],
)
def test_limits_are_told_where_they_hold(report: Any, records: list[Record], limit: str) -> None:
    assert limit in report(*records).text
    assert limit not in report(ner(train_seed=None), alignment(train_seed=None)).text


def test_the_widest_intervals_are_named(report: Any) -> None:
    page = report(ner(), ner("rm_CH", low=40, high=60, sentences=30), alignment())
    assert "spans 20.0 of F1 in Romansh (rm_CH), with 30 sentences; 0.040 of AER in German (de_CH) – " in page.text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        ("", "empty"),
        ("\n\n", "no result records"),
        (ner().model_dump_json() + "\n{}\n", r"results\.jsonl:2: not a result record"),
        (ner().model_dump_json().replace('"zero_shot":false', '"zero_shot":true'), r"results\.jsonl:1: .*zero_shot"),
    ],
)
def test_broken_results_are_refused_and_nothing_is_written(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "results.jsonl").write_text(content)
    with pytest.raises(UserError, match=message):
        write_report(Report(results=str(tmp_path / "results.jsonl")), tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", "[1]", '[{"step": 1}]', '[{"step": 1, "loss": "x"}]', "not JSON"])
def test_broken_curves_are_refused(report: Any, tmp_path: Path, content: str) -> None:
    path = tmp_path / "training.json"
    path.write_text(content)
    with pytest.raises(UserError, match=r"training\.json"):
        report(ner(), curves={"pretraining": str(path)})


def test_the_terminal_table_is_aligned() -> None:
    table = main_table([ner(), ner("rm_CH", 50.44, sentences=9), alignment("a-long-name")])
    assert table.splitlines() == [
        "task            language     system           score    95% interval    n  zero-shot",
        "ner             de_CH        adapted        F1 74.6    71.6 to 77.6  120  no",
        "ner             rm_CH        adapted        F1 50.4    47.4 to 53.4    9  yes",
        "word-alignment  de_CH-rm_CH  a-long-name  AER 0.300  0.280 to 0.320  120",
    ]


def test_the_terminal_table_tells_directions_apart() -> None:
    lines = main_table([retrieval(), retrieval("rm_CH>de_CH", 75.06)]).splitlines()
    assert lines[1:] == [
        "sentence-retrieval  de_CH-rm_CH  adapted  accuracy 80.0  77.5 to 82.5  120",
        "sentence-retrieval  rm_CH>de_CH  adapted  accuracy 75.1  72.6 to 77.6  120",
    ]


def test_the_terminal_table_names_the_data_where_there_are_several() -> None:
    lines = main_table([ner(), ner(dataset="other"), alignment()]).splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == ["ner, names (test)", "ner, other (test)", "word-alignment"]


def test_the_terminal_table_of_nothing_is_its_heading() -> None:
    assert main_table([]).split()[:2] == ["task", "language"]
