"""What lies under the lines of one spectrum, solved for once however often lines are tried on it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectraq.models.measurement.samples import AVERAGED, Places, Samples
from spectraq.models.measurement.target import Floats, Target

REACHES = (12.0, 20.0, 40.0)
"""Pixels around lines that are looked at, where they suffice."""


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


@dataclass(frozen=True, slots=True)
class Near:
    """Samples that lines may reach, n of them, and what lies under the lines there.

    Attributes
    ----------
    design
        The base's m shapes, then the data without its level, each times `root`; (m + 1, n + 1).
    """

    places: Places
    root: Floats
    design: Floats


class Ground:
    """Samples of a target over what lies under its lines, in shapes orthonormal under noise and priors.

    Attributes
    ----------
    whiten
        Rows that make the shapes orthonormal, (m, m); its transpose takes their amplitudes to the base's.
    vector
        The orthonormal shapes' best amplitudes without lines, (m,).
    chi2
        Without lines.
    whole
        All samples.
    n_pixels
        How many pixels of the target are used.
    anywhere
        Whether lines may reach any sample.
    """

    def __init__(
        self, target: Target, base: Base, samples: Samples, lines: NDArray[np.float64] | None = None
    ) -> None:
        """Solve without lines.

        Parameters
        ----------
        lines
            Grid pixels of lines that are narrow at first; None where any sample may be reached.
        """
        self.target, self.base, self._lines = target, base, lines
        root = samples.root
        design = np.zeros((len(base.shapes) + 1, root.size))
        np.multiply(base.shapes[:, samples.nearest], root[:-1], out=design[:-1, :-1])
        np.multiply(samples.flux - base.level[samples.nearest], root[:-1], out=design[-1, :-1])
        self.whole = Near(samples.places, root, design)
        gram = design @ design.T
        self.whiten = whitening(gram[:-1, :-1] + np.diag(base.precision))
        self.vector = self.whiten @ (gram[:-1, -1] + base.precision * base.centre)
        prior = float(base.precision @ base.centre**2)
        self.chi2 = float(gram[-1, -1]) + samples.scatter + prior - float(self.vector @ self.vector)
        self.n_pixels = max(int(np.count_nonzero(target.ivar)), 1)
        self.anywhere = lines is None
        self._near: dict[float, Near] = {}

    def near(self, reach: float) -> Near:
        """Return samples that hold all within so many pixels of a line."""
        if self._lines is None:
            return self.whole
        enough = next((known for known in REACHES if known >= reach), math.inf)
        if enough not in self._near:
            kept = self._around(self._lines, REACHES[0] if math.isinf(enough) else enough)
            self._near[enough] = self._averaged(kept) if math.isinf(enough) else self._some(kept)
        return self._near[enough]

    def _some(self, kept: NDArray[np.int64]) -> Near:
        kept = np.append(kept, self.whole.root.size - 1)
        return Near(self.whole.places.some(kept), self.whole.root[kept], self.whole.design[:, kept])

    def _averaged(self, fine: NDArray[np.int64]) -> Near:
        """Return means of all samples but those around some fine ones."""
        whole = self.whole
        end = whole.root.size - 1
        n = end // AVERAGED
        single = np.zeros(n, bool)
        single[fine[fine < n * AVERAGED] // AVERAGED] = True
        singles = np.append(np.repeat(single, AVERAGED), np.ones(end + 1 - n * AVERAGED, bool))
        weight = np.maximum(whole.root, 1e-150)
        total = np.sqrt(_summed(weight**2, n)[~single])
        pixel = _summed(weight**2 * whole.places.pixel, n)[~single] / total**2
        blocks = whole.design[:, : n * AVERAGED].reshape(-1, n, AVERAGED)
        by_pixel = weight[: n * AVERAGED].reshape(n, AVERAGED)
        design = np.einsum("mnk,nk->mn", blocks, by_pixel)[:, ~single] / total
        kept, middle = np.flatnonzero(singles), (np.flatnonzero(~single) + 0.5) * AVERAGED
        order = np.argsort(np.concatenate([kept, middle]), kind="stable")
        nearest = np.concatenate([kept, middle.astype(np.int64)])[order]
        spread = np.concatenate([np.zeros(kept.size), np.full(middle.size, (AVERAGED**2 - 1) / 12)])
        pixel = np.concatenate([whole.places.pixel[kept], pixel])[order]
        root = np.concatenate([whole.root[kept], np.where(total > 1e-140, total, 0.0)])[order]
        places = Places(pixel, whole.places.per_angstrom[nearest], spread[order])
        return Near(places, root, np.concatenate([whole.design[:, kept], design], axis=1)[:, order])

    def _around(self, lines: Floats, reach: float) -> NDArray[np.int64]:
        """Return the samples within so many pixels of lines."""
        pixel = self.whole.places.pixel[:-1]
        step = np.zeros(pixel.size + 1, np.int64)
        np.add.at(step, np.searchsorted(pixel, lines - reach), 1)
        np.add.at(step, np.searchsorted(pixel, lines + reach, "right"), -1)
        return np.flatnonzero(np.cumsum(step[:-1]))


def _summed(values: Floats, n: int) -> Floats:
    """Return sums of neighbours along the last axis, n of them."""
    return np.asarray(sum(values[..., k : n * AVERAGED : AVERAGED] for k in range(AVERAGED)))


def _scale(matrix: Floats) -> tuple[Floats, Floats]:
    """Return a positive matrix of unit diagonal, and what its rows and columns were multiplied by."""
    scale = 1 / np.sqrt(np.maximum(matrix.diagonal(), 1e-300))
    scaled = matrix * scale[:, None] * scale
    scaled.flat[:: len(scaled) + 1] += 1e-11
    return scaled, scale


def inverted(matrix: Floats) -> Floats:
    """Return the inverse of a positive matrix whose rows may differ in size by many orders."""
    scaled, scale = _scale(matrix)
    return np.asarray(np.linalg.inv(scaled) * scale[:, None] * scale)


def whitening(matrix: Floats) -> Floats:
    """Return the lower triangle W of which W.T @ W is the inverse of such a matrix."""
    scaled, scale = _scale(matrix)
    return np.asarray(np.linalg.inv(np.linalg.cholesky(scaled)) * scale)


def root_of(covariance: Floats) -> Floats:
    """Return R of which R.T @ R is a covariance, which may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T)
