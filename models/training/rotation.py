"""Pick sharp model spectra of stars, of which each type's differ most, and write them for rotation.

Redrock's models of stars are sampled finely enough (0.1 angstrom) to be blurred by any instrument.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from safetensors.numpy import save_file

from spectraq.models import shipped
from spectraq.models.grid.axis import pixel_of, wavelength_of
from spectraq.models.measurement.rotation import FILE, OVERSAMPLED, TYPES, running_mean

ANGSTROM = (3850.0, 6700.0)
MODELS = 24
"""Of each type."""
COARSE, HALF_MEAN = 16, 30
"""Elements from one to the next, and on either side of the mean, by which models are told apart."""
Floats = NDArray[np.float64]


def archetypes(data: Path, subtype: str) -> Floats:
    """Return all models of a type on elements of a quarter of a grid pixel, (n, L)."""
    with fits.open(data / f"templates/redrock/rrtemplate-STAR-{subtype}-v0.1.fits") as hdus:
        basis, amplitude = np.asarray(hdus[0].data, np.float64), np.asarray(hdus[1].data, np.float64)
        step, low = float(hdus[0].header["CDELT1"]), float(hdus[0].header["CRVAL1"])
    first, last = (round(float(pixel_of(angstrom))) for angstrom in ANGSTROM)
    edges = wavelength_of(
        np.arange(first * OVERSAMPLED, last * OVERSAMPLED + 1) / OVERSAMPLED - 0.5 / OVERSAMPLED
    )
    total = np.concatenate([np.zeros((len(basis), 1)), np.cumsum(basis, 1)], 1)
    borders = low + step * (np.arange(basis.shape[1] + 1) - 0.5)
    means = np.diff(np.stack([np.interp(edges, borders, row) for row in total]), axis=1) / np.diff(edges)
    return np.asarray(amplitude @ means)


def unlike(spectra: Floats, n: int) -> NDArray[np.int64]:
    """Return the rows of n spectra, each as unlike those before as can be; the first is the most usual."""
    coarse = spectra[:, : spectra.shape[1] // COARSE * COARSE].reshape(len(spectra), -1, COARSE).mean(2)
    lines = (coarse / running_mean(coarse, HALF_MEAN))[:, HALF_MEAN:-HALF_MEAN]
    chosen = [int(((lines - lines.mean(0)) ** 2).sum(1).argmin())]
    distance = ((lines - lines[chosen[0]]) ** 2).sum(1)
    while len(chosen) < n:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, ((lines - lines[chosen[-1]]) ** 2).sum(1))
    return np.array(chosen)


def make(data: Path, out: Path) -> None:
    """Write the model spectra of each type with their card."""
    flux = {}
    for subtype in TYPES:
        spectra = archetypes(data, subtype)
        picked = spectra[unlike(spectra, MODELS)]
        flux[subtype] = (picked / picked.mean(1, keepdims=True)).astype(np.float16)
    save_file(flux, out / FILE)
    card = {
        "name": "sharp model spectra of stars, for rotation",
        "first_pixel": round(float(pixel_of(ANGSTROM[0]))),
        "types": dict.fromkeys(TYPES, MODELS),
        "sha256": shipped.digest_of(out / FILE),
    }
    (out / FILE).with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n")
