"""Folders of what was learned beside a model: a few megabytes, their base by name and hash, and all a user expects.

``adapter_model.safetensors`` and ``adapter_config.json`` are those of ``peft``, which loads them over the classes of
``transformers`` too; the base is in ``swissxmod.json``.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
from huggingface_hub import ModelCardData
from safetensors.torch import save_file
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from ..errors import UserError, first_line
from ..files import (
    existing_folder,
    new_folder,
    read_json,
    refuse_used_folder,
    rewrite_without_blanks,
    write_json,
    write_text,
)
from ..settings import ModelMerge
from ..tokenizer.folders import TUNED, is_hub_name, load_tokenizer, place_of_base
from .adapters import TRUNK_MATRICES
from .checkpoints import (
    CLASSES,
    HISTORY,
    History,
    base_of,
    is_tuned,
    load,
    load_model,
    model_hash,
    read_config,
    read_history,
    read_weights,
    save_checkpoint,
)
from .languages import parse_tag
from .modeling import XmodModel, XmodPreTrainedModel
from .tuning import MERGEABLE, attach, import_peft

if TYPE_CHECKING:
    from peft import PeftModel

ModelT = TypeVar("ModelT", bound=PreTrainedModel)
WEIGHTS = "adapter_model.safetensors"
TOKENIZER = "tokenizer.json"
OF_TOKENIZER = (TOKENIZER, "tokenizer_config.json")
KEPT = ("README.md", "config.json", *OF_TOKENIZER)
"""Besides weights, their config and the history; not what a recipe or a training leaves."""
_PREFIX = "base_model.model."
"""What ``peft`` puts before the names of weights."""
HEAD = ("classifier.",)


def save_tuned(
    out: str | Path,
    tuned: PeftModel,
    tokenizer: PreTrainedTokenizerFast,
    base: str,
    method: str,
    history: History,
    curve: list[dict[str, float]],
) -> None:
    """Write what was learned beside a model as a folder of its own.

    Args:
        out: folder to make.
        tuned: the model with what was learned.
        tokenizer: its tokenizer.
        base: folder or hub name of the model.
        method: of the learning.
        history: the steps that made the base, and this one.
        curve: what the training logged.

    Raises:
        UserError: if ``out`` is a file or a folder that is not empty.
    """
    named = base if is_hub_name(base) else str(Path(base).resolve())
    extras = {
        "config.json": lambda path: _write_config(tuned, path),
        "README.md": lambda path: write_text(path, _card(tuned, base, method, history)),
    }
    facts = {"base": {"model": named, "hash": model_hash(base), "peft": method}}
    for config in tuned.peft_config.values():
        config.base_model_name_or_path = base
    save_checkpoint(out, tuned, tokenizer, history, curve, extras, facts)


def load_tuned(model_class: type[ModelT], folder: Path, **kwargs: Any) -> ModelT:  # noqa: ANN401
    """The model that a folder of :func:`save_tuned` and its base make, an ordinary one if nothing is quantised.

    Args:
        model_class: the class that was tuned, or :class:`XmodModel` for its encoder.
        folder: what was learned.
        kwargs: passed to ``from_pretrained`` of the base.

    Raises:
        UserError: if the base is missing or another one, or a file is damaged.
    """
    config = read_config(folder)
    tuned_class = CLASSES[config.architectures[0]]
    if model_class not in (tuned_class, XmodModel):
        raise UserError(
            f"{folder}: a {tuned_class.__name__}, which cannot be loaded as {model_class.__name__}; to learn "
            f"something else from it, merge it first: swissxmod model merge --model {folder} --out DIR"
        )
    facts = base_of(folder)
    base = _find_base(folder, facts)
    # The config says the labels, and no model that is tuned has a pooler.
    rest = {name: value for name, value in kwargs.items() if name not in ("id2label", "label2id", "add_pooling_layer")}
    rest |= {"add_pooling_layer": False} if tuned_class is XmodModel else {}
    model = load_model(tuned_class, base, new_parts=HEAD, **(rest | {"config": config}))
    weights = read_weights(folder / WEIGHTS)
    if facts["peft"] == "lora" and "quantization_config" not in kwargs:
        merge_lora(model, folder, weights)
    else:
        model = _through_peft(model, folder, weights, merge="quantization_config" not in kwargs)
    return cast(ModelT, model.base_model if model_class is XmodModel else model)


def _through_peft(model: ModelT, folder: Path, weights: Mapping[str, Tensor], *, merge: bool) -> ModelT:
    peft = import_peft()
    try:
        tuned = peft.PeftModel.from_pretrained(model, str(folder))
    except Exception as error:  # a config or weights can be wrong in more ways than the library has classes for
        raise UserError(f"{folder}: cannot be loaded over its base: {first_line(error)}") from error
    _refuse_strange(folder, set(peft.get_peft_model_state_dict(tuned)) ^ weights.keys())
    if tuned.active_peft_config.is_prompt_learning:
        attach(tuned)
        return tuned.get_base_model()
    return tuned.merge_and_unload() if merge else tuned.get_base_model()


def merge_lora(model: PreTrainedModel, folder: Path, weights: Mapping[str, Tensor]) -> None:
    """Add the updates of lora to the matrices of a model, W + alpha / rank · B A, and take its head.

    As ``peft`` does it, whose extra is not needed for this: the model that comes with the package is such a folder.

    Raises:
        UserError: if a weight is missing or strange.
    """
    config = read_json(folder / TUNED)
    matrices = [name for name, _ in model.named_modules() if re.fullmatch(TRUNK_MATRICES, name)]
    head = [name for name in model.state_dict() if name.startswith(HEAD)]
    expected = {f"{name}.lora_{side}.weight" for name in matrices for side in "AB"} | set(head)
    _refuse_strange(folder, {_PREFIX + name for name in expected} ^ weights.keys())
    try:
        share = config["lora_alpha"] / config["r"]
        with torch.no_grad():
            for name in matrices:
                up, down = (weights[f"{_PREFIX}{name}.lora_{side}.weight"].float() for side in "BA")
                model.get_submodule(name).weight += (share * up @ down).to(model.dtype)
            for name in head:
                model.get_parameter(name).copy_(weights[_PREFIX + name])
    except (KeyError, TypeError) as error:
        raise UserError(f"{folder}: cannot be loaded over its base: {TUNED} has no numbers lora_alpha and r") from error
    except RuntimeError as error:
        raise UserError(f"{folder / WEIGHTS}: a weight has the wrong shape: {first_line(error)}") from error


def _refuse_strange(folder: Path, names: set[str]) -> None:
    if names:
        raise UserError(f"{folder / WEIGHTS}: {len(names)} weights are missing or strange, such as {min(names)!r}")


def compress_tuned(folder: Path, out: str | Path, record: Mapping[str, Any]) -> None:
    """Write the folder again with its numbers in float16, and ``record`` at the end of its history.

    A base beside the new folder is recorded as just that, whatever they are in, and its tokenizer serves both.

    Raises:
        UserError: if the base is missing or another one.
    """
    base = _find_base(folder, base_of(folder))
    together = Path(base).parent.resolve() == Path(out).parent.resolve()
    with new_folder(out) as smaller:
        for name in KEPT:
            if (folder / name).is_file() and not (together and name in OF_TOKENIZER):
                shutil.copyfile(folder / name, smaller / name)
        numbers = {name: value.half() for name, value in read_weights(folder / WEIGHTS).items()}
        save_file(numbers, smaller / WEIGHTS, metadata={"format": "pt"})
        if (smaller / TOKENIZER).is_file():
            rewrite_without_blanks(smaller / TOKENIZER)
        facts = read_json(folder / HISTORY)
        facts["history"].append(dict(record))
        write_json(smaller / HISTORY, facts)
        shutil.copyfile(folder / TUNED, smaller / TUNED)
        name_base(smaller, f"../{Path(base).name}" if together else base)


def name_base(folder: Path, name: str) -> None:
    """Say in a folder of :func:`save_tuned` where its base is: a path from the folder, or a name."""
    facts, config = read_json(folder / HISTORY), read_json(folder / TUNED)
    write_json(folder / HISTORY, facts | {"base": facts["base"] | {"model": name}})
    write_json(folder / TUNED, config | {"base_model_name_or_path": name})


def merge_model(settings: ModelMerge, out: str | Path) -> dict[str, Any]:
    """Write the ordinary model folder that a folder of what was learned and its base make.

    Args:
        settings: the folder.
        out: folder to make.

    Returns:
        the base and the method.

    Raises:
        UserError: if the folder holds an ordinary model or as :func:`load_tuned`.
    """
    refuse_used_folder(out)
    folder = existing_folder(settings.model)
    if not is_tuned(folder):
        raise UserError(f"{folder}: an ordinary model already; nothing was learned beside it with --peft")
    base = base_of(folder)
    if base["peft"] not in MERGEABLE:
        raise UserError(
            f"{folder}: {base['peft']} puts tokens before every sentence, which no matrix can hold; "
            f"{', '.join(MERGEABLE)} can be merged"
        )
    model = load(folder)
    history = [*(read_history(folder) or []), {"step": "merge"}]
    save_checkpoint(out, model, load_tokenizer(folder), history)
    return {"base": base["model"], "peft": base["peft"]}


def _find_base(folder: Path, base: Mapping[str, str]) -> str:
    """Where the base is now: where it was, or beside the folder under its name."""
    recorded = base["model"]
    if is_hub_name(recorded):
        return recorded
    if (found := place_of_base(folder, recorded)) is None:
        raise UserError(
            f"{folder}: was learned beside the model {recorded}, which is not there; put it there again, or beside the "
            f"folder as {Path(recorded).name!r}"
        )
    if model_hash(found) != base["hash"]:
        raise UserError(
            f"{folder}: was learned beside another model than the one that is at {found} now (its weights, config or "
            "tokenizer differ); updates of one model spoil another"
        )
    return str(found)


def _write_config(tuned: PeftModel, path: Path) -> None:
    """The config of the whole model, as ``save_pretrained`` of it writes it; how it is held in memory is left out."""
    model: XmodPreTrainedModel = tuned.get_base_model()
    config = model.config.to_diff_dict()
    config.pop("quantization_config", None)
    config["architectures"] = [type(model).__name__]
    type(model.config).from_dict(config).to_json_file(path)


def _card(tuned: PeftModel, base: str, method: str, history: History) -> str:
    """What the folder is and how it is used, for the hub."""
    last, kind = history[-1], type(tuned.get_base_model()).__name__
    header = ModelCardData(
        base_model=base if is_hub_name(base) else None,
        library_name="peft",
        language=sorted({parse_tag(language).language for language in last["languages"]}),
        tags=["swissxmod", "xmod", method],
    )
    return f"""---
{header.to_yaml()}
---

# {last["step"].removeprefix("finetune ").capitalize()} beside {Path(base).name}

Learned by {method} beside the frozen model `{Path(base).name}`, on {", ".join(last["languages"])}. The folder holds
only what was learned; its base is needed too. All languages of the base work, each through its own adapter.

```python
from swissxmod import load, load_tokenizer

model, tokenizer = load("FOLDER"), load_tokenizer("FOLDER")
```

Over the class of `transformers`:

```python
from peft import PeftModel
from transformers import AutoConfig, {kind}

base = {kind}.from_pretrained("BASE", config=AutoConfig.from_pretrained("FOLDER"))
model = PeftModel.from_pretrained(base, "FOLDER")
```
"""
