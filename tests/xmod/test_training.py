from __future__ import annotations

from types import SimpleNamespace

import pytest

from swissxmod import UserError
from swissxmod.xmod import training
from swissxmod.xmod.training import ProgressLine, TrainingPlan, _micro_batches


def test_the_line_tells_losses_tokens_and_rate() -> None:
    line = ProgressLine("pretrain", tokens=2048)
    line.bar = SimpleNamespace(format_dict={"rate": 0.5})
    logs = {"loss": 3.0166, "loss_de_CH": 3.111, "loss_rm_CH": 2.9, "learning_rate": 1e-3}
    assert line.line(logs, 1000) == "loss 3.02 (de_CH 3.11, rm_CH 2.90) 2.05M tokens 1,024 tokens/s"
    line.bar = SimpleNamespace(format_dict={"rate": None})
    assert line.line({"loss": 1.0}, 1) == "loss 1.00 2.05k tokens"


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = iter([0.0, 30.0, 61.0, 61.0, 90.0])
    monkeypatch.setattr(training, "monotonic", lambda: next(now))
    line, state, control = ProgressLine("finetune ner"), SimpleNamespace(max_steps=9, global_step=0), SimpleNamespace()
    line.on_train_begin(None, state, control)
    for state.global_step in (1, 2, 3):
        line.on_log(None, state, control, logs={"loss": 0.5})
    line.on_log(None, state, control, logs={"train_runtime": 3.0})
    assert capsys.readouterr().err == "finetune ner: step 2 of 9, loss 0.50\n"


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_the_training(loss: float) -> None:
    line, state = ProgressLine("finetune ner"), SimpleNamespace(max_steps=9, global_step=3)
    with pytest.raises(UserError, match=f"finetune ner: the loss is {loss} at step 3.* smaller learning_rate"):
        line.on_log(None, state, SimpleNamespace(), logs={"loss": loss})


@pytest.mark.parametrize(
    ("processes", "micro_batch", "expected"), [(1, None, (32, 1)), (2, None, (16, 1)), (2, 4, (4, 4)), (4, 8, (8, 1))]
)
def test_a_batch_is_shared_by_all_processes(
    monkeypatch: pytest.MonkeyPatch, processes: int, micro_batch: int | None, expected: tuple[int, int]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    assert _micro_batches(plan(micro_batch)) == expected


def test_a_batch_that_cannot_be_shared_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(UserError, match="batch_size: 32 examples cannot be shared by 3 processes with 10 at once"):
        _micro_batches(plan(None))


def plan(micro_batch: int | None) -> TrainingPlan:
    return TrainingPlan(
        steps=1, batch_size=32, learning_rate=1e-3, warmup=0.1, weight_decay=0.0, precision="float32", seed=1,
        title="pretrain", micro_batch=micro_batch,
    )  # fmt: skip
