"""Real stars with parameters of the literature, by which the calibration is judged and not made."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from spectraq.models.grid.prepare import grid_one
from spectraq.models.measurement.fitting_functions import FittingFunctions
from spectraq.models.measurement.stellar_indices import stellar_indices, vacuum
from spectraq.models.measurement.stellar_parameters import TEFF_RANGE
from spectraq.models.measurement.target import Target
from spectraq.models.observation import Observation
from spectraq.models.training.material.miles import designation
from spectraq.models.training.stellar_parameters import Answers

INDO_US, STELIB = "Indo-US", "STELIB"
FOLDERS = {INDO_US: "normal/stars-indous", STELIB: "stelib"}
"""Valdes et al. 2004 (ApJS 152, 251), among the data; Le Borgne et al. 2003 (A&A 402, 433), version 3.2,
beside MILES. In air, at rest."""
KEYS = {INDO_US: ("OBJNAME", "TEFF", "LOGG", "FEH"), STELIB: ("STARIDEN", "TEFF", "LOG_G", "FE_H")}
LEAST_STARS = 10
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class KnownStar:
    """A real star.

    Attributes
    ----------
    name
        As `miles.designation` writes it.
    parameters
        log10 of the effective temperature, log g, [Fe/H]; NaN where not known.
    """

    name: str
    observation: Observation
    parameters: Floats

    def target(self) -> Target:
        """Return the star as it is measured."""
        flux, ivar, _ = grid_one(self.observation)
        return Target(flux.astype(np.float64), ivar.astype(np.float64), "STAR", 0.0, 0.0, None)


def stars(source: str, folder: Path) -> Iterator[KnownStar]:
    """Yield the stars of a source.

    Parameters
    ----------
    folder
        That holds FOLDERS[source].
    """
    name, *keys = KEYS[source]
    for path in sorted((folder / FOLDERS[source]).glob("*.fits")):
        with fits.open(path) as hdus:
            header, flux = hdus[0].header, np.asarray(hdus[0].data, np.float32)
            known = np.array([_number(header.get(key)) for key in keys])
            pixel = np.arange(flux.size) + 1 - float(header.get("CRPIX1", 1))
            air = float(header["CRVAL1"]) + float(header["CDELT1"]) * pixel
            called = designation(str(header[name]))
        good = np.isfinite(flux) & (flux > 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            known[0] = np.log10(known[0])
        yield KnownStar(called, Observation(vacuum(np.asarray(air, np.float64))[good], flux[good]), known)


def _number(value: Any) -> float:
    with contextlib.suppress(TypeError, ValueError):
        return float(value)
    return float("nan")


def answered(functions: FittingFunctions, known: Iterator[KnownStar], shown: set[str]) -> Answers | None:
    """Return what is said of stars within the range of temperatures that are not among the calibrators."""
    low, high = np.log10(TEFF_RANGE)
    found = []
    for star in known:
        if star.name not in shown and np.isfinite(star.parameters).all() and low < star.parameters[0] < high:
            indices = stellar_indices(star.target())
            said = functions.solve(indices.value, indices.covariance)
            found.append((said.value, said.error, star.parameters, said.rchi2))
    if len(found) < LEAST_STARS:
        return None
    return Answers(*(np.array(same) for same in zip(*found, strict=True)))


def figures(sources: Mapping[str, Answers]) -> dict[str, dict[str, Any]]:
    """Return medians and spreads of the differences, in K and dex, and the spread of pulls, by source."""
    return {source: _figures(answers) for source, answers in sources.items()}


def _figures(answers: Answers) -> dict[str, Any]:
    off = answers.value - answers.truth
    kelvin = 10 ** answers.truth[:, 0] * np.log(10) * off[:, 0]
    differences = (kelvin, off[:, 1], off[:, 2])
    return {
        "spectra": len(off),
        "offset": [round(float(np.median(x)), 3) for x in differences],
        "spread": [round(spread(x - np.median(x)), 3) for x in differences],
        "spread_about_zero": [round(spread(x), 3) for x in differences],
        "pull": [round(spread(x), 2) for x in (off / answers.error).T],
    }


def spread(values: Floats) -> float:
    """Return 1.48 median absolute values: the standard deviation where there are no outliers."""
    return float(1.4826 * np.median(np.abs(values)))
