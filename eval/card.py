"""A model card: what a model is, what it learned from and reaches, as the hub shows it (README.md of the folder)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from ..errors import UserError
from ..files import existing_folder, write_text
from ..settings import ModelCard, ModelInfo
from ..texts import as_list
from ..xmod.checkpoints import model_hash
from ..xmod.info import model_info
from ..xmod.languages import parse_tag
from . import wording
from .records import Record, read_records
from .tables import scores_table

_HUB_TASKS = {
    "ner": "token-classification",
    "stance": "text-classification",
    "word-alignment": "feature-extraction",
    "sentence-retrieval": "sentence-similarity",
    "fill-mask": "fill-mask",
}


def write_card(settings: ModelCard, out: str | Path) -> dict[str, Any]:
    """Write the card of a model folder with its scores, as Markdown with the hub's ``model-index``.

    Only scores of this very model are taken, by the hash of its weights, config and tokenizer.

    Args:
        settings: the model, its results, and what only its owner knows.
        out: file to write, README.md in the folder of the model.

    Returns:
        numbers of scores on the card, and of records of other models that were left out.

    Raises:
        UserError: for a model or records that cannot be read, or no record of this model.
    """
    folder = existing_folder(settings.model)
    told = [record for path in as_list(settings.results) for record in read_records(path)]
    own = model_hash(folder)
    records = [record for record in told if record.provenance.model_hash == own]
    if not records:
        raise UserError(
            f"{settings.model}: none of the {len(told)} records is of this model; measure it with swissxmod eval"
        )
    info = model_info(ModelInfo(model=settings.model))
    name = settings.name or folder.name
    header = ModelCardData(
        language=sorted({parse_tag(language).language for language in info["languages"]}),
        license=settings.license or None,
        library_name="swissxmod",
        tags=["xmod", "modular", "adapters"],
        model_name=name,
        eval_results=[_eval_result(record) for record in records],
    )
    write_text(out, f"---\n{header.to_yaml()}\n---\n\n{_body(name, info, records)}")
    return {"scores": len(records), "of_other_models": len(told) - len(records)}


def _eval_result(record: Record) -> EvalResult:
    marks = [wording.METRICS[record.metric]]
    marks += ["zero-shot"] if record.zero_shot else []
    marks += [f"adapter {record.adapter}"] if record.by_other_adapter else []
    return EvalResult(
        task_type=_HUB_TASKS[record.task],
        task_name=wording.TASKS[record.task],
        dataset_type=record.dataset,
        dataset_name=wording.data_name(record),
        dataset_config=record.language,
        dataset_split=record.split,
        metric_type=record.metric,
        metric_name=", ".join(marks),
        metric_value=record.score,
        metric_args={"low": record.low, "high": record.high},
    )


def _body(name: str, info: dict[str, Any], records: Sequence[Record]) -> str:
    sizes, languages = info["sizes"], info["languages"]
    parts = [
        f"# {name}",
        f"A modular multilingual encoder (X-MOD), {info['class']}: {sizes['layers']} layers of {sizes['hidden_size']}, "
        f"{info['parameters']['total'] / 1e6:.1f} million parameters, a vocabulary of {info['vocabulary']['pieces']:,} "
        f"pieces, an adapter each for {wording.listing(map(wording.language_name, languages))}.",
        "```python\nfrom swissxmod import load_with_tokenizer, " + info["class"] + "\n\n"
        f'model, tokenizer = load_with_tokenizer({info["class"]}, "{name}")\n```',
        "## Scores",
        "\n".join(scores_table(records)),
        "## What the scores do not show",
        "\n".join(f"- {limit}" for limit in wording.limits(records)),
        "## How it was made",
        "\n".join(_steps(info["history"])),
    ]
    return "\n\n".join(parts) + "\n"


def _steps(history: Sequence[dict[str, Any]] | None) -> list[str]:
    """A line for each step: what was done, in which languages, how long, what learned, with which seed."""
    if not history:
        return ["The folder does not say."]
    lines = []
    for number, step in enumerate(history, 1):
        facts = [wording.listing(map(wording.language_name, step["languages"]))] if step.get("languages") else []
        facts += [f"{step['steps']:,} steps"] if "steps" in step else []
        facts += [f"{key}: {wording.listing(step[key])}" for key in ("learned", "frozen") if step.get(key)]
        facts += [f"seed {step['seed']}"] if "seed" in step else []
        lines.append(f"{number}. {step['step']}" + (f" ({'; '.join(facts)})" if facts else ""))
    return lines
