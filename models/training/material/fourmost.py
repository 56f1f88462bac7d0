"""4MOST's noise: what its low-resolution spectrograph would publish, from its sky and its throughput."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from spectraq.models.grid.axis import N_PIXELS, WAVELENGTH
from spectraq.models.grid.resample import Rebinned
from spectraq.models.observation import Observation

FOLDER = "sky/4most"
ARMS = ("BLUE", "GREEN", "RED")
MOONS = ("dark", "grey")
AIRMASSES = ("LOW", "MID", "HIGH")
EXPOSURE_S = 3600.0
READ_VARIANCE = 50.0
"""Electrons squared a pixel: three read-outs of 2.3 electrons over three pixels across the trace."""
MIN_EFFICIENCY = 0.01

Array = NDArray[np.float64]


def noise(data: Path) -> list[Observation]:
    """Make empty observations with 4MOST's inverse variance: one for each moon and airmass of the sky model.

    Returns
    -------
    observations
        On the common grid; none where `data` has no model of 4MOST's sky.
    """
    folder = data / FOLDER
    if not folder.is_dir():
        return []
    return [_observation(folder, moon, airmass) for moon in MOONS for airmass in AIRMASSES]


def _observation(folder: Path, moon: str, airmass: str) -> Observation:
    total = np.zeros(N_PIXELS)
    with (
        fits.open(folder / f"sky_model_{moon}.fits") as sky,
        fits.open(folder / "efficiency_4most.fits") as throughput,
    ):
        for arm in ARMS:
            wavelength = np.asarray(sky[arm].data["WAVE"], np.float64)
            electrons = np.asarray(sky[arm].data[airmass], np.float64)
            efficiency = np.asarray(throughput[arm].data[airmass], np.float64)
            total += _arm(wavelength, electrons, efficiency)
    return Observation(
        np.asarray(WAVELENGTH, np.float64), np.zeros(N_PIXELS, np.float32), total.astype(np.float32), "4most"
    )


def _arm(wavelength: Array, electrons_per_s: Array, efficiency: Array) -> Array:
    """Return the inverse variance of f_lambda on the grid, in an arbitrary unit."""
    # Electrons for f_lambda = 1.
    per_flux = wavelength * np.clip(efficiency, 0, None) * np.gradient(wavelength)
    variance = electrons_per_s * EXPOSURE_S + READ_VARIANCE
    ivar = np.where(efficiency > MIN_EFFICIENCY, per_flux**2 / variance, 0.0)
    _, on_grid, _ = Rebinned.of(wavelength).bring(np.zeros(wavelength.size), ivar)
    return np.asarray(on_grid, np.float64)
