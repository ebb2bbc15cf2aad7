from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from swissxmod import EvalSuite, UserError, evaluate_suite, read_records
from swissxmod.eval.declarations import TASKS, DataSet, bundled, load_data_set
from swissxmod.eval.wording import METRICS
from swissxmod.texts import HUB

ROOT = Path(__file__).parents[2]
VALID: dict[str, Any] = {
    "name": "mine", "title": "Mine", "task": "ner", "licence": "CC0", "citation": "I", "url": "https://example.org",
    "metric": "f1", "files": {"dev": {"rm": "${data}/dev.conll"}},
}  # fmt: skip


def declare(folder: Path, **changes: Any) -> Path:
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(VALID | changes))
    return path


@pytest.mark.parametrize("name", bundled("datasets"))
def test_bundled_data_sets_are_valid(name: str) -> None:
    data = load_data_set(name)
    assert data.name == name and data.metric == TASKS[data.task].metric in METRICS
    places = [place for splits in data.files.values() for place in splits.values()]
    assert all(
        "${data}" in file for place in places for file in ([place] if isinstance(place, str) else place.values())
    )
    assert all(str(place).startswith(HUB) for splits in data.hub.values() for place in splits.values())


def test_the_sample_has_the_files_that_its_data_sets_name() -> None:
    for name in ("sample-names", "sample-stance", "sample-words", "sample-sentences"):
        text = bundled("datasets")[name].read_text()
        files = re.findall(r"\$\{data\}/(\S+)", text)
        assert files and all((ROOT / "sample" / file).is_file() for file in files)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"licence": ""}, "licence: "),
        ({"citation": None}, "citation: "),
        ({"task": "parsing"}, "task: "),
        ({"metric": "aer"}, "metric: that of ner is f1, found aer"),
        ({"name": "other"}, "name: expected that of the file, 'mine', found 'other'"),
        ({"files": {}}, "expected files or hub, found neither"),
        ({"files": {"dev": {"rm": {"source": "a"}}}}, r"dev.rm: expected a file or hub:"),
        ({"files": {"dev": {"r m": "a"}}}, "language 'r m': expected a tag"),
        ({"task": "word-alignment", "metric": "aer"}, "dev.rm: expected the files source, target, gold"),
        ({"reading": {"colum": "x"}}, "reading: no setting 'colum' of ner .*column"),
        ({"reading": {"skip_lower_case": ["MISC"]}}, "reading: no setting 'skip_lower_case'"),
        ({"scoring": {"system": "x"}}, "scoring: no setting 'system'"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
    ],
)
def test_what_is_not_a_data_set_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=f"mine.yaml: .*{message}"):
        load_data_set(str(declare(tmp_path, **change)))
    assert isinstance(load_data_set(str(declare(tmp_path, scoring={"skip_lower_case": ["MISC"]}))), DataSet)


def test_the_example_of_the_documentation_works(model_folder: Path, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "add-a-task.md").read_text()
    data_set, suite = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    (tmp_path / "council-names.yaml").write_text(data_set)
    (tmp_path / "mine.yaml").write_text(suite)
    shutil.copytree(ROOT / "sample" / "ner", tmp_path / "data")
    settings = EvalSuite(
        suite=str(tmp_path / "mine.yaml"), model=[str(model_folder)], set=[f"data={tmp_path / 'data'}"]
    )
    outcome = evaluate_suite(settings, tmp_path / "out")
    assert outcome.results and outcome.report
    records = read_records(outcome.results)
    assert [(r.dataset, r.language, r.zero_shot) for r in records] == [
        ("council-names", "de_CH", False),
        ("council-names", "rm_CH", True),
    ]
    assert {(r.provenance.data_licence, r.provenance.data_revision) for r in records} == {("CC BY 4.0", "v1.2")}
    assert "annotated by one person" in outcome.report.read_text()
