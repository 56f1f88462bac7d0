"""All shapes that are tried on one spectrum, and their normal equations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.final_fit.pixels import Floats, Ints, Pixels, unbinned
from spectraq.models.final_fit.products import gram, joined, product
from spectraq.models.final_fit.shapes import Part, Shapes

Doubles = NDArray[np.float64]
SINGLE_SNR = 100.0
"""Typical S/N a pixel to which sums in single precision tell neighbours apart."""
VARIANCE_STEP = 2
"""Bins from one to the next at which the variance is taken; it is smooth."""


@dataclass(frozen=True, slots=True)
class Design:
    """The n shapes of all parts, those that are zero on bins last."""

    pixels: Pixels
    shapes: Sequence[Shapes]
    part: tuple[Part, ...]  # (n,)
    binned: Floats  # (m, M) all but the last n - m
    single: Floats  # (n, E)

    @classmethod
    def of(cls, shapes: Sequence[Shapes], pixels: Pixels) -> Design:
        """Join the shapes of parts, whose order they keep."""
        part = tuple(rows.part for rows in shapes for _ in rows.single)
        binned = [rows.binned for rows in shapes if rows.binned is not None]
        single = [rows.single for rows in shapes]
        bins, pixel = len(pixels.weight), len(pixels.single)
        return cls(pixels, shapes, part, joined(binned, bins), joined(single, pixel))

    def rows(self) -> Iterator[tuple[Shapes, slice]]:
        """Yield each part with its place among all shapes."""
        first = 0
        for shapes in self.shapes:
            yield shapes, slice(first, first + len(shapes.single))
            first += len(shapes.single)

    def normal_equations(self) -> tuple[Doubles, Doubles]:
        """Return weighted sums of products of shapes (n, n), and of shapes and what is left (n,)."""
        pixels, n, m = self.pixels, len(self.part), len(self.binned)
        normal, vector = np.zeros((n, n)), np.zeros(n)
        kind = torch.float64 if pixels.leftover.snr > SINGLE_SNR else torch.float32
        if m:
            normal[:m, :m] = gram(self.binned, pixels.weight * pixels.counted, kind)
            vector[:m] = product(self.binned, pixels.score * pixels.counted)
        if n and pixels.single.size:
            normal += gram(self.single, pixels.leftover.ivar[pixels.single], kind)
            vector += product(self.single, pixels.leftover.score[pixels.single])
        return normal, vector

    def variance(self, kept: Ints, covariance: Floats) -> Floats:
        """Return the variance of sums of some shapes, (N_PIXELS,).

        Parameters
        ----------
        kept
            Which, ascending, shape (k,).
        covariance
            Of their amplitudes, shape (k, k).
        """
        smooth = kept[kept < len(self.binned)]
        own = np.ascontiguousarray(covariance[: len(smooth), : len(smooth)])
        variance = unbinned(_spread(own, self.binned[:, ::VARIANCE_STEP][smooth]))
        if self.pixels.single.size:
            variance[self.pixels.single] = _spread(covariance, self.single[kept])
        return variance


def _spread(covariance: Floats, rows: Floats) -> Floats:
    """Return the variance of sums of rows, (k, n), whose amplitudes have a covariance."""
    return np.asarray(np.einsum("ij,ij->j", product(covariance, rows), rows).clip(0))
