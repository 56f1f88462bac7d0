"""How much the flux calibrations of two spectra of one object may differ: learned from real repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from spectraq.models.grid.axis import N_PIXELS
from spectraq.models.grid.surveys import SURVEYS, survey_index

Floats = NDArray[np.float64]
TERMS = 20
"""Chebyshev polynomials over the range that both have: over an SDSS spectrum, shapes of 300 angstrom."""
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Calibration:
    """Standard deviations of the response's coefficients, (TERMS,), as fractions of the flux."""

    spread: Floats

    @property
    def inverse_variances(self) -> Floats:
        """Return the prior's, (TERMS,)."""
        return np.asarray(1 / self.spread**2)

    @staticmethod
    def polynomials(used: NDArray[np.bool_]) -> Floats:
        """Return Chebyshev polynomials over the used pixels' range, (TERMS, N_PIXELS); constant outside."""
        index = np.flatnonzero(used)
        return _polynomials(int(index[0]), int(index[-1]))


@lru_cache(maxsize=16)
def _polynomials(first: int, last: int) -> Floats:
    place = np.clip(2 * (np.arange(N_PIXELS) - first) / max(last - first, 1) - 1, -1, 1)
    return np.asarray(np.cos(np.arange(TERMS)[:, None] * np.arccos(place)))


def instruments(first: str | None, second: str | None) -> str:
    """Return what the calibration of a pair depends on: "lamost", "sdss" (BOSS and DESI, too), or "unknown".

    A pair of two instruments is as uncertain as the worse of both.
    """
    names = set()
    for survey in (first, second):
        index = survey_index(survey)
        name = SURVEYS[index] if index < len(SURVEYS) else UNKNOWN
        names.add("sdss" if name in ("boss", "desi") else name)
    for name in (UNKNOWN, "lamost"):
        if name in names:
            return name
    return "sdss"


def calibrations(table: Mapping[str, Sequence[float] | Floats]) -> dict[str, Calibration]:
    """Return calibrations by instrument, of standard deviations by instrument."""
    return {name: Calibration(np.array(spread, np.float64)) for name, spread in table.items()}
