"""Observations and answers as bytes, between processes of one machine: JSON and arrays, nothing that runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectraq.models.answer import (
    Answer,
    Candidate,
    Evidence,
    Extra,
    MeasuredLine,
    Measurement,
    ModelSpectrum,
    Quantity,
    Reason,
    SharedFault,
)
from spectraq.models.observation import Observation

ARRAYS = ("wavelength", "flux", "ivar")
FIELDS: dict[type, tuple[str, ...]] = {
    kind: tuple(field.name for field in fields(kind))
    for kind in (
        Answer, Candidate, Evidence, MeasuredLine, Measurement, ModelSpectrum, Quantity, Reason, SharedFault
    )
}  # fmt: skip


class Arrays:
    """Arrays that are laid out one after the other, each once however often it is named."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        # The arrays themselves are held: an address is a name only as long as its array lives.
        self._known: dict[int, tuple[NDArray[Any], dict[str, Any]]] = {}

    def described(self, array: NDArray[Any]) -> dict[str, Any]:
        """Return where an array stands among the bytes, and what it is."""
        if id(array) not in self._known:
            described = {"dtype": array.dtype.str, "shape": array.shape, "start": self._size}
            self._known[id(array)] = array, described
            self._parts.append(array.tobytes())
            self._size += array.nbytes
        return self._known[id(array)][1]

    def bytes(self) -> bytes:
        """Return all of them."""
        return b"".join(self._parts)


def array_of(described: dict[str, Any], arrays: bytes) -> NDArray[Any]:
    """Return an array that `Arrays` laid out, as a view that can't be written to."""
    shape = tuple(described["shape"])
    flat = np.frombuffer(arrays, np.dtype(described["dtype"]), prod(shape), described["start"])
    return flat.reshape(shape)


def packed(observations: Sequence[Observation], extra: Extra) -> tuple[bytes, bytes]:
    """Lay out what is asked, as a description and the arrays of the observations."""
    arrays = Arrays()
    described = [
        {"survey": observation.survey, "flux_cgs": observation.flux_cgs}
        | {
            name: arrays.described(array)
            for name in ARRAYS
            if (array := getattr(observation, name)) is not None
        }
        for observation in observations
    ]
    return json.dumps({"extra": extra.value, "observations": described}).encode(), arrays.bytes()


def unpacked(description: bytes, arrays: bytes) -> tuple[list[Observation], Extra]:
    """Read what `packed` laid out; arrays are views and can't be written to."""
    asked = json.loads(description)
    observations = []
    for described in asked["observations"]:
        parts: dict[str, Any] = {
            name: array_of(part, arrays) if name in ARRAYS else part for name, part in described.items()
        }
        observations.append(Observation(**parts))
    return observations, Extra(asked["extra"])


def written(answers: Sequence[Answer]) -> tuple[bytes, bytes]:
    """Write answers as a description and the arrays of their models; each float is read again as the same."""
    arrays = Arrays()

    def plain(part: object) -> dict[str, Any]:
        if isinstance(part, np.ndarray):
            return arrays.described(part)
        return {name: getattr(part, name) for name in FIELDS[type(part)]}

    return json.dumps(answers, default=plain).encode(), arrays.bytes()


def read(description: bytes, arrays: bytes) -> list[Answer]:
    """Read what `written` wrote."""
    return [_answer(record, arrays) for record in json.loads(description)]


def _answer(record: dict[str, Any], arrays: bytes) -> Answer:
    record["candidates"] = tuple(Candidate(**candidate) for candidate in record["candidates"])
    record["anomaly_reasons"] = _reasons(record["anomaly_reasons"])
    record["anomaly_shared"] = tuple(record["anomaly_shared"])
    record["anomaly_reported"] = tuple(SharedFault(**fault) for fault in record["anomaly_reported"])
    if evidence := record["anomaly_evidence"]:
        parts = {name: tuple(evidence[name]) for name in ("strangeness", "scores")}
        parts["causes"] = _reasons(evidence["causes"])
        record["anomaly_evidence"] = Evidence(**{**evidence, **parts})
    if measurement := record["measurement"]:
        lines = tuple(MeasuredLine(**line) for line in measurement["lines"])
        quantities = {name: Quantity(**values) for name, values in measurement["quantities"].items()}
        record["measurement"] = Measurement(**{**measurement, "lines": lines, "quantities": quantities})
    if model := record["model"]:
        record["model"] = ModelSpectrum(**{name: _part(part, arrays) for name, part in model.items()})
    return Answer(**{**record, "warnings": tuple(record["warnings"]), "coeff": tuple(record["coeff"])})


def _part(part: Any, arrays: bytes) -> Any:
    """Return a part of a model: a number, an array of one's own, or arrays by name."""
    if not isinstance(part, dict):
        return part
    if "dtype" in part:
        return array_of(part, arrays).copy()
    return {name: _part(inner, arrays) for name, inner in part.items()}


def _reasons(records: list[dict[str, Any]]) -> tuple[Reason, ...]:
    return tuple(Reason(**record) for record in records)
