"""Training a model of which each process holds a part (FSDP, DeepSpeed ZeRO)."""

from __future__ import annotations

from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..errors import UserError
from .layers import LMHead, Output

_BIAS, _SAME_BIAS = "lm_head.bias", "lm_head.decoder.bias"


def prepare(model: nn.Module) -> None:
    """Make ``model`` one that can be spread.

    Adapters without a token get a gradient of zero instead of none: gradients are added up parameter by parameter, so
    that each process must have the same ones. And a parameter has one name: two groups cannot hold it both.

    Raises:
        UserError: for a model that learns through low-rank updates.
    """
    if any(isinstance(module, parametrize.ParametrizationList) for module in model.modules()):
        raise UserError("plan: relora merges whole matrices; it works in one process or with DDP, not spread")
    for module in model.modules():
        if isinstance(module, Output):
            module.register_forward_hook(_touch_adapters)
        if isinstance(module, LMHead):
            del module.bias  # the decoder's


def _touch_adapters(output: Output, _: object, states: Tensor) -> Tensor:
    return states + sum(adapter(states[:0]).sum() for adapter in output.adapters)


def gather(accelerator: Accelerator, model: nn.Module) -> dict[str, Tensor]:
    """All weights under their names, in the first process."""
    weights: dict[str, Tensor] = accelerator.get_state_dict(model)
    if _SAME_BIAS in weights:
        weights[_BIAS] = weights[_SAME_BIAS]
    return weights
