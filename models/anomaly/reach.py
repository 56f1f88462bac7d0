"""How far a reference reaches: what no normal spectrum of it has, no rate of it is about."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectraq.models.anomaly.kinds import INSTRUMENT, SKY
from spectraq.models.anomaly.verdict import OUTSIDE
from spectraq.models.answer import Reason
from spectraq.models.classes import CLASSES
from spectraq.models.grid.axis import DLOGLAM, WAVELENGTH

Floats = NDArray[np.float64]
PLACES = 9
"""Of a spectrum where its sampling is looked at."""
SAMPLING_MARGIN = 1.25
"""Pixels finer or coarser by less than this than any normal spectrum's are not another resolution yet."""
SEEN_MARGIN = 0.9
SEEN_QUANTILE = 0.02
"""One normal spectrum in fifty lost most of its pixels: that is no kind of its own."""
Z_MARGIN = 0.05
"""Of 1 + z: as far as a feature moves without leaving where normal spectra of the class have it."""


def sampling(wavelength: Floats) -> float:
    """Return how many pixels of the grid a pixel of a spectrum is wide: the median over some places.

    Parameters
    ----------
    wavelength
        Ascending, shape (n,) of two or more, in angstrom.
    """
    last = wavelength.size - 2
    places = [last * i // (PLACES - 1) for i in range(PLACES)]
    return math.log10(statistics.median(wavelength[i + 1] / wavelength[i] for i in places)) / DLOGLAM


@dataclass(frozen=True, slots=True)
class Reach:
    """What the normal spectra of a reference are like from afar, with a margin.

    Attributes
    ----------
    sampling
        Finest and coarsest pixels, in pixels of the grid.
    seen
        Fewest pixels of the grid that they cover, all but a few.
    z
        Lowest and highest redshift by class.
    """

    sampling: tuple[float, float]
    seen: int
    z: tuple[tuple[float, float], ...]

    @classmethod
    def of(cls, samplings: Floats, seen: NDArray[np.int64], spectype: NDArray[np.int64], z: Floats) -> Reach:
        """Return the reach of normal spectra, every shape (n,); each class has some."""
        by_class = [z[spectype == c] for c in range(len(CLASSES))]
        return cls(
            (float(samplings.min()) / SAMPLING_MARGIN, float(samplings.max()) * SAMPLING_MARGIN),
            int(SEEN_MARGIN * np.quantile(seen, SEEN_QUANTILE)),
            tuple((_further(some.min(), -Z_MARGIN), _further(some.max(), Z_MARGIN)) for some in by_class),
        )

    @classmethod
    def from_card(cls, card: dict[str, Any]) -> Reach:
        """Return the reach that a card has as of `as_card`."""
        low, high = card["sampling"]
        return cls((low, high), card["seen"], tuple((first, last) for first, last in card["z"]))

    def as_card(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        return {"sampling": self.sampling, "seen": self.seen, "z": self.z}

    def outside(self, pixels: float, seen: int, spectype: int, z: float) -> Reason | None:
        """Return why no normal spectrum is like this one, None where some are.

        Parameters
        ----------
        pixels
            As of `sampling`.
        seen
            Pixels of the grid that carry weight.
        spectype, z
            Its class, as an index, and its redshift.
        """
        low, high = self.z[spectype]
        name = CLASSES[spectype]
        if not self.sampling[0] <= pixels <= self.sampling[1]:
            finest, coarsest = self.sampling
            return _reason(
                INSTRUMENT,
                f"its pixels are {pixels:.2g} of the grid's wide; normal spectra have {finest:.2g} to "
                f"{coarsest:.2g}",
            )
        if seen < self.seen:
            return _reason(
                INSTRUMENT,
                f"it has {seen} usable pixels of the grid; normal spectra have {self.seen} or more",
            )
        if not low <= z <= high:
            return _reason(SKY, f"a {name} at z = {z:.4f}; normal ones lie between {low:.2f} and {high:.2f}")
        return None


def _further(z: float, margin: float) -> float:
    return float(z + margin * (1 + z))


def _reason(origin: str, why: str) -> Reason:
    return Reason(
        kind=OUTSIDE,
        origin=origin,
        strength=0.0,
        wavelength_min=float(WAVELENGTH[0]),
        wavelength_max=float(WAVELENGTH[-1]),
        message=f"Unlike every spectrum of the reference, so that no rate can be told: {why}.",
    )
