"""Learning a few megabytes beside a frozen model, by the methods of ``peft``.

Only the trunk and the head are touched: embeddings and language adapters stay as they are, so that a task learned in
one language works in any other by swapping the language adapter, as after any fine-tuning here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import needs_extra
from ..settings import Peft
from .adapters import TRUNK_MATRICES
from .modeling import XmodForSequenceClassification, XmodForTokenClassification, XmodPreTrainedModel

if TYPE_CHECKING:
    from peft import PeftConfig, PeftModel

LEARNING_RATES: dict[Peft, float] = {"lora": 1e-3, "dora": 1e-3, "ia3": 5e-3}
"""Peak learning rates: fewer numbers that start from nothing take larger steps than a trained trunk."""
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
) -> PeftConfig:
    """The configuration of a method that touches the trunk and the head alone, for ``peft.get_peft_model``.

    Args:
        method: "lora" (Hu et al. 2022, arXiv 2106.09685) and "dora" (Liu et al. 2024, arXiv 2402.09353) update all
            matrices of the trunk, "ia3" (Liu et al. 2022, arXiv 2205.05638) scales keys, values and the inside of the
            feed-forward.
        model_class: what is tuned; a class with a ``classifier``, which learns too, or any other.
        rank: of the updates of lora and dora.
        alpha: the updates count ``alpha / rank`` times.
        dropout: share of the input of the updates to drop.

    Raises:
        UserError: if the extra is not installed.
    """
    peft = import_peft()
    task = _TASKS.get(model_class)
    if method in ("lora", "dora"):
        return peft.LoraConfig(
            task_type=task, r=rank, lora_alpha=alpha, lora_dropout=dropout, use_dora=method == "dora",
            target_modules=TRUNK_MATRICES,
        )  # fmt: skip
    return peft.IA3Config(task_type=task, target_modules=_IA3, feedforward_modules=_IA3_FEED_FORWARD)


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

    The wrapper is what a trainer takes, and what saves the result.
    """
    model.requires_grad_(False)
    return import_peft().get_peft_model(model, config)
