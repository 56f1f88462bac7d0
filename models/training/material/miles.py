"""Stars of the MILES library with the parameters that the literature gives them.

Sanchez-Blazquez et al. 2006 (MNRAS 371, 703), Falcon-Barroso et al. 2011 (A&A 532, A95), version 9.1;
parameters of Cenarro et al. 2007 (MNRAS 374, 664). 3540 to 7410 angstrom, 2.5 angstrom wide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from spectraq.models.measurement.stellar_indices import vacuum
from spectraq.models.training.material.regrid import resample

FOLDER = "miles"
"""Of the library's folder."""
TABLE = "paramsMILES_v9.1.txt"
NAME, NUMBER = slice(0, 20), slice(23, 27)
PARAMETERS = (slice(50, 57), slice(57, 64), slice(64, 73))
"""Columns of the table: name, number, and effective temperature, log g, [Fe/H]."""
FWHM_ANGSTROM = 2.5
FIRST_ANGSTROM, STEP_ANGSTROM = 3540.5, 0.9
"""Of the pixels, in air."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ParametrisedStars:
    """Observed stars with known parameters.

    Attributes
    ----------
    flux
        At rest on whole grid pixels from `first` on, (n, L).
    parameters
        log10 of the effective temperature in K, log10 of the surface gravity in cm/s2, [Fe/H]; (n, 3).
    names
        n names, as `designation` writes them.
    """

    flux: Floats
    first: int
    parameters: Floats
    names: tuple[str, ...]


def load(library: Path) -> ParametrisedStars:
    """Read every star that has all three parameters.

    Raises
    ------
    FileNotFoundError
        Where the library is not there.
    """
    folder = library / FOLDER
    if not (folder / TABLE).exists():
        raise FileNotFoundError(
            f"{folder / TABLE}: no such file; give the folder of the MILES library with --library "
            "(docs/training.md says where it is to be had)"
        )
    names, parameters, flux = [], [], []
    for name, path, known in _stars(folder):
        names.append(name)
        parameters.append([np.log10(known[0]), *known[1:]])
        flux.append(np.asarray(fits.getdata(path), np.float64))
    wavelength = vacuum(np.asarray(FIRST_ANGSTROM + STEP_ANGSTROM * np.arange(len(flux[0])), np.float64))
    rest, first = resample(wavelength, np.array(flux))
    return ParametrisedStars(rest.astype(np.float64), first, np.array(parameters), tuple(names))


def _stars(folder: Path) -> Iterator[tuple[str, Path, list[float]]]:
    """Yield name, file and parameters of each star with all of them."""
    for line in sorted((folder / TABLE).read_text().splitlines(), key=lambda text: text[NUMBER]):
        path = folder / f"MILES_res2.50_star_m{line[NUMBER].strip()}V.fits"
        if not line[NUMBER].strip().isdigit() or not path.exists():
            continue
        try:
            yield designation(line[NAME]), path, [float(line[columns]) for columns in PARAMETERS]
        except ValueError:
            continue  # dashes: the literature has no value


def designation(name: str) -> str:
    """Return a star's name without blanks and leading zeros: "HD 000123" is "HD123"."""
    plain = name.upper().replace(" ", "").replace("_", "")
    return re.sub(r"^HD0*(?=\d)", "HD", plain)
