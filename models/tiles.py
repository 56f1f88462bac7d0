"""Products of spectra that round alike whatever else is in the batch.

A library chooses how it multiplies by the shapes of a product and by where its operands lie in memory, and
each way rounds differently. So nothing is multiplied for a whole batch: a product has the shape of a tile of
rows, filled up where there are fewer, every row has a matrix of its own in it, and all begin at a cache line.
The other steps (element by element, sums along a row) do the same to a row whatever lies beside it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import pad

TILE = 4
"""Rows of a product. More save calls of the library, fewer save work where a batch has few rows."""
NETWORK_ROWS = 16
"""Rows that a network is shown together: whole tiles of every library's kernels."""
CACHE_LINE = 64
"""Bytes. Memory that PyTorch allocates begins at one."""


def in_tiles(product: Callable[..., Tensor], *rows: Tensor, tile: int = TILE, dim: int = 0) -> Tensor:
    """Return the product of all rows, made tile by tile.

    Parameters
    ----------
    product
        Takes `tile` rows of each of `rows`, and gives as many along dimension `dim`.
    rows
        Shape (B, ...) each.
    """
    if rows[0].device.type != "cpu":  # a GPU is filled by many rows alone
        return product(*rows)
    n = rows[0].shape[0]
    tiles = zip(*(_tiles(on_lines(values), tile) for values in rows), strict=True)
    done = [product(*parts) for parts in tiles]
    together = done[0] if len(done) == 1 else torch.cat(done, dim)
    return together.narrow(dim, 0, n)


def _tiles(values: Tensor, tile: int) -> list[Tensor]:
    """Return the rows in tiles, the last row repeated where the last tile has too few."""
    tiles = list(torch.split(values, tile))
    last = tiles[-1]
    if missing := tile - last.shape[0]:
        tiles[-1] = on_lines(torch.cat([last, last[-1:].expand(missing, *last.shape[1:])]))
    return tiles


def sums(left: Tensor, right: Tensor) -> Tensor:
    """Return the sums along the last axis of products, (B, K, n) and (B, D, n) to (B, K, D)."""
    return in_tiles(_sums, left, right)


def _sums(left: Tensor, right: Tensor) -> Tensor:
    return torch.bmm(left, right.transpose(1, 2))


def on_lines(values: Tensor) -> Tensor:
    """Lay rows out one like the other, (B, ...) as given: dense, each vector beginning at a cache line."""
    line = CACHE_LINE // values.element_size()
    more = -values.shape[-1] % line
    dense = [1, values.shape[-1] + more]
    for size in values.shape[-2:1:-1]:
        dense.append(dense[-1] * size)
    laid_out = list(values.stride()[:0:-1]) == dense[: values.ndim - 1] and values.stride(0) % line == 0
    if laid_out and values.data_ptr() % CACHE_LINE == 0:
        return values
    return (
        pad(values, (0, more))[..., : values.shape[-1]]
        if more
        else values.clone(memory_format=torch.contiguous_format)
    )


def dot(first: Tensor, second: Tensor) -> Tensor:
    """Return sums of products along the last axis, for matrices too small for a library's products."""
    return (first * second).sum(-1)


def inverse(matrix: Tensor) -> Tensor:
    """Return the inverses of small matrices, (..., n, n) as given."""
    n = matrix.shape[-1]
    inverted: Tensor = torch.linalg.inv(_enlarged(matrix))
    return inverted[..., :n, :n]


def cholesky_inverse(matrix: Tensor) -> Tensor:
    """Return inverses of the lower Cholesky factors of small positive definite matrices, (..., n, n)."""
    n, whole = matrix.shape[-1], _enlarged(matrix)
    eye = torch.eye(whole.shape[-1], dtype=whole.dtype, device=whole.device).expand_as(whole)
    inverted: Tensor = torch.linalg.solve_triangular(torch.linalg.cholesky(whole), eye, upper=False)
    return inverted[..., :n, :n]


def _enlarged(matrix: Tensor) -> Tensor:
    """Add rows and columns of the unit matrix until each matrix of a stack fills whole cache lines.

    The library solves one matrix after the other: none then lies differently from the others.
    """
    n = matrix.shape[-1]
    more = -n % 4  # sixteen numbers of single or double precision are whole lines
    whole = pad(matrix, (0, more, 0, more))
    whole.diagonal(dim1=-2, dim2=-1)[..., n:] = 1
    return whole
