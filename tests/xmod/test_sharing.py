from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from swissxmod import (
    AdapterExport,
    AdapterImport,
    AdapterList,
    AdapterPull,
    AdapterPush,
    FinetuneNer,
    Pretrain,
    UserError,
    export_language,
    finetune_ner,
    import_language,
    list_languages,
    load,
    pretrain,
    pull_adapter,
    push_adapter,
)
from swissxmod.files import read_json


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the place of the hub."""
    root = tmp_path / "hub"

    def create(self: object, repo_id: str, *, private: bool, exist_ok: bool) -> None:
        (root / repo_id).mkdir(parents=True, exist_ok=exist_ok)

    def upload(self: object, *, repo_id: str, folder_path: str) -> None:
        shutil.copytree(folder_path, root / repo_id, dirs_exist_ok=True)

    def download(repo_id: str, *, local_dir: Path, **_: Any) -> None:
        if not (root / repo_id).is_dir():
            raise huggingface_hub.errors.RepositoryNotFoundError("404: no such repository", response=_Response())
        shutil.copytree(root / repo_id, local_dir, dirs_exist_ok=True)
        (local_dir / ".cache" / "huggingface").mkdir(parents=True)

    monkeypatch.setattr(huggingface_hub.HfApi, "create_repo", create)
    monkeypatch.setattr(huggingface_hub.HfApi, "upload_folder", upload)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return root


class _Response:
    headers: dict[str, str] = {}
    request = None
    status_code = 404


def test_a_language_goes_to_the_hub_and_back(hub: Path, model_folder: Path, tmp_path: Path) -> None:
    export_language(AdapterExport(model=str(model_folder), language="rm"), tmp_path / "rm")
    (tmp_path / "rm" / "stage.json").write_text("{}")
    told = push_adapter(AdapterPush(adapter=str(tmp_path / "rm"), repo="someone/rm"))
    assert told["files"] == ["README.md", "adapter.json", "adapter.safetensors"]
    assert "language: rm" in (hub / "someone" / "rm" / "README.md").read_text()
    assert pull_adapter(AdapterPull(repo="someone/rm"), tmp_path / "back")["language"] == "rm_CH"
    assert sorted(path.name for path in (tmp_path / "back").iterdir()) == told["files"]
    import_language(
        AdapterImport(model=str(model_folder), adapter=str(tmp_path / "back"), language="rm-x"), tmp_path / "grown"
    )
    assert load(tmp_path / "grown").languages[-1] == "rm_x"


def test_what_was_learned_beside_a_model_tells_no_path(hub: Path, model_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft", reason="an extra: pip install swissxmod[peft]")
    (tmp_path / "de.conll").write_text("in\tO\nChur\tB-LOC\n\n" * 4)
    shutil.copytree(model_folder, tmp_path / "mine" / "base")
    settings = FinetuneNer(
        model=str(tmp_path / "mine" / "base"), train={"de": str(tmp_path / "de.conll")}, epochs=1, peft="lora"
    )
    finetune_ner(settings, tmp_path / "mine" / "ner")
    push_adapter(AdapterPush(adapter=str(tmp_path / "mine" / "ner"), repo="someone/ner"))
    for path in (hub / "someone" / "ner").iterdir():
        if path.suffix in (".json", ".md"):
            assert str(tmp_path) not in path.read_text(), path.name
    told = pull_adapter(AdapterPull(repo="someone/ner"), tmp_path / "theirs" / "ner")
    assert (told["model"], told["peft"]) == ("base", "lora")
    with pytest.raises(UserError, match="was learned beside the model base, which is not there"):
        load(tmp_path / "theirs" / "ner")
    shutil.copytree(model_folder, tmp_path / "theirs" / "base")
    load(tmp_path / "theirs" / "ner")


def test_what_cannot_be_shared_is_named(hub: Path, model_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"neither a folder of adapter export .* nor of finetune with --peft"):
        push_adapter(AdapterPush(adapter=str(model_folder), repo="someone/model"))
    with pytest.raises(UserError, match="expected a name on the hub, OWNER/NAME, found 'model'"):
        push_adapter(AdapterPush(adapter=str(model_folder), repo="model"))
    with pytest.raises(UserError, match="someone/nothing: the hub could not do it: 404") as caught:
        pull_adapter(AdapterPull(repo="someone/nothing"), tmp_path / "out")
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()
    (hub / "someone" / "strange").mkdir(parents=True)
    with pytest.raises(UserError, match="neither a folder of adapter export"):
        pull_adapter(AdapterPull(repo="someone/strange"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_each_language_says_where_it_came_from(model_folder: Path, corpora: dict[str, str], tmp_path: Path) -> None:
    settings = Pretrain(
        model=str(model_folder), corpora={"rm-sursilv": corpora["rm_CH"]}, add_language="rm-sursilv", plan="adapters",
        steps=1, batch_size=2, block_size=16, precision="float32",
    )  # fmt: skip
    pretrain(settings, tmp_path / "grown")
    import_language(
        AdapterImport(model=str(model_folder), adapter=str(tmp_path / "grown" / "adapter")), tmp_path / "imported"
    )
    found = {name: origins(tmp_path / name) for name in ("grown", "imported")}
    for name, began in (("grown", "other languages of the model"), ("imported", "an adapter folder")):
        assert found[name]["rm_sursilv"] == (began, "pretrain")
        assert found[name]["de_CH"] == ("random weights", "none")
    assert read_json(tmp_path / "grown" / "swissxmod.json")["history"][-1]["added"] == "rm_sursilv"
    (tmp_path / "grown" / "swissxmod.json").unlink()
    assert {began for began, _ in origins(tmp_path / "grown").values()} == {"unknown"}


def origins(folder: Path) -> dict[str, tuple[str, str]]:
    rows = list_languages(AdapterList(str(folder)))["adapters"]
    return {row["language"]: (row["began_as"], row["learned_in"]) for row in rows}
