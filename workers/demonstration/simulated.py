"""Simulated spectra as messages: for demonstrations, load tests and benchmarks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from spectraq.schemas.spectrum import Spectrum

if TYPE_CHECKING:
    from spectraq.models.simulate import Simulated

TRUTH = ("spectrum_id", "spectype", "subtype", "z", "snr", "fault")
"""What is known of a simulated spectrum, as a table names it."""
PIECE = 200
"""Simulated at a time, so that the first spectrum is sent at once."""
GOOD_STAR_GALAXY, GOOD_QSO = 0.0033, 0.015
"""|dz| / (1 + z) within which a redshift counts as right: 1000 km/s; of quasars 4500 km/s."""


def spectra(n: int, seed: int = 0) -> Iterator[tuple[Spectrum, Simulated]]:
    """Yield n simulated spectra, each with its truth; the same seed gives the same."""
    from spectraq.models.simulate import simulate

    made = 0
    for piece in range(math.ceil(n / PIECE)):
        for simulated in simulate(min(PIECE, n - made), seed * 100_003 + piece):
            observation = simulated.observation
            yield (
                Spectrum(
                    spectrum_id=f"simulated-{seed}-{made:06d}",
                    wavelength=observation.wavelength,
                    flux=observation.flux,
                    ivar=observation.ivar,
                    survey=observation.survey,
                ),
                simulated,
            )
            made += 1


def is_right(truth: Simulated, z: float) -> bool:
    """Whether a redshift is within the tolerance of the object's class."""
    limit = GOOD_QSO if truth.spectype == "QSO" else GOOD_STAR_GALAXY
    return bool(abs(z - truth.z) / (1 + truth.z) < limit)
