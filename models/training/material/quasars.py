"""Quasars: coefficients of 20,000 real ones, archetypes with broad absorption, GaSNet-III's shapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits

from spectraq.models.training.material.family import Family
from spectraq.models.training.material.galaxies import gasnet3
from spectraq.models.training.material.regrid import log_image, nearest_pixel, unit_mean, unit_median

ARCHETYPE_LOGLAM0 = 2.6534


def sdss_coefficients(data: Path) -> Family:
    """Return SDSS's quasar eigenspectra with the coefficients of real quasars that desisim holds (DESI)."""
    with fits.open(data / "templates/desisim-basis/qso_templates_v2.0-lite.fits") as hdus:
        tables = [hdus[name].data for name in ("BOSS_PCA", "SDSS_PCA")]
        coefficients = np.concatenate([np.stack([t[f"PCA{i}"] for i in range(4)], axis=1) for t in tables])
        z = np.concatenate([hdus[name].data for name in ("BOSS_Z", "SDSS_Z")]).astype(np.float32)
    basis, first, _ = log_image(data / "templates/idlspec2d/spEigenQSO-55732.fits")
    labels = ("QSO",) * len(coefficients)
    scaled = unit_mean(coefficients, basis)
    return Family("qso_sdss", "QSO", basis, first, scaled, labels, z=z, weight=1.3, clean=True)


def archetypes(data: Path) -> Family:
    """Return Redrock's quasar archetypes, some with broad absorption lines."""
    with fits.open(data / "templates/redrock-archetypes/rrarchetype-qso.fits") as hdus:
        spectra = unit_median(np.asarray(hdus[1].data["ARCHETYPE"], np.float32))
        subtypes = [str(name).strip() for name in hdus[1].data["SUBTYPE"]]
    labels = tuple("BAL" if name == "BAL" else "QSO" for name in subtypes)
    identity = np.eye(len(spectra), dtype=np.float32)
    return Family(
        "qso_archetype", "QSO", spectra, nearest_pixel(ARCHETYPE_LOGLAM0), identity, labels, weight=0.5
    )


def families(data: Path, excluded: set[str]) -> list[Family]:
    """Return all quasar families."""
    tables = ("Encoder_SDSS_QSO_results.fits", "IWG8V3_Encoder_SDSS_QSO.fits")
    return [sdss_coefficients(data), archetypes(data), gasnet3(data, "QSO", tables, excluded, 5e-3)]
