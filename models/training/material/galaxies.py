"""Galaxies: archetypes, stellar populations, SDSS eigenspectra, and the observed shapes of GaSNet-III."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

from spectraq.models.grid.axis import LN_PER_PIXEL, pixel_of_loglam
from spectraq.models.training.material.family import Array, Family
from spectraq.models.training.material.regrid import (
    log_image,
    nearest_pixel,
    on_whole_pixels,
    resample,
    unit_mean,
    unit_median,
)

SDSS_GALAXY_ZERO_POINT = -3.3e-5
"""Redshifts fitted with spEigenGal-56436 come out high by this much in z/(1+z), on mocks and labels alike."""
GASNET3_SHIFT_PIXELS = {"GALAXY": 0.62, "QSO": -0.53}
"""GaSNet-III's rest-frame grids are off (their linspace has one point too few for its step): measured against
the other families' eigenspectra, at S/N above 5."""


def archetypes(data: Path) -> tuple[Array, int, Array]:
    """Read redrock's galaxy basis on the common grid: basis (K, L), first pixel, coefficients (750, K)."""
    with fits.open(data / "templates/redrock/rrtemplate-galaxy-v0.2.fits") as hdus:
        flux = np.asarray(hdus[0].data, np.float64)
        wavelength = hdus[0].header["CRVAL1"] + 0.1 * np.arange(flux.shape[1])
        coefficients = np.asarray(hdus["ARCHETYPE_COEFF"].data, np.float64)
    basis, first = resample(wavelength, flux)
    return basis, first, unit_mean(coefficients, basis)


def stellar_populations(data: Path, basis: Array, first_pixel: int) -> Array:
    """Return the single stellar populations over the basis's whole range, shape (M, L).

    They are observed or modelled over a shorter range; beyond it the best fit of the archetypes' basis goes
    on, scaled to meet the edge.
    """
    folder = data / "templates/mangadap"
    files = sorted(folder.glob("mastar_ssp_v1.0/*.fits.gz")) + sorted(folder.glob("bc03_mpajhu/*.fits"))
    rows = []
    for path in files:
        with fits.open(path) as hdus:
            flux = np.asarray(hdus[0].data, np.float64)
            start = hdus[0].header["CRVAL1"]
        pixels = np.arange(flux.size)
        wavelength = 10 ** (start + 1e-4 * pixels) if "MaStar" in path.name else start + 1.0 * pixels
        observed, first = resample(wavelength, flux)
        rows.append(_extended(observed[0] / np.median(observed[0]), first - first_pixel, basis))
    return unit_median(np.clip(np.array(rows, np.float32), 0, None))


def _extended(observed: Array, start: int, basis: Array, edge: int = 60) -> Array:
    stop = min(start + observed.size, basis.shape[1])
    observed = observed[: stop - start]
    relative = (basis[:, start:stop] / observed).T
    coefficients = np.linalg.lstsq(relative, np.ones(stop - start), rcond=None)[0]
    full: Array = (coefficients @ basis).astype(np.float32)
    below = max(float(np.median(full[start : start + edge])), 1e-6)
    above = max(float(np.median(full[stop - edge : stop])), 1e-6)
    full[:start] *= np.median(observed[:edge]) / below
    full[stop:] *= np.median(observed[-edge:]) / above
    full[start:stop] = observed
    return full


def blue_only(spectra: Array, first_pixel: int) -> Array:
    """Keep the spectra at least 0.8 times as bright at 3500 as at 5500 angstrom: hosts of strong lines."""
    near, far = (nearest_pixel(np.log10(wavelength)) - first_pixel for wavelength in (3500, 5500))
    blue = np.median(spectra[:, near - 100 : near + 100], axis=1)
    red = np.median(spectra[:, far - 100 : far + 100], axis=1)
    return spectra[blue > 0.8 * np.maximum(red, 1e-9)]


