from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from swissxmod import UserError
from swissxmod.files import new_folder, publish_folder, read_lines, read_yaml, refuse_used_folder, standard_input


def write(path: Path) -> None:
    with new_folder(path) as folder:
        (folder / "model").write_text("weights")


@pytest.mark.parametrize("exists", [False, True])
def test_a_folder_may_be_a_link_to_where_it_shall_be(exists: bool, tmp_path: Path) -> None:
    if exists:
        (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "disk" / "model").read_text() == "weights"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "link"]


def test_a_folder_that_cannot_be_replaced_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    for path in (".", "../empty", tmp_path / "empty"):
        with pytest.raises(UserError, match="cannot be replaced, as it is mounted or in use; name one inside it"):
            refuse_used_folder(path)
    write(Path("inside"))
    monkeypatch.chdir("/")
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path).name == "other")
    (tmp_path / "other").mkdir()
    with pytest.raises(UserError, match="name one inside it"):
        refuse_used_folder(tmp_path / "other")


@pytest.mark.parametrize("keep", [True, False])
def test_what_another_run_was_faster_with_is_kept_beside(keep: bool, tmp_path: Path) -> None:
    told = "out: cannot take its place" if keep else "not empty"
    with pytest.raises(OSError, match=told) as caught, new_folder(tmp_path / "out", keep=keep) as folder:
        (folder / "model").write_text("ours")
        write(tmp_path / "out")
    assert (tmp_path / "out" / "model").read_text() == "weights"
    left = [path for path in tmp_path.iterdir() if path.name != "out"]
    assert [(path / "model").read_text() for path in left] == (["ours"] if keep else [])
    assert not keep or str(left[0]) in str(caught.value)


def test_what_is_published_is_for_whom_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        (tmp_path / "new" / "part").mkdir(parents=True, mode=0o700)
        (tmp_path / "new" / "part" / "file").touch(mode=0o600)
        publish_folder(tmp_path / "new", tmp_path / "out")
    finally:
        os.umask(before)
    modes = [(tmp_path / "out" / name).stat().st_mode & 0o777 for name in (".", "part", "part/file")]
    assert modes == [0o750, 0o750, 0o640]


def test_lines_end_where_other_tools_count_them_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"\xef\xbb\xbfina\rpart\r\n\r\nduas \n"
    (tmp_path / "a").write_bytes(content)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert list(read_lines(tmp_path / "a")) == list(standard_input()) == ["ina\rpart", "", "duas "]


def test_a_key_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("stages:\n  a: 1\n  b: {c: 1}\n  a: 2\n")
    with pytest.raises(UserError, match=r"a.yaml: not a YAML file: a is there twice .*line 4"):
        read_yaml(tmp_path / "a.yaml")
    (tmp_path / "a.yaml").write_text("a: {c: 1}\nb: {c: 2}\n")
    assert read_yaml(tmp_path / "a.yaml") == {"a": {"c": 1}, "b": {"c": 2}}
