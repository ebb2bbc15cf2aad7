"""The transfer matrix, for made-up records."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swissxmod.eval.records import Record
from swissxmod.eval.transfer import Matrix, matrices
from swissxmod.xmod.languages import same_language

Make = Callable[..., Record]
LANGUAGES = ["de_CH", "fr_CH", "rm_CH", "rm_sursilv"]


def shown(matrix: Matrix) -> dict[tuple[str, ...], list[tuple[float, bool] | None]]:
    return {
        tuple(row.trained_on): [cell and (round(cell.score, 2), cell.zero_shot) for cell in row.cells]
        for row in matrix.rows
    }


def test_rows_are_trained_on_and_columns_tested(record: Make) -> None:
    (matrix,) = matrices(
        [
            record("de_CH", 90.0, ["de_CH", "fr_CH"]),
            record("rm_CH", 64.0, ["de_CH", "fr_CH"]),
            record("de_CH", 88.0, ["de_CH"]),
            record("fr_CH", 70.0, ["de_CH"]),
        ]
    )
    assert [language for language, _ in matrix.columns] == ["de_CH", "rm_CH", "fr_CH"]
    assert shown(matrix) == {
        ("de_CH",): [(88.0, False), None, (70.0, True)],
        ("de_CH", "fr_CH"): [(90.0, False), (64.0, True), None],
    }
    assert list(shown(matrix)) == [("de_CH",), ("de_CH", "fr_CH")]  # few languages before many
    heats = {cell.score: cell.heat for row in matrix.rows for cell in row.cells if cell}
    assert heats == pytest.approx({64.0: 0, 70.0: 6 / 26, 88.0: 24 / 26, 90.0: 1})
    first = matrix.rows[0].cells[0]
    assert first and (first.spread, first.count) == ("86.0–90.0", "1,200 sentences")


def test_seeds_are_one_cell_with_their_scatter(record: Make) -> None:
    records = [record("rm_CH", score, ["de_CH"], seed) for seed, score in enumerate((60.0, 64.0))]
    (matrix,) = matrices([*records, record("de_CH", 90.0, ["de_CH"]), record("de_CH", 80.0, ["fr_CH"])])
    cell = matrix.rows[0].cells[0]
    assert cell and (cell.score, cell.spread) == (62.0, "± 2.8 over 2 seeds")


def test_where_lower_is_better_the_lowest_is_the_best(record: Make) -> None:
    scores = {("de_CH-rm_CH", "a"): 0.1, ("de_CH-fr_CH", "a"): 0.2, ("de_CH-rm_CH", "b"): 0.3}
    (matrix,) = matrices(
        [
            record(pair, score, [f"{name}_CH"], task="word-alignment", metric="aer")
            for (pair, name), score in scores.items()
        ]
    )
    heats = {cell.score: cell.heat for row in matrix.rows for cell in row.cells if cell}
    assert heats == pytest.approx({0.1: 1, 0.2: 0.5, 0.3: 0})
    assert matrix.scale == ""


def test_no_matrix_of_one_training_or_one_language_or_without_a_task(record: Make) -> None:
    assert matrices([]) == []
    assert matrices([record("de_CH", 90.0, ["de_CH"]), record("rm_CH", 60.0, ["de_CH"])]) == []
    assert matrices([record("de_CH", 90.0, ["de_CH"]), record("de_CH", 60.0, ["fr_CH"])]) == []
    assert matrices([record("de_CH", 9.0, []), record("rm_CH", 6.0, [])]) == []


def test_another_adapter_makes_a_row_that_differs_in_its_language_alone(record: Make) -> None:
    own = [record("rm_CH", 64.0, [name], adapter="rm_CH") for name in ("de_CH", "fr_CH")]
    own.append(record("de_CH", 90.0, ["de_CH"], adapter="de_CH"))
    others = [record("rm_CH", score, ["de_CH"], seed, adapter="de_CH") for seed, score in enumerate((10.0, 20.0))]
    (matrix,) = matrices([*others, *own])
    rows = [
        (row.trained_on, row.system, [cell and (cell.score, cell.zero_shot) for cell in row.cells])
        for row in matrix.rows
    ]
    assert rows == [
        (["de_CH"], "model", [(64.0, True), (90.0, False)]),
        (["de_CH"], "model, Romansh (rm_CH) read as German (de_CH)", [(15.0, True), (90.0, False)]),
        (["fr_CH"], "model", [(64.0, True), None]),
    ]
    assert matrix.several_systems
    heats = {cell.score: cell.heat for row in matrix.rows for cell in row.cells if cell}
    assert heats == pytest.approx({64.0: 54 / 80, 90.0: 1, 15.0: 5 / 80})


def test_another_adapter_alone_is_no_second_training(record: Make) -> None:
    own = [record(name, 64.0, ["de_CH"], adapter=name) for name in ("de_CH", "rm_CH")]
    assert matrices([*own, record("rm_CH", 10.0, ["de_CH"], adapter="de_CH")]) == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from(LANGUAGES), st.lists(st.sampled_from(LANGUAGES), min_size=1, unique=True), st.integers(0, 2)
        ),
        max_size=12,
    )
)
def test_what_was_trained_on_is_never_called_zero_shot(record: Make, told: list[tuple[str, list[str], int]]) -> None:
    records = [record(language, 50.0 + seed, trained, seed) for language, trained, seed in told]
    for matrix in matrices(records):
        for row in matrix.rows:
            for (language, _), cell in zip(matrix.columns, row.cells, strict=True):
                seen = any(same_language(language, name) for name in row.trained_on)
                assert cell is None or cell.zero_shot is not seen
