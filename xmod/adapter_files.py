"""One language as one folder: weights of all layers (``adapter.safetensors``), and what they fit (``adapter.json``)."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import ModelCardData
from safetensors.torch import save_file
from torch import nn

from ..errors import UserError
from ..files import existing_folder, new_folder, read_json, refuse_used_folder, write_json, write_text
from ..settings import AdapterExport, AdapterImport, AdapterList
from ..texts import as_list
from ..tokenizer.folders import load_tokenizer
from .adapters import ModelT, language_of, part_of, with_one_more
from .checkpoints import History, load, read_history, read_weights, save_checkpoint
from .languages import adapter_key, parse_tag, resolve_language
from .modeling import XmodPreTrainedModel
from .tuning import refuse_virtual

WEIGHTS, FACTS, CARD = "adapter.safetensors", "adapter.json", "README.md"
FORMAT = 1
SWITCHES = ("adapter_layer_norm", "adapter_reuse_layer_norm", "ln_before_adapter", "pre_norm", "hidden_act")


def export_language(settings: AdapterExport, out: str | Path) -> dict[str, Any]:
    """Write the adapter of one language of a model as a folder of its own.

    Args:
        settings: the model and the language.
        out: folder to make.

    Returns:
        the language, the number of parameters, and the base that it fits.

    Raises:
        UserError: for a model that cannot be loaded, or has no such language.
    """
    model = load(settings.model)
    language = resolve_language(settings.language, model.languages)
    return export_adapter(model, language, out, read_history(settings.model) or [])


def import_language(settings: AdapterImport, out: str | Path) -> dict[str, Any]:
    """Write a model that has one more language, from an adapter folder; all other weights stay as they are.

    Args:
        settings: the model, the folder, and the name that the language shall have.
        out: folder to make.

    Returns:
        the languages of the new model.

    Raises:
        UserError: if either cannot be loaded, the adapter was made for another base, or the language is there already.
    """
    refuse_used_folder(out)
    model = load(settings.model)
    refuse_virtual(model, settings.model)
    folder = existing_folder(settings.adapter)
    facts = read_facts(folder)
    language = adapter_key(settings.language or facts["language"])
    grown = _with_adapter(model, folder, facts, language)
    record = {"step": "import", "language": language, "adapter": facts["history"]}
    history = [*(read_history(settings.model) or []), record]
    save_checkpoint(out, grown, load_tokenizer(settings.model), history)
    return {"languages": list(grown.languages)}


def list_languages(settings: AdapterList) -> dict[str, Any]:
    """Tell which languages a model has, and from its history where each came from.

    Returns:
        for each language the number of parameters of its adapter, what it began as ("unknown" for a model that does not
        say), and the steps in which it learned.

    Raises:
        UserError: for a model that cannot be loaded.
    """
    model = load(settings.model)
    history = read_history(settings.model) or []
    return {"adapters": [_origin(model, language, history) for language in model.languages]}


def _origin(model: XmodPreTrainedModel, language: str, history: History) -> dict[str, Any]:
    began = "unknown"
    learned: list[str] = []
    for record in history:
        step = record["step"]
        if step == "init":
            began, learned = "random weights", []
        elif step == "modularise":
            starts = as_list(record.get("start", {}).get(language, []))
            began = f"{', '.join(starts) or 'nothing'} ({record['source']})"
        elif step == "import" and record["language"] == language:
            began, learned = "an adapter folder", [one["step"] for one in record["adapter"] if _taught(one, language)]
        elif step == "pretrain" and record.get("added") == language:
            began = "other languages of the model"
        if _taught(record, language):
            learned.append(step)
    count = sum(parameter.numel() for parameter in _parameters_of(model, language).values())
    return {"language": language, "parameters": count, "began_as": began, "learned_in": ", ".join(learned) or "none"}


def _taught(record: dict[str, Any], language: str) -> bool:
    """Whether the adapter of a language learned in a step."""
    return language in record.get("languages", []) and "adapters" in record.get("learned", [])


def export_adapter(model: XmodPreTrainedModel, language: str, out: str | Path, history: History) -> dict[str, Any]:
    """Write the adapter ``language`` of a model in memory; see :func:`export_language`."""
    parameters = _parameters_of(model, language)
    weights = {name: parameter.detach().cpu().contiguous() for name, parameter in parameters.items()}
    facts = {"format": FORMAT, "language": language, "base": base_hash(model), "fits": _fits(model)}
    with new_folder(out) as folder:
        save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
        write_json(folder / FACTS, facts | {"history": history})
        write_text(folder / CARD, _card(language, facts, history))
    return {
        "language": language,
        "parameters": sum(weight.numel() for weight in weights.values()),
        "base": facts["base"],
    }


def _card(language: str, facts: dict[str, Any], history: History) -> str:
    """What the folder is and how it is used, for the hub."""
    fits = facts["fits"]
    header = ModelCardData(language=parse_tag(language).language, library_name="swissxmod", tags=["xmod", "adapter"])
    steps = "\n".join(f"{number}. {record['step']}" for number, record in enumerate(history, 1))
    return f"""---
{header.to_yaml()}
---

