"""What lies under the lines of one spectrum, solved for once however often lines are tried on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectraq.models.grid.axis import N_PIXELS
from spectraq.models.measurement.target import Target

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Base:
    """What lies under the lines, and how it may still move: level + amplitudes @ shapes.

    Attributes
    ----------
    level
        Shape (N_PIXELS,).
    shapes
        Shape (m, N_PIXELS).
    precision, centre
        Of the Gaussian priors of the amplitudes, shape (m,).
    """

    level: Floats
    shapes: Floats
    precision: Floats
    centre: Floats


class Ground:
    """A target over what lies under its lines, in shapes that are orthonormal under noise and priors.

    Attributes
    ----------
    root
        Square root of ivar, and zero for what falls off the grid, (N_PIXELS + 1,).
    design
        Columns of the m orthonormal shapes, then of the data without the level, each times `root`; shape
        (N_PIXELS + 1, m + 1).
    whiten
        Rows that make the shapes orthonormal, (m, m); its transpose takes their amplitudes to the base's.
    vector
        The orthonormal shapes' best amplitudes without lines, (m,).
    chi2
        Without lines.
    """

    def __init__(self, target: Target, base: Base) -> None:
        self.target, self.base = target, base
        pixels = np.flatnonzero(target.used)
        self.root = np.zeros(N_PIXELS + 1)
        self.root[pixels] = np.sqrt(target.ivar[pixels])
        root = self.root[pixels]
        data = (target.flux - base.level)[pixels] * root
        shapes = base.shapes[:, pixels] * root
        self.whiten = whitening(shapes @ shapes.T + np.diag(base.precision))
        self.design = np.zeros((N_PIXELS + 1, len(shapes) + 1))
        self.design[pixels, :-1] = shapes.T @ self.whiten.T
        self.design[pixels, -1] = data
        self.vector = self.whiten @ (shapes @ data + base.precision * base.centre)
        prior = float(base.precision @ base.centre**2)
        self.chi2 = float(data @ data) + prior - float(self.vector @ self.vector)


def _scale(matrix: Floats) -> tuple[Floats, Floats]:
    """Return a positive matrix of unit diagonal, and what its rows and columns were multiplied by."""
    scale = 1 / np.sqrt(np.maximum(matrix.diagonal(), 1e-300))
    scaled = matrix * scale[:, None] * scale
    scaled[np.diag_indices_from(scaled)] += 1e-11
    return scaled, scale


def inverted(matrix: Floats) -> Floats:
    """Return the inverse of a positive matrix whose rows may differ in size by many orders."""
    scaled, scale = _scale(matrix)
    return np.asarray(np.linalg.inv(scaled) * scale[:, None] * scale)


def whitening(matrix: Floats) -> Floats:
    """Return the lower triangle W of which W.T @ W is the inverse of such a matrix."""
    scaled, scale = _scale(matrix)
    return np.asarray(np.linalg.inv(np.linalg.cholesky(scaled)) * scale)
