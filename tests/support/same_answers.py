"""Whether answers with models are the same to the bit: arrays have no truth of their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from spectraq.models.answer import Answer


def assert_same_answers(found: Sequence[Answer], expected: Sequence[Answer]) -> None:
    """Compare all that answers say, their models array by array, types and all."""
    assert [dataclasses.replace(a, model=None) for a in found] == [
        dataclasses.replace(a, model=None) for a in expected
    ]
    for one, other in zip(found, expected, strict=True):
        assert (one.model is None) == (other.model is None)
        if one.model is None or other.model is None:
            continue
        for field in dataclasses.fields(one.model):
            _same(getattr(one.model, field.name), getattr(other.model, field.name))


def _same(one: object, other: object) -> None:
    assert type(one) is type(other)
    if isinstance(one, dict) and isinstance(other, dict):
        assert one.keys() == other.keys()
        for name in one:
            _same(one[name], other[name])
    elif isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    else:
        assert one == other
