"""A family of templates: spectra that are made in one way, at rest, on the common pixel grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectraq.models.grid.axis import loglam_of

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Family:
    """Rest-frame spectra as coefficients times a basis.

    Parameters
    ----------
    name, spectype
        For reports; `spectype` is STAR, GALAXY or QSO.
    basis
        Shape (K, L): noiseless rest-frame spectra on the pixels first_pixel, first_pixel + 1, ... of the
        common grid continued to both sides.
    coefficients
        Shape (M, K): M objects; their spectra are `coefficients @ basis`, of order one.
    labels
        M names of what each object is: a subclass, "*" for an ordinary star of unknown type, "?" for a galaxy
        whose lines are to be measured.
    z
        Redshifts the objects were observed at, shape (M,), where the family knows them.
    weight
        How often the family is drawn among those of its class.
    resolution_pending
        The basis is sharper than a survey's spectrograph: mocks blur it.
    lacks_continuum
        The basis was made with the continuum taken off: mocks put one back.
    clean
        Good enough to calibrate errors and thresholds with.
    """

    name: str
    spectype: str
    basis: Array
    first_pixel: int
    coefficients: Array
    labels: tuple[str, ...]
    z: Array | None = None
    weight: float = 1.0
    resolution_pending: bool = False
    lacks_continuum: bool = False
    clean: bool = False

    @property
    def loglam(self) -> NDArray[np.float64]:
        """Return log10(vacuum angstrom) of the basis's pixels, shape (L,)."""
        pixels = self.first_pixel + np.arange(self.basis.shape[1], dtype=np.float64)
        return loglam_of(pixels)

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, list[str]]:
        """Draw n of the family's own noiseless rest-frame spectra.

        Returns
        -------
        flux
            Shape (n, L), scaled to a mean |flux| of one.
        labels
            n names.
        """
        rows = rng.integers(0, len(self.labels), n)
        flux = self.coefficients[rows] @ self.basis
        flux /= np.maximum(np.abs(flux).mean(1, keepdims=True), 1e-20)
        return flux.astype(np.float32), [self.labels[row] for row in rows]
