"""Several processes on one machine, over gloo, as ``torchrun`` and ``accelerate launch`` start them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROCESSES = 2
PARTED = """
import sys
from torch import distributed
from swissxmod.cli import main
code = main()
sys.exit(code or (distributed.is_initialized() and "the process is still in a group"))
"""
"""The command, which fails if it leaves the process in the group."""


def arguments(model: Path, corpora: dict[str, str], out: Path, **more: int) -> list[str]:
    """Few blocks of four languages: most processes lack some of them at every step."""
    values = {f"corpora.{name}": path for name, path in corpora.items()} | {
        "model": model, "dev.rm": corpora["rm_CH"], "steps": 12, "batch_size": 4, "block_size": 16,
        "learning_rate": 5e-3, "precision": "float32", "eval_steps": 6, "out": out, **more,
    }  # fmt: skip
    return ["pretrain", *(part for key, value in values.items() for part in (f"--{key}", str(value)))]


def launch(words: list[str], processes: int) -> subprocess.Popen[str]:
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    return subprocess.Popen(
        [sys.executable, *(launcher if processes > 1 else []), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def losses(out: Path) -> list[float]:
    return [point["loss"] for point in json.loads((out / "training.json").read_text())]


def test_two_processes_learn_as_one_does(model_folder: Path, corpora: dict[str, str], tmp_path: Path) -> None:
    told = {}
    command = tmp_path / "command.py"
    command.write_text(PARTED)
    for processes in (1, PROCESSES):
        run = launch([str(command), *arguments(model_folder, corpora, tmp_path / str(processes))], processes)
        told[processes], errors = run.communicate()
        assert run.returncode == 0, errors
    assert losses(tmp_path / "1") == pytest.approx(losses(tmp_path / "2"), abs=1e-3)
    assert told[1] == told[PROCESSES]
    bits = [json.loads((tmp_path / name / "training.json").read_text())[11]["eval_bits_rm_CH"] for name in "12"]
    assert bits[0] == pytest.approx(bits[1], abs=1e-3)


@pytest.mark.slow
def test_a_killed_process_ends_the_run_which_goes_on_later(
    model_folder: Path, corpora: dict[str, str], tmp_path: Path
) -> None:
    words = ["-m", "swissxmod", *arguments(model_folder, corpora, tmp_path / "parts", steps=600, save_steps=20)]
    run = launch(words, PROCESSES)
    while run.poll() is None and not list(tmp_path.glob(".parts-*.work/checkpoint-40")):
        time.sleep(0.01)
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    os.kill(int(children[-1]), signal.SIGKILL)
    _, errors = run.communicate()
    assert run.returncode != 0
    assert "Signal 9 (SIGKILL)" in errors or "another process of this run ended" in errors
    assert not (tmp_path / "parts").exists()
    again = launch(words, PROCESSES)
    _, errors = again.communicate()
    assert again.returncode == 0, errors
    whole = launch([str(tmp_path / "whole") if word == str(tmp_path / "parts") else word for word in words], PROCESSES)
    assert whole.wait() == 0
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
