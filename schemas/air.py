"""Wavelengths in air and in vacuum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

VACUUM_BELOW_ANGSTROM = 2000.0
"""Shorter wavelengths are quoted in vacuum by convention, whatever is said of the rest of the spectrum."""

_ITERATIONS = 3
"""The index is given for the wavelength in vacuum, which is what is sought: from the second step on the
change is below a double's resolution."""


def vacuum_from_air(wavelength: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert wavelengths in standard air to vacuum.

    Parameters
    ----------
    wavelength
        In standard air (15 degree C, 101325 Pa, 450 ppm CO2, dry), in angstrom, any shape. Values under
        2000 angstrom are in vacuum already and stay as they are.

    Returns
    -------
    NDArray[np.float64]
        In vacuum, in angstrom, of the same shape.

    Notes
    -----
    Ciddor 1996, Applied Optics 35, 1566, eq. 1; the formula that SDSS's pipelines use as well.
    """
    vacuum = wavelength
    with np.errstate(all="ignore"):  # a stranger's wavelengths may be anything; the analysis refuses them
        for _ in range(_ITERATIONS):
            vacuum = wavelength * _refractive_index(vacuum)
    return np.where(wavelength < VACUUM_BELOW_ANGSTROM, wavelength, vacuum)


def _refractive_index(vacuum: NDArray[np.float64]) -> NDArray[np.float64]:
    wavenumber2 = (1e4 / vacuum) ** 2  # 1/um2
    index: NDArray[np.float64] = (
        1.0 + 5.792105e-2 / (238.0185 - wavenumber2) + 1.67917e-3 / (57.362 - wavenumber2)
    )
    return index