# {language}: a language adapter

One language of a modular multilingual encoder (X-MOD) of {fits["layers"]} layers of {fits["hidden_size"]}. It works in
the model that it was trained in, and in what was fine-tuned from that with frozen embeddings; any other base is refused
(SHA-256 of its embeddings: `{facts["base"][:16]}...`).

```sh
swissxmod adapter import --model MODEL --adapter FOLDER --out OUT
```

## How it was made

{steps or "The folder does not say."}
"""


def _with_adapter(model: ModelT, folder: Path, facts: dict[str, Any], language: str) -> ModelT:
    if language in model.languages:
        raise UserError(f"language {language!r}: the model has it already; give the new one another name")
    for name, value in _fits(model).items():
        if facts["fits"].get(name) != value:
            raise UserError(f"{folder}: made for {name} {facts['fits'].get(name)}, the model has {value}")
    if facts["base"] != base_hash(model):
        raise UserError(
            f"{folder}: made for another base (its embeddings differ from this model's); an adapter works with the "
            "model it was trained in, and with what was fine-tuned from that with frozen embeddings"
        )
    weights = read_weights(folder / WEIGHTS)
    grown = with_one_more(model, language, [model.languages[0]])
    own = _parameters_of(grown, language)
    if own.keys() != weights.keys() or any(own[name].shape != weights[name].shape for name in own):
        raise UserError(f"{folder}: its weights are not those of an adapter for this model")
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(weights[name])
    return grown


def base_hash(model: XmodPreTrainedModel) -> str:
    """SHA-256 of the embeddings, by which a model and what was fine-tuned from it are known to be akin.

    Fine-tuning changes the trunk and leaves embeddings and adapters, unless told otherwise: a language that is trained
    later works in both.
    """
    digest = hashlib.sha256()
    for name, parameter in sorted(model.named_parameters()):
        if part_of(name) == "embeddings":
            digest.update(name.removeprefix("roberta.").encode())
            digest.update(parameter.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()


def _fits(model: XmodPreTrainedModel) -> dict[str, Any]:
    config = model.config
    sizes = {
        "layers": config.num_hidden_layers,
        "hidden_size": config.hidden_size,
        "adapter_size": config.hidden_size // config.adapter_reduction_factor,
    }
    return sizes | {name: getattr(config, name) for name in SWITCHES}


def _parameters_of(model: XmodPreTrainedModel, language: str) -> dict[str, nn.Parameter]:
    """The adapter of one language, under names without it."""
    return {
        name.removeprefix("roberta.").replace(f"adapter_modules.{language}.", "adapter."): parameter
        for name, parameter in model.named_parameters()
        if language_of(name) == language
    }


def read_facts(folder: Path) -> dict[str, Any]:
    """What an adapter folder says of itself.

    Raises:
        UserError: for a folder that is none.
    """
    facts = read_json(folder / FACTS)
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise UserError(f"{folder / FACTS}: not the description of an adapter of format {FORMAT}")
    if missing := {"language", "base", "fits", "history"} - facts.keys():
        raise UserError(f"{folder / FACTS}: lacks {', '.join(sorted(missing))}")
    return facts
