"""Arrays of pixels as fields of a message.

In memory a read-only numpy array; in Avro `bytes`, little-endian; in JSON a list (null is NaN) or base64 of
the same bytes. Errors carry the reason of the dead letter as their type.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from types import NoneType
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import PlainSerializer, PlainValidator
from pydantic_core import PydanticCustomError

UINT32_MAX = 2**32 - 1


def _pixels(dtype: str) -> Callable[[Any], NDArray[Any]]:
    wanted = np.dtype(dtype)

    def validate(value: Any) -> NDArray[Any]:
        if isinstance(value, bytes):
            return _from_bytes(value, wanted)
        if isinstance(value, np.ndarray):
            return _from_array(value, wanted)
        if isinstance(value, str):
            return _from_bytes(_base64(value), wanted)
        if isinstance(value, (list, tuple)):
            return _from_numbers(value, wanted)
        raise _wrong(f"an array, bytes, base64 or a list of numbers is needed, not {type(value).__name__}")

    return validate


def _from_bytes(value: bytes, wanted: np.dtype[Any]) -> NDArray[Any]:
    if len(value) % wanted.itemsize:
        raise PydanticCustomError(
            "length_mismatch",
            "{bytes} bytes are no whole number of {dtype}s",
            {"bytes": len(value), "dtype": wanted.name},
        )
    return np.frombuffer(value, wanted)


def _from_array(value: NDArray[Any], wanted: np.dtype[Any]) -> NDArray[Any]:
    if value.ndim != 1:
        raise _wrong(f"pixels are one row; this array has the shape {value.shape}")
    if value.dtype.kind not in ("fiu" if wanted.kind == "f" else "biu"):
        raise _wrong(f"{value.dtype} can't be {wanted.name} pixels")
    if isinstance(value, np.ma.MaskedArray):
        value = (
            np.ma.filled(value.astype(np.float64), np.nan) if wanted.kind == "f" else np.ma.filled(value, 0)
        )
    if wanted.kind == "u" and value.dtype.itemsize > wanted.itemsize and bool((value >> 32).any()):
        raise _wrong("a mask has 32 bits; some of these are higher")
    with np.errstate(over="ignore"):  # beyond float32 is infinite, and such a pixel is not used
        array = np.ascontiguousarray(value, wanted)
    if array.flags.writeable:
        if np.may_share_memory(array, value):
            array = array.copy()
        array.flags.writeable = False
    return array


def _from_numbers(values: Sequence[Any], wanted: np.dtype[Any]) -> NDArray[Any]:
    allowed = {int, float, NoneType} if wanted.kind == "f" else {int}
    strange = set(map(type, values)) - allowed
    if strange:
        names = ", ".join(sorted(kind.__name__ for kind in strange))
        raise _wrong(f"a list of {wanted.name} pixels holds {names}")
    try:
        if wanted.kind == "u" and values and not 0 <= min(values) <= max(values) <= UINT32_MAX:
            raise _wrong("a mask has 32 bits: 0 to 4294967295")
        numbers = np.array(
            [np.nan if v is None else v for v in values], np.float64 if wanted.kind == "f" else wanted
        )
    except OverflowError:
        raise _wrong("a number is too large") from None
    return _from_array(numbers, wanted)


def _base64(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise _wrong("this text is not base64") from None


def _wrong(message: str) -> PydanticCustomError:
    return PydanticCustomError("wrong_shape", "{message}", {"message": message})


def _as_list(array: NDArray[Any]) -> list[float | int | None]:
    numbers: list[float | int | None] = array.tolist()
    if array.dtype.kind == "f":
        for i in np.flatnonzero(~np.isfinite(array)):
            numbers[i] = None
    return numbers


_as_json = PlainSerializer(_as_list, return_type=list, when_used="json")

Float32Pixels = Annotated[NDArray[np.float32], PlainValidator(_pixels("<f4")), _as_json]
Float64Pixels = Annotated[NDArray[np.float64], PlainValidator(_pixels("<f8")), _as_json]
UInt32Pixels = Annotated[NDArray[np.uint32], PlainValidator(_pixels("<u4")), _as_json]

NO_PIXELS: NDArray[np.float32] = np.zeros(0, np.float32)
"""What an optional array of pixels is where there is none."""
NO_PIXELS.flags.writeable = False
