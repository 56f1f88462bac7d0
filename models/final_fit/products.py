"""Products of arrays by PyTorch, in the one thread that the pipeline gives it.

Numpy's library would take every core of the machine for a product of this size. And it rounds alike for a
spectrum in any batch: operands lie as its shapes say and begin at a cache line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.tiles import CACHE_LINE

Array = NDArray[Any]
LINE_PIXELS = CACHE_LINE // 4
"""Numbers of single precision in a cache line."""


def empty(*shape: int, kind: torch.dtype = torch.float32) -> Array:
    """Return an array that begins at a cache line."""
    return np.asarray(torch.empty(shape, dtype=kind).numpy())


def joined(rows: Sequence[NDArray[np.float32]], width: int) -> NDArray[np.float32]:
    """Return rows of this width one after the other, beginning at a cache line."""
    total = empty(sum(map(len, rows)), width)
    return np.concatenate(rows, out=total) if rows else total


def product(left: Array, right: Array) -> Array:
    """Return left @ right, numbers of one precision."""
    return np.asarray(torch.matmul(_on_line(left), _on_line(right)).numpy())


def gram(rows: NDArray[np.float32], weight: NDArray[np.float32], kind: torch.dtype) -> Array:
    """Return the weighted sums of products of rows, (n, m) to (n, n), in a precision."""
    root = np.sqrt(weight, dtype=empty(0, kind=kind).dtype)
    weighted = torch.from_numpy(np.multiply(rows, root, out=empty(*rows.shape, kind=kind)))
    return np.asarray(torch.matmul(weighted, weighted.T).numpy())


def _on_line(values: Array) -> torch.Tensor:
    tensor = torch.from_numpy(values)
    return tensor if tensor.data_ptr() % CACHE_LINE == 0 else tensor.clone()
