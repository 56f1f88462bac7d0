"""Observations and answers as bytes, between processes of one machine: JSON and arrays, nothing that runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from math import prod
from typing import Any

import numpy as np

from spectraq.models.answer import (
    Answer,
    Candidate,
    Evidence,
    MeasuredLine,
    Measurement,
    Quantity,
    Reason,
    SharedFault,
)
from spectraq.models.observation import Observation

ARRAYS = ("wavelength", "flux", "ivar")
FIELDS: dict[type, tuple[str, ...]] = {
    kind: tuple(field.name for field in fields(kind))
    for kind in (Answer, Candidate, Evidence, MeasuredLine, Measurement, Quantity, Reason, SharedFault)
}


def packed(observations: Sequence[Observation]) -> tuple[bytes, bytes]:
    """Lay observations out as a description and their arrays."""
    described, arrays = [], []
    for observation in observations:
        description: dict[str, Any] = {"survey": observation.survey}
        for name in ARRAYS:
            array = getattr(observation, name)
            if array is not None:
                description[name] = (array.dtype.str, array.shape)
                arrays.append(array.tobytes())
        described.append(description)
    return json.dumps(described).encode(), b"".join(arrays)


def unpacked(description: bytes, arrays: bytes) -> list[Observation]:
    """Read what `packed` laid out; arrays are views and can't be written to."""
    observations, start = [], 0
    for described in json.loads(description):
        parts: dict[str, Any] = {"survey": described["survey"]}
        for name in ARRAYS:
            if name in described:
                kind, shape = described[name]
                array = np.frombuffer(arrays, np.dtype(kind), prod(shape), start).reshape(shape)
                parts[name], start = array, start + array.nbytes
        observations.append(Observation(**parts))
    return observations


def written(answers: Sequence[Answer]) -> bytes:
    """Write answers without models; a float is read again as the same float."""
    return json.dumps(answers, default=_as_dict).encode()


def read(body: bytes) -> list[Answer]:
    """Read what `written` wrote."""
    return [_answer(record) for record in json.loads(body)]


def _answer(record: dict[str, Any]) -> Answer:
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
    return Answer(**{**record, "warnings": tuple(record["warnings"]), "coeff": tuple(record["coeff"])})


def _reasons(records: list[dict[str, Any]]) -> tuple[Reason, ...]:
    return tuple(Reason(**record) for record in records)


def _as_dict(record: object) -> dict[str, Any]:
    return {name: getattr(record, name) for name in FIELDS[type(record)]}
