"""Products of float32 matrices by the quicker of two libraries, where a model only reads."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_CPU_INFO = Path("/proc/cpuinfo")


@contextmanager
def reading(model: nn.Module) -> Iterator[None]:
    """Compute without gradients, and on AMD's processors with AVX-512 by oneDNN.

    torch multiplies float32 matrices with MKL, which uses half of such a processor; oneDNN, which torch comes with too,
    uses all of it (benchmarks/ideas.py). A compiled model computes as it was compiled.
    """
    with torch.no_grad(), _ByOneDnn() if _mkl_is_slow() and not _is_compiled(model) else nullcontext():
        yield


def _is_compiled(model: nn.Module) -> bool:
    """Whether it or a part of it is: torch.compile cannot look into a mode such as ours."""
    return any(part._compiled_call_impl or hasattr(part, "_orig_mod") for part in model.modules())


@cache
def _mkl_is_slow() -> bool:
    libraries = torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available()
    vendor = _CPU_INFO.read_text() if _CPU_INFO.exists() else platform.processor()
    return libraries and torch.backends.cpu.get_cpu_capability() == "AVX512" and "AuthenticAMD" in vendor


class _ByOneDnn(TorchFunctionMode):
    """The call that torch's own compiler makes for a linear layer; all else as it is."""

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        if func is functional.linear and not kwargs and _fits(*args):
            states, weight, bias = (*args, None)[:3]
            return torch.ops.mkldnn._linear_pointwise(states, weight, bias, "none", [], "")
        return func(*args, **(kwargs or {}))


def _fits(states: Tensor, weight: Tensor, bias: Tensor | None = None) -> bool:
    """Whether these are plain float32 matrices on the processor; a library's own kinds of weights are none."""
    tensors = [states, weight] if bias is None else [states, weight, bias]
    return all(
        type(each) in (Tensor, nn.Parameter) and each.dtype == torch.float32 and each.is_cpu for each in tensors
    ) and not torch.is_autocast_enabled("cpu")
