"""Stars: theory and observation, from O to L, carbon stars, white dwarfs, cataclysmic variables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits

from spectraq.models.training.material.family import Array, Family
from spectraq.models.training.material.regrid import (
    log_image,
    nearest_pixel,
    resample,
    unit_mean,
    unit_median,
)

ARCHETYPE_WEIGHTS = {"B": 0.5, "A": 0.9, "F": 1.2, "G": 1.2, "K": 1.2, "M": 0.9, "WD": 0.9, "CV": 0.3}
KURUCZ_LOGLAM0 = 3.47712135
MASTAR_HC_LOGLAM0 = 3.5601
MASTAR_HC_PIXELS = 4538  # the last pixels of some files are empty


def subclass_of(name: str) -> str | None:
    """Name the subclass of a library's own star name, such as "K5", "sd:F0", "CalciumWD"; None if unknown."""
    if name.startswith(("WD", "CalciumWD", "CWD")):
        return "WD"
    if name.startswith("CV"):
        return "CV"
    if name.startswith("Carbon"):
        return "CARBON"
    if name.startswith(("L", "T2")):
        return "L"
    name = name.removeprefix("sd").removeprefix(":")
    return name[0] if name and name[0] in "OBAFGKM" else None


def subclass_of_temperature(kelvin: float) -> str:
    """Name the type of a normal star of an effective temperature."""
    limits = ((31000, "O"), (10000, "B"), (7300, "A"), (6000, "F"), (5250, "G"), (3900, "K"))
    return next((name for limit, name in limits if kelvin > limit), "M")


def _library(
    name: str,
    flux: Array,
    first: int,
    labels: list[str | None],
    weight: float,
    sharp: bool = False,
    clean: bool = False,
) -> Family:
    labelled = [row for row, label in enumerate(labels) if label]
    spectra = unit_median(np.nan_to_num(flux[labelled]))
    names = tuple(str(labels[row]) for row in labelled)
    identity = np.eye(len(labelled), dtype=np.float32)
    return Family(
        name, "STAR", spectra, first, identity, names, weight=weight, resolution_pending=sharp, clean=clean
    )


def archetypes(data: Path) -> list[Family]:
    """Redrock's star bases with its archetypes' coefficients; for CVs, coefficients around the mean."""
    families = []
    for subclass, weight in ARCHETYPE_WEIGHTS.items():
        with fits.open(data / f"templates/redrock/rrtemplate-STAR-{subclass}-v0.1.fits") as hdus:
            flux = np.asarray(hdus[0].data, np.float64)
            table = np.asarray(hdus[1].data, np.float64) if len(hdus) > 1 else None
        wavelength = 3000 + 0.1 * np.arange(max(flux.shape))
        flux = flux if flux.shape[1] == wavelength.size else flux.T
        basis, first = resample(wavelength, flux)
        if table is None:
            scatter = np.random.default_rng(0).normal(0, 0.3, (200, len(basis)))
            coefficients = scatter + np.eye(1, len(basis))
        else:
            coefficients = table if table.shape[1] == len(basis) else table.T
        families.append(
            Family(
                f"star_archetype_{subclass}",
                "STAR",
                basis,
                first,
                unit_mean(coefficients, basis),
                (subclass,) * len(coefficients),
                weight=weight,
                resolution_pending=subclass != "CV",
                clean=True,
            )
        )
    return families


def theory(data: Path) -> list[Family]:
    """Return DESI's star and white dwarf models, and Kurucz's standards."""
    folder = data / "templates/desisim-basis"
    with fits.open(folder / "star_templates_v2.0-lite.fits") as hdus:
        flux, first = resample(np.asarray(hdus[2].data, np.float64), hdus[0].data, 3000, 11000)
        labels: list[str | None] = [subclass_of_temperature(t) for t in hdus[1].data["TEFF"]]
    desi = _library("star_desi", flux, first, labels, 1.0, sharp=True, clean=True)
    with fits.open(data / "templates/idlspec2d/kurucz_stds_v5.fit") as hdus:
        flux = np.asarray(hdus[0].data, np.float32)
        labels = [subclass_of_temperature(t) for t in hdus[1].data["TEFF"]]
    kurucz = _library("star_kurucz", flux, nearest_pixel(KURUCZ_LOGLAM0), labels, 0.6, sharp=True)
    with fits.open(folder / "wd_templates_v2.2-lite.fits") as hdus:
        wavelength = np.asarray(hdus["WAVE"].data, np.float64)
        inside = (wavelength > 2800) & (wavelength < 11500)
        flux, first = resample(wavelength[inside], np.asarray(hdus[0].data)[:, inside])
    dwarfs = _library("star_white_dwarf", flux, first, ["WD"] * len(flux), 0.5, sharp=True)
    return [desi, kurucz, dwarfs]


def observed(data: Path) -> list[Family]:
    """Observed stars: PyHammer's means, SDSS's eigen stars, MaStar's clusters, redrock's archetypes."""
    with np.load(data / "templates/pyhammer/pyhammer_templates.npz") as archive:
        flux, first = resample(10 ** archive["loglam"].astype(np.float64), np.nan_to_num(archive["flux"]))
        labels = [subclass_of(str(name)) for name in archive["name"]]
    families = [_library("star_pyhammer", flux, first, labels, 1.5, clean=True)]
    for version, weight in (("55734", 1.5), ("53724", 1.0)):
        flux, first, header = log_image(data / f"templates/idlspec2d/spEigenStar-{version}.fits")
        labels = [subclass_of(header[f"NAME{row}"]) for row in range(len(flux))]
        families.append(
            _library(f"star_sdss_{version}", flux, first, labels, weight, clean=version == "55734")
        )
    spectra = []
    for path in sorted(data.glob("templates/mangadap/mastarhc_v2/*.fits.gz")):
        with fits.open(path) as hdus:
            spectra.append(np.asarray(hdus[0].data[:MASTAR_HC_PIXELS], np.float32))
    first = nearest_pixel(MASTAR_HC_LOGLAM0)
    families.append(_library("star_mastar", np.array(spectra), first, ["*"] * len(spectra), 0.4, clean=True))
    with fits.open(data / "templates/redrock-archetypes/rrarchetype-star.fits") as hdus:
        flux, first = resample(3000 + 0.5 * np.arange(16001), hdus[1].data["ARCHETYPE"])
        labels = [subclass_of(str(name).strip()) for name in hdus[1].data["SUBTYPE"]]
    families.append(_library("star_redrock", flux, first, labels, 0.4))
    return families


def cataclysmic(data: Path) -> list[Family]:
    """Return SDSS's eigenspectra of cataclysmic variables with coefficients around the mean one."""
    families = []
    for version in ("53724", "55734"):
        basis, first, _ = log_image(data / f"templates/idlspec2d/spEigenCVstar-{version}.fits")
        basis = basis / np.abs(basis).mean(1, keepdims=True)
        scatter = np.random.default_rng(1).normal(0, 1, (300, len(basis))) * [0.2, 0.5, 0.5]
        coefficients = scatter + np.eye(1, len(basis))
        coefficients /= np.maximum(np.abs(coefficients @ basis).mean(1, keepdims=True), 0.2)
        labels = ("CV",) * len(coefficients)
        families.append(
            Family(
                f"star_cv_{version}",
                "STAR",
                basis.astype(np.float32),
                first,
                coefficients.astype(np.float32),
                labels,
                weight=0.25,
            )
        )
    return families


def families(data: Path) -> list[Family]:
    """Return all star families."""
    return [*archetypes(data), *theory(data), *observed(data), *cataclysmic(data)]
