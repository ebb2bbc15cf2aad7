"""Where a number comes from: the model's history, the data, the machine and the versions."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ..errors import UserError
from ..files import content_hash, existing_folder
from ..settings import Measuring
from ..texts import HUB
from ..tokenizer.folders import is_hub_name
from ..xmod.checkpoints import History, languages_seen, model_hash, read_history
from .records import Provenance, hardware, versions


def known_history(model: str, command: str) -> History:
    """The history of a model.

    Raises:
        UserError: if it has none; ``command`` makes a model that has.
    """
    if not is_hub_name(model):
        existing_folder(model)
    history = read_history(model)
    if history is None:
        raise UserError(
            f"{model}: no swissxmod.json in the folder: which languages the model has seen is unknown, "
            f"so nothing can be said about zero-shot; fine-tune with `{command}`"
        )
    return history


def provenance(
    model: str,
    files: Sequence[str],
    history: History,
    step: str,
    measuring: Measuring,
    seconds: float,
    hash_of_model: str | None = None,
) -> Provenance:
    """The provenance of a score, on the files given, of a model with the history given; ``step`` taught the task."""
    trained = [record for record in history if "precision" in record]
    return Provenance(
        model=Path(model).name,
        model_hash=hash_of_model or model_hash(model),
        data_hash=hash_of_data(files),
        data_revision=measuring.revision,
        data_licence=measuring.licence,
        pretrained_on=languages_seen(history, "pretrain"),
        finetuned_on=languages_seen(history, step),
        train_seed=trained[-1]["seed"] if trained else None,
        seed=measuring.seed,
        precision=trained[-1]["precision"] if trained else "float32",
        seconds=round(seconds, 1),
        hardware=hardware(),
        versions=versions(),
        commit=_commit(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def hash_of_data(sources: Iterable[str]) -> str:
    """SHA-256 of several sources together, in this order."""
    return hashlib.sha256("".join(map(_data_hash, sources)).encode()).hexdigest()


def _data_hash(source: str) -> str:
    """Of a file its content, of a data set of the hub its name: which revision it was, the hub decides."""
    return hashlib.sha256(source.encode()).hexdigest() if source.startswith(HUB) else content_hash(source)


def _commit() -> str | None:
    """The commit of the checkout that the package runs from, "-dirty" with changes; None when it is installed."""
    package = Path(__file__).parents[1]
    if not (package / ".git").exists():
        return None
    command = ["git", "-C", str(package), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    except OSError:
        return None  # git is not installed
    return found.stdout.strip() or None