def sdss_fits(data: Path, spectra: Array, first_pixel: int) -> Family:
    """Return SDSS's own galaxy eigenspectra, with the coefficients that fit other families' galaxies."""
    shift = SDSS_GALAXY_ZERO_POINT / LN_PER_PIXEL
    # A basis that gives redshifts too high lies too far to the blue.
    basis, first, _ = log_image(data / "templates/idlspec2d/spEigenGal-56436.fits", shift_pixels=-shift)
    start, stop = max(first_pixel, first), min(first_pixel + spectra.shape[1], first + basis.shape[1])
    target = spectra[:, start - first_pixel : stop - first_pixel]
    coefficients = np.linalg.lstsq(basis[:, start - first : stop - first].T, target.T, rcond=None)[0].T
    labels = ("?",) * len(coefficients)
    return Family(
        "galaxy_sdss", "GALAXY", basis, first, coefficients.astype(np.float32), labels, weight=0.8, clean=True
    )


def gasnet3(
    data: Path, spectype: str, tables: tuple[str, ...], excluded: set[str], max_delta: float
) -> Family:
    """Return real objects as GaSNet-III's encoder gave them: continuum-subtracted, ten coefficients each.

    Parameters
    ----------
    excluded
        plate-mjd-fiber of objects that must not be learned from (the labelled spectra).
    max_delta
        Keep objects whose redshift GaSNet-III got right within this.
    """
    folder = data / "populations/gasnet3"
    with np.load(folder / f"eigen_{spectype}.npz") as archive:
        start = pixel_of_loglam(float(archive["loglam_rest"][0])) + GASNET3_SHIFT_PIXELS[spectype]
        basis, first = on_whole_pixels(archive["eigenvectors"], start)
    objects = [_gasnet3_objects(folder / name, spectype, excluded, max_delta) for name in tables]
    joined = np.concatenate([coefficients for coefficients, _ in objects])
    label = "?" if spectype == "GALAXY" else "QSO"
    return Family(
        f"{spectype.lower()}_gasnet3",
        spectype,
        basis,
        first,
        joined,
        (label,) * len(joined),
        z=np.concatenate([z for _, z in objects]),
        weight=0.8 if spectype == "GALAXY" else 1.2,
        lacks_continuum=True,
        clean=True,
    )


def _gasnet3_objects(path: Path, spectype: str, excluded: set[str], max_delta: float) -> tuple[Array, Array]:
    """Return coefficients (n, 10) and redshifts (n,) of a table's objects of a class."""
    table = Table.read(path, hdu=1, unit_parse_strict="silent")
    ids = [
        f"{plate}-{mjd}-{fiber:04d}"
        for plate, mjd, fiber in zip(table["PLATE"], table["MJD"], table["FIBERID"], strict=True)
    ]
    keep = np.array([name not in excluded for name in ids]) & (np.asarray(table["delta_z"]) < max_delta)
    keep &= np.char.strip(np.asarray(table["CLASS"], str)) == spectype
    values = np.asarray(table["coefficients"], np.float32)[keep]
    return values.reshape(len(values), -1), np.asarray(table["Z"], np.float32)[keep]


def families(data: Path, excluded: set[str]) -> list[Family]:
    """Return all galaxy families."""
    basis, first, coefficients = archetypes(data)
    ssp = stellar_populations(data, basis, first)
    archetype_spectra = coefficients @ basis
    blue = blue_only(np.concatenate([ssp, archetype_spectra[::3]]), first)
    blue = unit_median(blue)

    def spectra_family(name: str, spectra: Array, weight: float) -> Family:
        n = len(spectra)
        identity = np.eye(n, dtype=np.float32)
        return Family(
            name, "GALAXY", spectra, first, identity, ("?",) * n, weight=weight, resolution_pending=True
        )

    return [
        Family(
            "galaxy_archetype",
            "GALAXY",
            basis,
            first,
            coefficients,
            ("?",) * len(coefficients),
            resolution_pending=True,
            clean=True,
        ),
        spectra_family("galaxy_population", ssp, 1.0),
        spectra_family("galaxy_emission", blue, 0.8),
        sdss_fits(data, np.concatenate([archetype_spectra, ssp]), first),
        gasnet3(data, "GALAXY", ("IWG8V3_Encoder_SDSS_GALAXY.fits",), excluded, 3e-4),
    ]
