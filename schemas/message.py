"""What all messages have in common."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, PlainSerializer
from pydantic_core import from_json


class Part(BaseModel):
    """A record inside a message: immutable, nothing unknown in it, comparable pixel by pixel."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        arbitrary_types_allowed=True,
        ser_json_inf_nan="null",
        hide_input_in_errors=True,  # an error is one line in a log, not the pixels
    )

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(_same(getattr(self, name), getattr(other, name)) for name in type(self).model_fields)

    __hash__ = None  # type: ignore[assignment]

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Show an array by its type and length."""
        for name, value in super().__repr_args__():
            yield name, _Array(value) if isinstance(value, np.ndarray) else value

    def avro_values(self) -> dict[str, Any]:
        """Return the fields as an Avro writer wants them: arrays as little-endian bytes, records as dicts."""
        values = self.__dict__
        return {name: _avro(values[name]) for name in type(self).model_fields}


class Message(Part):
    """A record that travels alone on a topic; its Avro record has the name of the class."""

    def to_json_dict(self) -> dict[str, Any]:
        """Return it in JSON's types: arrays as lists, what is not finite as None, bytes as base64."""
        values: dict[str, Any] = from_json(self.model_dump_json())
        return values

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy with other values in some fields, validated like new (pydantic's own copy is not)."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self).model_validate(values | dict(update or {}))


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


Bytes = Annotated[bytes, PlainSerializer(_base64, when_used="json")]
"""Bytes that are base64 in JSON."""


class _Array:
    def __init__(self, array: NDArray[Any]) -> None:
        self._text = f"<{array.dtype} x {array.size}>"

    def __repr__(self) -> str:
        return self._text


def _avro(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, Part):
        return value.avro_values()
    if isinstance(value, tuple):
        return [_avro(item) for item in value]
    return value


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        both = isinstance(one, np.ndarray) and isinstance(other, np.ndarray)
        return both and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (one != one and other != other)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return bool(one == other)
