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
FIRST_MJD = 57000.0
PIECE = 200
"""Chunk size, so that the first spectrum is sent at once."""


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


def repeats(n: int, seed: int = 0) -> Iterator[tuple[Spectrum, Simulated, str]]:
    """Yield the earlier and the newer spectrum of n objects in turn, each with its truth and what changed."""
    from spectraq.models.change.simulated_repeats import simulate_repeats

    made = 0
    for piece in range(math.ceil(n / PIECE)):
        for pair in simulate_repeats(min(PIECE, n - made), seed * 100_003 + piece):
            name = f"simulated-{seed}-{made:06d}"
            dates = ((pair.earlier, "a", FIRST_MJD), (pair.newer, "b", FIRST_MJD + pair.days))
            for simulated, letter, mjd in dates:
                observation = simulated.observation
                spectrum = Spectrum(
                    spectrum_id=f"{name}-{letter}",
                    wavelength=observation.wavelength,
                    flux=observation.flux,
                    ivar=observation.ivar,
                    survey=observation.survey,
                    target_id=name,
                    mjd=mjd,
                )
                yield spectrum, simulated, pair.change
            made += 1


def is_right(truth: Simulated, z: float) -> bool:
    """Return whether a redshift is within the tolerance of the object's class."""
    from spectraq.models.classes import SAME_Z

    return bool(abs(z - truth.z) / (1 + truth.z) < SAME_Z[truth.spectype])
