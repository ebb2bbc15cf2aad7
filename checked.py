"""Lines of JSON that must be what a class describes."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from .errors import UserError

ModelT = TypeVar("ModelT", bound=BaseModel)


def checked(kind: type[ModelT], line: str, place: str, what: str, whole: str) -> ModelT:
    """An object of ``kind`` from a line of JSON.

    Args:
        kind: what it must be.
        line: the JSON.
        place: file and line, for the error.
        what: the object in words, such as "a result record".
        whole: how the error calls the object where no field of it is at fault.

    Raises:
        UserError: if it is something else.
    """
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        raise misfit(error, place, what, whole) from error


def misfit(error: ValidationError, place: str, what: str, whole: str) -> UserError:
    """The first thing that is wrong, in one line."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or whole
    return UserError(f"{place}: not {what}: {field}: {first['msg']}")
