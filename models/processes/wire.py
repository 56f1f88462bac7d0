"""Observations and answers as bytes, between processes of one machine: JSON and arrays, nothing that runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from math import prod
from typing import Any

import numpy as np

from spectraq.models.answer import Answer, Candidate, Reason
from spectraq.models.observation import Observation

ARRAYS = ("wavelength", "flux", "ivar")
FIELDS: dict[type, tuple[str, ...]] = {
    kind: tuple(field.name for field in fields(kind)) for kind in (Answer, Candidate, Reason)
}


def packed(observations: Sequence[Observation]) -> tuple[bytes, bytes]:
    """Lay observations out as a description and their arrays."""
    described, arrays = [], []
    for observation in observations:
        one: dict[str, Any] = {"survey": observation.survey}
        for name in ARRAYS:
            array = getattr(observation, name)
            if array is not None:
                one[name] = (array.dtype.str, array.shape)
                arrays.append(array.tobytes())
        described.append(one)
    return json.dumps(described).encode(), b"".join(arrays)


def unpacked(description: bytes, arrays: bytes) -> list[Observation]:
    """Read what `packed` laid out; arrays are views and can't be written to."""
    observations, start = [], 0
    for one in json.loads(description):
        found: dict[str, Any] = {"survey": one["survey"]}
        for name in ARRAYS:
            if name in one:
                kind, shape = one[name]
                array = np.frombuffer(arrays, np.dtype(kind), prod(shape), start).reshape(shape)
                found[name], start = array, start + array.nbytes
        observations.append(Observation(**found))
    return observations


def written(answers: Sequence[Answer]) -> bytes:
    """Write answers without models; a float is read again as the same float."""
    return json.dumps(answers, default=_as_dict).encode()


def read(body: bytes) -> list[Answer]:
    """Read what `written` wrote."""
    return [_answer(one) for one in json.loads(body)]


def _answer(one: dict[str, Any]) -> Answer:
    one["candidates"] = tuple(Candidate(**candidate) for candidate in one["candidates"])
    one["anomaly_reasons"] = tuple(Reason(**reason) for reason in one["anomaly_reasons"])
    return Answer(**{**one, "warnings": tuple(one["warnings"]), "coeff": tuple(one["coeff"])})


def _as_dict(one: object) -> dict[str, Any]:
    return {name: getattr(one, name) for name in FIELDS[type(one)]}
