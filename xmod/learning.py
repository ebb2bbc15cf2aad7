"""What of a model learns in a training, its own parts or a few megabytes beside it, and the folder that comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn
from transformers import PreTrainedTokenizerFast

from ..settings import Beside
from .adapters import PLANS, learned, parameter_counts, train_only
from .checkpoints import read_history, save_checkpoint
from .modeling import XmodPreTrainedModel
from .tuned_folders import save_tuned
from .tuning import beside, how_beside, learner

if TYPE_CHECKING:
    from peft import PeftModel


@dataclass(frozen=True)
class Learning:
    """A model of which something learns; all else is frozen."""

    source: str
    """Folder or hub name that the model was loaded from."""
    settings: Beside
    model: XmodPreTrainedModel
    tuned: PeftModel | None
    """The model with what learns beside it; None where its own parts do."""
    parts: dict[str, tuple[int, int]]
    """(learning, all) parameters of each part."""

    @classmethod
    def of(cls, model: XmodPreTrainedModel, source: str, settings: Beside, plan: str, dropout: float = 0.0) -> Learning:
        """Let learn what the settings say: updates beside the model, or the parts of a plan.

        Args:
            model: loaded from ``source``.
            source: folder or hub name.
            settings: the method.
            plan: one of :data:`PLANS`, for learning without a method.
            dropout: before the updates of the method.
        """
        if settings.peft:
            tuned = beside(model, settings, dropout)
            return cls(source, settings, model, tuned, parameter_counts(model))
        return cls(source, settings, model, None, train_only(model, PLANS[plan]))

    @property
    def module(self) -> nn.Module:
        """What a trainer takes."""
        return learner(self.tuned) if self.tuned else self.model

    @property
    def told(self) -> dict[str, Any]:
        """For the history: which parts learned, and how."""
        return {**learned(self.parts), **how_beside(self.settings)}

    def save(
        self,
        out: str | Path,
        tokenizer: PreTrainedTokenizerFast,
        record: dict[str, Any],
        curve: list[dict[str, float]],
    ) -> None:
        """Write the model, or what was learned beside it.

        Args:
            out: folder to make.
            tokenizer: of the model.
            record: the training, the last step of the new folder's history.
            curve: what the training logged.
        """
        history = [*(read_history(self.source) or []), record]
        if self.tuned and self.settings.peft:
            save_tuned(out, self.tuned, tokenizer, self.source, self.settings.peft, history, curve)
        else:
            save_checkpoint(out, self.model, tokenizer, history, curve)
