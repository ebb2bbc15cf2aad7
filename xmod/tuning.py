"""Learning a few megabytes beside a frozen model, by the methods of ``peft``.

Only the trunk and the head are touched: embeddings and language adapters stay as they are, so that a task learned in
one language works in any other by swapping the language adapter, as after any fine-tuning here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from ..errors import UserError, needs_extra
from ..settings import Beside, Peft
from .adapters import TRUNK_MATRICES
from .modeling import XmodForSequenceClassification, XmodForTokenClassification, XmodPreTrainedModel

if TYPE_CHECKING:
    from peft import PeftConfig, PeftModel

MERGEABLE = ("lora", "dora", "ia3")
"""Methods whose result can be computed into the matrices of the trunk."""
LEARNING_RATES: dict[Peft, float] = {"lora": 5e-4, "dora": 5e-4, "ia3": 5e-3, "prefix": 1e-2, "prompt": 1e-2}
"""Peak learning rates: fewer numbers that start from nothing take larger steps than a trained trunk.

LoRA collapsed to one label at 2e-3 (12 x 384); the last three are guesses that nobody has tuned."""
LOW_RANK = ("lora", "dora")
_IA3 = r"(?:.*\.)?encoder\.layer\.\d+\.(?:attention\.self\.(?:key|value)|output\.dense)"
_IA3_FEED_FORWARD = r"(?:.*\.)?encoder\.layer\.\d+\.output\.dense"
_TASKS = {XmodForTokenClassification: "TOKEN_CLS", XmodForSequenceClassification: "SEQ_CLS"}


def peft_config(
    method: Peft,
    model_class: type[XmodPreTrainedModel] = XmodForTokenClassification,
    *,
    rank: int = 8,
    alpha: int = 16,
    dropout: float = 0.0,
    virtual_tokens: int = 20,
) -> PeftConfig:
    """The configuration of a method that touches the trunk and the head alone, for ``peft.get_peft_model``.

    Args:
        method: "lora" (Hu et al. 2022, arXiv 2106.09685) and "dora" (Liu et al. 2024, arXiv 2402.09353) update all
            matrices of the trunk, "ia3" (Liu et al. 2022, arXiv 2205.05638) scales keys, values and the inside of the
            feed-forward, "prefix" (Li and Liang 2021, arXiv 2101.00190) and "prompt" (Lester et al. 2021, arXiv
            2104.08691) learn tokens before each sentence.
        model_class: what is tuned; a class with a ``classifier``, which learns too, or any other.
        rank: of the updates of lora and dora.
        alpha: the updates count ``alpha / rank`` times.
        dropout: share of the input of the updates to drop.
        virtual_tokens: of prefix and prompt.

    Raises:
        UserError: if the extra is not installed.
    """
    peft = import_peft()
    task = _TASKS.get(model_class)
    if method in LOW_RANK:
        return peft.LoraConfig(
            task_type=task, r=rank, lora_alpha=alpha, lora_dropout=dropout, use_dora=method == "dora",
            target_modules=TRUNK_MATRICES,
        )  # fmt: skip
    if method == "ia3":
        return peft.IA3Config(task_type=task, target_modules=_IA3, feedforward_modules=_IA3_FEED_FORWARD)
    kind = peft.PrefixTuningConfig if method == "prefix" else peft.PromptTuningConfig
    return kind(task_type=task, num_virtual_tokens=virtual_tokens)


def import_peft() -> Any:  # noqa: ANN401 - a module
    """The library.

    Raises:
        UserError: if the extra is not installed.
    """
    try:
        import peft
    except ImportError as error:
        raise needs_extra("peft: updates beside a frozen model", "peft") from error
    return peft


def wrap(model: XmodPreTrainedModel, config: PeftConfig) -> PeftModel:
    """Freeze ``model`` and let the method of ``config`` learn beside it; the model itself computes with it from now on.

    Virtual tokens begin as embeddings of pieces of the vocabulary (after section 3.2 of Lester et al.), or as keys and
    values near zero: ``peft`` draws both from a normal distribution, beside which words are a whisper.

    Returns:
        the wrapper, which saves what was learned; :func:`learner` is what a trainer takes.
    """
    model.requires_grad_(False)
    tuned = import_peft().get_peft_model(model, config)
    if config.is_prompt_learning:
        learned = attach(tuned)
        with torch.no_grad():
            if learned.shape[1] == model.config.hidden_size:
                words = model.get_input_embeddings().weight
                learned.copy_(words[torch.randint(len(words), (len(learned),)).to(words.device)])
            else:
                learned.mul_(model.config.initializer_range)
    return tuned


def attach(tuned: PeftModel) -> nn.Parameter:
    """Let the model inside ``tuned`` put its virtual tokens before every sentence itself, packed or not.

    ``peft`` does so outside of a model, and only for padded batches with a language for each sentence.
    """
    learned = tuned.prompt_encoder[tuned.active_adapter].embedding.weight
    encoder = tuned.get_base_model().base_model
    setattr(encoder, "prompts" if tuned.active_peft_config.peft_type == "PROMPT_TUNING" else "prefix", learned)
    return learned


def learner(tuned: PeftModel) -> nn.Module:
    """What computes with what is learned: the wrapper, or the model where its virtual tokens are attached to it."""
    return tuned.get_base_model() if tuned.active_peft_config.is_prompt_learning else tuned


def refuse_virtual(model: nn.Module, source: str | Path) -> None:
    """Raise :class:`UserError` for a model with virtual tokens, which an ordinary model folder has no place for."""
    if isinstance(model, XmodPreTrainedModel) and model.base_model.virtual_tokens:
        raise UserError(
            f"{source}: has virtual tokens (--peft prefix or prompt), which no ordinary model can hold; start from the "
            "model it was learned beside"
        )


def beside(model: XmodPreTrainedModel, settings: Beside, dropout: float = 0.0) -> PeftModel:
    """The model with what learns beside it, as ``settings.peft`` says; see :func:`wrap`."""
    method = cast(Peft, settings.peft)
    config = peft_config(
        method,
        type(model),
        rank=settings.rank,
        alpha=settings.alpha,
        virtual_tokens=settings.virtual_tokens,
        dropout=dropout,
    )
    return wrap(model, config)


def peak_rate(settings: Beside) -> float:
    """The learning rate: the one that was given, else the method's, else the step's own."""
    if settings.learning_rate is not None:
        return settings.learning_rate
    return LEARNING_RATES[settings.peft] if settings.peft else settings.OWN_RATE


def how_beside(settings: Beside) -> dict[str, Any]:
    """For a history: how it learned, where not in the weights of the model themselves."""
    if settings.peft is None:
        return {}
    virtual = () if settings.peft in MERGEABLE else ("virtual_tokens",)
    sizes = ("rank", "alpha") if settings.peft in LOW_RANK else virtual
    return {"peft": settings.peft, **{size: getattr(settings, size) for size in sizes}}
