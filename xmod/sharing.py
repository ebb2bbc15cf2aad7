"""Folders of a few megabytes to and from the hub: a language, or what was learned beside a model."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ..errors import UserError, first_line
from ..files import existing_folder, new_folder, refuse_used_folder
from ..settings import AdapterPull, AdapterPush
from ..tokenizer.folders import TUNED, is_hub_name
from . import adapter_files, tuned_folders
from .checkpoints import HISTORY, base_of, is_tuned
from .tuned_folders import name_base

FILES = [adapter_files.WEIGHTS, adapter_files.FACTS, tuned_folders.WEIGHTS, TUNED, HISTORY, *tuned_folders.KEPT]
"""What is shared; other files of a folder, such as those of a recipe, stay."""
ResultT = TypeVar("ResultT")


def push_adapter(settings: AdapterPush) -> dict[str, Any]:
    """Put a folder on the hub; of a base on this disk only its name is told, not where it is.

    Returns:
        the repository, its address, and the files that were put there.

    Raises:
        UserError: for a folder that is neither of the two kinds, or what the hub says against it.
    """
    from huggingface_hub import HfApi

    folder = existing_folder(settings.adapter)
    _check_name(settings.repo)
    _check_kind(folder)
    api = HfApi()
    with tempfile.TemporaryDirectory() as name:
        shared = Path(name)
        for file in FILES:
            if (folder / file).is_file():
                shutil.copyfile(folder / file, shared / file)
        if is_tuned(shared):  # beside a folder of the base's name, the pulled one is complete
            base = base_of(shared)["model"]
            name_base(shared, base if is_hub_name(base) else Path(base).name)
        _asked(settings.repo, lambda: api.create_repo(settings.repo, private=settings.private, exist_ok=True))
        _asked(settings.repo, lambda: api.upload_folder(repo_id=settings.repo, folder_path=name))
        files = sorted(path.name for path in shared.iterdir())
    return {"repo": settings.repo, "address": f"https://huggingface.co/{settings.repo}", "files": files}


def pull_adapter(settings: AdapterPull, out: str | Path) -> dict[str, Any]:
    """Take a folder from the hub.

    Args:
        settings: the repository.
        out: folder to make.

    Returns:
        what it is: the language and the base that it fits, or the method and the base.

    Raises:
        UserError: if the hub has it not, or it is neither of the two kinds.
    """
    from huggingface_hub import snapshot_download

    refuse_used_folder(out)
    _check_name(settings.repo)
    with new_folder(out) as folder:
        _asked(
            settings.repo,
            lambda: snapshot_download(
                settings.repo, revision=settings.revision, local_dir=folder, allow_patterns=FILES
            ),
        )
        shutil.rmtree(folder / ".cache", ignore_errors=True)  # the hub's notes of what it has downloaded
        return _check_kind(folder)


def _check_kind(folder: Path) -> dict[str, Any]:
    if is_tuned(folder):
        return base_of(folder)
    if (folder / adapter_files.FACTS).is_file():
        facts = adapter_files.read_facts(folder)
        return {"language": facts["language"], "base": facts["base"]}
    raise UserError(
        f"{folder}: neither a folder of adapter export ({adapter_files.FACTS}) nor of finetune with --peft ({TUNED})"
    )


def _check_name(repo: str) -> None:
    if not is_hub_name(repo):
        raise UserError(f"repo: expected a name on the hub, OWNER/NAME, found {repo!r}")


def _asked(repo: str, ask: Callable[[], ResultT]) -> ResultT:
    """What the hub answers, or its refusal in one line."""
    try:
        return ask()
    except Exception as error:  # the hub's libraries have many classes for what a network can do
        raise UserError(f"{repo}: the hub could not do it: {first_line(error)}") from error
