"""What the networks are given: one spectrum as arrays, and why some can't be analysed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MIN_GOOD_PIXELS = 100
"""Fewer usable pixels than this hold no redshift worth publishing (one coarse box of continuum)."""
SEEN_ANGSTROM = (3600.0, 10400.0)
"""What is analysed, in whole hundreds (`grid/axis.py` says it exactly)."""
MAX_WAVELENGTH = 1e9
"""Angstrom: ten centimetres. What goes on beyond holds no wavelengths but a mistake."""


class UnusableSpectrum(ValueError):
    """A spectrum that can't be analysed; `reason` is a stable code, the message is for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Observation:
    """One observed spectrum.

    Parameters
    ----------
    wavelength
        Vacuum wavelength of each pixel in angstrom, ascending, shape (n,), float64.
    flux
        Flux density in any one unit per angstrom (the unit divides out), shape (n,).
    ivar
        Inverse variance of `flux`, shape (n,); zero where a pixel must not be used.
        None where the survey gives none: the noise is then estimated from the flux itself.
    survey
        Name of the survey when known ("sdss", "boss", "desi", "lamost", ...): picks calibrations.
    flux_cgs
        What one unit of `flux` is in erg/s/cm^2/angstrom, where that is known: luminosities need it.
    """

    wavelength: NDArray[np.float64]
    flux: NDArray[np.float32]
    ivar: NDArray[np.float32] | None = None
    survey: str | None = None
    flux_cgs: float | None = None

    def good(self) -> NDArray[np.bool_]:
        """Return the pixels that are finite and carry weight, shape (n,)."""
        good = np.isfinite(self.flux) & np.isfinite(self.wavelength)
        if self.ivar is not None:
            good &= np.isfinite(self.ivar) & (self.ivar > 0)
        return good

    def check(self) -> None:
        """Raise `UnusableSpectrum` where no answer could be honest.

        Raises
        ------
        UnusableSpectrum
            reason "empty", "length_mismatch", "bad_wavelength" or "no_good_pixels".
        """
        n = self.flux.size
        if n == 0:
            raise UnusableSpectrum("empty", "the spectrum has no pixels")
        if self.wavelength.size != n or (self.ivar is not None and self.ivar.size != n):
            ivar = "none" if self.ivar is None else str(self.ivar.size)
            raise UnusableSpectrum(
                "length_mismatch",
                f"arrays differ in length: wavelength {self.wavelength.size}, flux {n}, ivar {ivar}",
            )
        if not (
            (self.wavelength[1:] > self.wavelength[:-1]).all()  # of what is NaN nothing is greater
            and self.wavelength[0] > 0
            and self.wavelength[-1] < MAX_WAVELENGTH
        ):
            raise UnusableSpectrum(
                "bad_wavelength",
                f"wavelengths must be positive, ascending and below {MAX_WAVELENGTH:g} Å",
            )
        good = int(self.good().sum())
        if good < MIN_GOOD_PIXELS:
            raise UnusableSpectrum(
                "no_good_pixels",
                f"{good} of {n} pixels are finite with a positive ivar; "
                f"at least {MIN_GOOD_PIXELS} are needed",
            )
        low, high = SEEN_ANGSTROM
        if self.wavelength[-1] < low - 100 or self.wavelength[0] > high + 100:
            raise too_little_seen(0)


def too_little_seen(usable: int) -> UnusableSpectrum:
    """Return the error of a spectrum with so few usable pixels at the wavelengths that are analysed."""
    low, high = SEEN_ANGSTROM
    return UnusableSpectrum(
        "no_good_pixels",
        f"{usable} usable pixels between {low:.0f} and {high:.0f} Å; at least {MIN_GOOD_PIXELS} are needed",
    )
