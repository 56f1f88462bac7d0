"""Rows of records of tensors: pick some, or lay several records end to end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import torch

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Record = TypeVar("Record", bound=DataclassInstance)
else:
    Record = TypeVar("Record")


def rows_of(record: Record, rows: torch.Tensor | slice, dim: int = 0) -> Record:
    """Return the record of some rows of every tensor, along dimension `dim`."""
    before: tuple[Any, ...] = (slice(None),) * dim
    picked = {field.name: getattr(record, field.name)[(*before, rows)] for field in fields(record)}
    return type(record)(**picked)


def joined(records: Sequence[Record], dim: int = 0) -> Record:
    """Return one record of all rows of several, along dimension `dim`."""
    names = [field.name for field in fields(records[0])]
    return type(records[0])(**{name: torch.cat([getattr(r, name) for r in records], dim) for name in names})
