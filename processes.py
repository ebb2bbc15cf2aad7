"""One process or many: what the launcher (``accelerate launch``, ``torchrun``) says of this one."""

from __future__ import annotations

import os
import sys


def world_size() -> int:
    """Number of processes of this run."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Whether this is the process that writes and tells; of several on several machines, one."""
    return int(os.environ.get("RANK", "0")) == 0


def is_local_main() -> bool:
    """Whether this is the first process of its machine."""
    return local_rank() == 0


def local_rank() -> int:
    """Number of this process on its machine."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def part() -> None:
    """Leave the group of processes, if training formed one: its threads may abort a Python that ends before them."""
    distributed = sys.modules.get("torch.distributed")
    if distributed and distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
