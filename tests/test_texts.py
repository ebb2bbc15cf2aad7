from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import pytest

from swissxmod import UserError
from swissxmod.texts import hub_rows, read_documents, read_pairs

pyarrow = pytest.importorskip("pyarrow")
pytest.importorskip("datasets")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    from pyarrow.parquet import write_table

    write_table(
        pyarrow.table({"text": ["ina", " ", None, "duas"], "content": ["a", "b", "c", "d"]}), tmp_path / "t.parquet"
    )
    return tmp_path / "t.parquet"


@pytest.fixture
def data_set(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    folder.mkdir()
    for split in ("train", "validation"):
        lines = [json.dumps({"text": f"{split} {number}"}) for number in range(3)]
        (folder / f"{split}.jsonl").write_text("\n".join(lines))
    return folder


def test_parquet_files_are_read_and_empty_texts_left_out(table: Path) -> None:
    assert list(read_documents(str(table))) == ["ina", "duas"]
    assert list(read_documents([str(table), str(table)], "content")) == ["a", "b", "c", "d"] * 2


def test_a_data_set_is_streamed_by_split(data_set: Path) -> None:
    assert list(read_documents(f"hub:{data_set}")) == ["train 0", "train 1", "train 2"]
    assert next(read_documents(f"hub:{data_set}::validation")) == "validation 0"


def test_other_columns_of_objects_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"content": "ina"}\n')
    assert list(read_documents(str(tmp_path / "a.jsonl"), "content")) == ["ina"]


def zst(path: Path, text: str) -> Path:
    with pyarrow.output_stream(str(path), compression="zstd") as file:
        file.write(text.encode())
    return path


def test_zst_files_are_read(tmp_path: Path) -> None:
    assert list(read_documents(str(zst(tmp_path / "a.txt.zst", "ina\nduas\n")))) == ["ina", "duas"]
    assert list(read_documents(str(zst(tmp_path / "a.jsonl.zst", '{"text": "ina"}\n')))) == ["ina"]


def test_a_zst_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    # Text that does not compress, so that half of the file holds whole lines.
    path = zst(tmp_path / "a.txt.zst", "\n".join(str(hash(str(number))) for number in range(200_000)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=r"damaged .zst file after line \d{3,}"):
        list(read_documents(str(path)))


def test_pairs_are_the_first_two_columns(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("das Haus\tla chasa\tlaws\nja\tgea\n")
    assert list(read_pairs(str(tmp_path / "a.tsv"))) == [("das Haus", "la chasa"), ("ja", "gea")]


@pytest.mark.parametrize("line", ["das Haus", "das Haus\t", "\tla chasa", " \tla chasa", "das Haus\t\tlaws", ""])
def test_a_line_that_is_no_pair_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.tsv").write_text(f"ja\tgea\n{line}\nna\tna\n")
    with pytest.raises(UserError, match=r"a.tsv:2: expected two sentences parted by a tab"):
        list(read_pairs(str(tmp_path / "a.tsv")))


def test_a_missing_column_is_named(table: Path, data_set: Path) -> None:
    for source in (str(table), f"hub:{data_set}"):
        with pytest.raises(UserError, match=r"no column 'body' \(have: text.*choose with --text_column"):
            list(read_documents(source, "body"))


def test_what_is_no_parquet_file_or_data_set_is_named(tmp_path: Path, data_set: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(UserError, match="not a Parquet file"):
        list(read_documents(str(tmp_path / "bad.parquet")))
    with pytest.raises(UserError, match="no such file"):
        list(read_documents(str(tmp_path / "none.parquet")))
    with pytest.raises(UserError, match="cannot be read as a data set"):
        list(read_documents(f"hub:{data_set}::test"))
    with pytest.raises(UserError, match="cannot be read as a data set"):
        list(read_documents(f"hub:{tmp_path / 'none'}"))
    with pytest.raises(UserError, match="expected hub:OWNER/NAME"):
        list(read_documents("hub:"))


def test_numbers_where_text_should_be_are_named(tmp_path: Path) -> None:
    from pyarrow.parquet import write_table

    write_table(pyarrow.table({"text": [1, 2]}), tmp_path / "t.parquet")
    with pytest.raises(UserError, match="expected strings in column 'text', found '1'"):
        list(read_documents(str(tmp_path / "t.parquet")))


def test_a_missing_extra_is_named(table: Path, data_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.split(".", maxsplit=1)[0] in ("pyarrow", "datasets"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    for source in (str(table), f"hub:{data_set}"):
        with pytest.raises(UserError, match=r"pip install 'swissxmod\[data\]'"):
            list(read_documents(source))


def test_a_data_set_of_the_hub_can_be_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    asked: list[tuple[object, ...]] = []

    class Rows(list[dict[str, str]]):
        features: dict[str, object] = {}

    def load(name: str, config: str | None, *, split: str, streaming: bool, revision: str | None) -> Rows:
        asked.append((name, config, split, revision))
        return Rows([{"text": "bun di"}])

    monkeypatch.setattr(datasets, "load_dataset", load)
    assert list(hub_rows("hub:owner/set@refs/convert/parquet:default:test")) == [{"text": "bun di"}]
    assert list(hub_rows("hub:owner/set::dev")) == [{"text": "bun di"}]
    assert asked == [("owner/set", "default", "test", "refs/convert/parquet"), ("owner/set", None, "dev", None)]


def test_a_label_that_is_hidden_has_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """As data sets have them of test sets whose answers nobody shall know."""
    import datasets

    for labels, kind in (
        ([0, -1], datasets.ClassLabel),
        ([[0], [1, -1]], lambda **names: [datasets.ClassLabel(**names)]),
    ):
        features = datasets.Features({"label": kind(names=["PRO", "CONTRA"])})
        rows = datasets.Dataset.from_dict({"label": labels}, features=features)
        monkeypatch.setattr(datasets, "load_dataset", lambda *_, rows=rows, **__: rows)
        with pytest.raises(UserError, match=r"hub:owner/set: a label without a name, -1 .* among PRO, CONTRA"):
            list(hub_rows("hub:owner/set"))
