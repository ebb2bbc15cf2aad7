from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swissxmod import UserError
from swissxmod.eval.comparing import compare_results
from swissxmod.eval.comparison import read_comparisons
from swissxmod.eval.counts import Measured, read_measured, write_measured
from swissxmod.eval.intervals import holm
from swissxmod.eval.records import Record
from swissxmod.files import COMPARISON
from swissxmod.settings import EvalCompare
from swissxmod.tasks.ner_scores import f1

Make = Callable[..., Record]


@pytest.fixture
def written(record: Make, tmp_path: Path) -> Callable[..., str]:
    """Writes a system's results in Romansh over documents, with its share of ten names found in each; returns where."""

    def write(system: str, found: np.ndarray, seed: int = 1, items: str = "same", **changes: Any) -> str:
        counts = np.stack([found, np.full_like(found, 10), np.full_like(found, 10)], axis=1)
        score = round(100 * float(f1(counts.sum(axis=0))), 2)
        told = record("rm_CH", score, ["de_CH"], seed, system=system, **changes)
        folder = tmp_path / f"{system}-{seed}-{items}"
        folder.mkdir()
        write_measured(folder, [Measured(told, counts, [f"d{i}" for i in range(len(found))], items)])
        return str(folder)

    return write


def draw(seed: int, mean: float) -> np.ndarray:
    return np.random.default_rng(seed).binomial(10, mean, size=60)


def compared(*folders: str, out: Path, **changes: Any) -> list[Any]:
    compare_results(EvalCompare(results=list(folders), resamples=1000, **changes), out)
    return read_comparisons(out / COMPARISON)


def test_counts_are_read_back_beside_their_records(written: Callable[..., str]) -> None:
    (back,) = read_measured(written("a", draw(0, 0.7)))
    assert back.record.system == "a" and back.counts[:, 0].tolist() == draw(0, 0.7).tolist()


def test_the_better_system_is_found_and_equal_ones_are_not(written: Callable[..., str], tmp_path: Path) -> None:
    base = draw(0, 0.6)
    folders = [written("a", np.minimum(base + 2, 10)), written("b", base), written("c", base[::-1].copy())]
    found = {(each.system, each.other): each for each in compared(*folders, out=tmp_path / "out")}
    assert found["a", "b"].better == "a" and found["a", "b"].low > 10
    assert found["a", "b"].difference == pytest.approx(found["a", "b"].score - found["a", "b"].other_score, abs=0.011)
    assert found["b", "c"].better is None and found["b", "c"].low < 0 < found["b", "c"].high
    page = (tmp_path / "out" / "comparison.md").read_text()
    assert "| a | b | F1 " in page and "| < 0.001 | a |" not in page  # three comparisons of 1000 resamples each


def test_p_values_are_adjusted_within_a_task(written: Callable[..., str], tmp_path: Path) -> None:
    changes = {"task": "stance", "metric": "f1"}
    names = [written(system, draw(seed, mean)) for system, seed, mean in (("a", 0, 0.7), ("b", 1, 0.66))]
    folders = [written(f"s{number}", draw(number, 0.7), **changes) for number in range(3)]
    found = compared(*names, *folders, out=tmp_path / "out")
    assert [each.task for each in found] == ["ner", "stance", "stance", "stance"]
    assert found[0].p_holm == found[0].p
    assert min(each.p_holm for each in found[1:]) == pytest.approx(min(1, 3 * min(each.p for each in found[1:])))


def test_of_several_seeds_the_means_are_compared_and_the_spread_is_told(
    written: Callable[..., str], tmp_path: Path
) -> None:
    folders = [written("a", draw(seed, 0.7), seed) for seed in (1, 2, 3)]
    folders += [written("b", draw(10 + seed, 0.6), seed) for seed in (1, 2)]
    (found,) = compared(*folders, out=tmp_path / "out")
    assert found.seeds == [1, 2]
    scores = [100 * draw(seed, 0.7).sum() / 600 for seed in (1, 2)]
    assert found.score == pytest.approx(np.mean(scores), abs=0.01)
    assert found.spread == pytest.approx(np.std(scores, ddof=1), abs=0.01)
    others = [draw(10 + seed, 0.6).sum() / 6 for seed in (1, 2)]
    assert found.difference == pytest.approx(np.mean(scores) - np.mean(others), abs=0.01)


def test_systems_on_different_items_are_not_compared(written: Callable[..., str], tmp_path: Path) -> None:
    folders = [written("a", draw(0, 0.7)), written("b", draw(1, 0.6), items="other")]
    with pytest.raises(UserError, match=r"ner, names \(test\), rm_CH: the systems were measured on different items"):
        compared(*folders, out=tmp_path / "out")
    with pytest.raises(UserError, match="expected two systems or more"):
        compared(folders[0], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_results_without_counts_are_named(written: Callable[..., str], tmp_path: Path) -> None:
    folder = Path(written("a", draw(0, 0.7)))
    (folder / "counts.jsonl").write_text((folder / "counts.jsonl").read_text().replace('"record":"', '"record":"0'))
    with pytest.raises(UserError, match=r"results.jsonl:1: the record has no counts .* measure it again"):
        compared(str(folder), out=tmp_path / "out")
    (folder / "counts.jsonl").unlink()
    with pytest.raises(UserError, match=r"counts\.jsonl: no such file"):
        compared(str(folder), out=tmp_path / "out")


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_keeps_the_order_and_only_raises(values: list[float]) -> None:
    adjusted = holm(values)
    assert all(1 >= new >= old for new, old in zip(adjusted, values, strict=True))
    in_order = [new for _, new in sorted(zip(values, adjusted, strict=True))]
    assert in_order == sorted(in_order)
