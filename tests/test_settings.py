"""Tests for the settings of the steps: what each refuses, also of what several share."""

from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_origin, get_type_hints

import pytest

from swissxmod import settings
from swissxmod.errors import UserError
from swissxmod.settings import PATHS
from swissxmod.texts import Paths

STEPS = [getattr(settings, name) for name in settings.__all__ if is_dataclass(getattr(settings, name))]
REFUSED: list[dict[str, Any]] = [
    {"seed": -1},
    {"seed": 2**32},
    {"context": 0},
    {"rank": 0},
    {"documents": 0},
    {"text_column": ""},
    {"learning_rate": float("nan")},
    {"skip": float("inf")},
    {"guidance": 1.5},
    {"load_in_4bit": True, "load_in_8bit": True},
]


def needed(step: type) -> dict[str, Any]:
    """Something for each setting without a default."""
    hints, some = get_type_hints(step), {str: "some", list: ["some"], dict: {"de": "some"}}
    left = [field for field in fields(step) if field.default is MISSING and field.default_factory is MISSING]
    return {field.name: some.get(get_origin(hints[field.name]) or hints[field.name], ["some"]) for field in left}


APPLY = [
    pytest.param(step, values, id=f"{step.__name__} {values}")
    for step in STEPS
    for values in REFUSED
    if values.keys() <= {field.name for field in fields(step)}
]


@pytest.mark.parametrize(("step", "values"), APPLY)
def test_a_step_refuses_what_cannot_work_whichever_class_the_setting_is_from(
    step: type, values: dict[str, Any]
) -> None:
    step(**needed(step))
    with pytest.raises(UserError, match=next(iter(values))):
        step(**needed(step) | values)


@pytest.mark.parametrize("step", STEPS)
def test_what_a_step_reads_is_part_of_what_its_result_is_known_by(step: type) -> None:
    """Recipes look for these files before they begin, and run a stage again when one of them changed."""
    hints = get_type_hints(step)
    read = {name for name, hint in hints.items() if hint in (Paths, dict[str, str], dict[str, Paths])}
    assert read - {"start", "read_as", "types"} <= PATHS
