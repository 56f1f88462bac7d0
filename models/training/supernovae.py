"""Learn the eigenspectra of supernovae from observed spectra, each over the wavelengths it has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models import shipped
from spectraq.models.anomaly.supernovae import FILE, LAYOUT, Supernovae
from spectraq.models.grid.axis import N_PIXELS, REBIN, wavelength_of

K = 6
FIRST_PIXEL = -4400
"""Grid pixel at rest: 1308 angstrom; beyond, no supernova of the sample was observed."""
FIRST_COARSE = FIRST_PIXEL // REBIN
ROUNDS = 30
CARD = "supernovae.json"
Array = NDArray[np.float64]


def files(data: Path) -> list[Path]:
    """Return two-column spectra (rest-frame angstrom, flux) of supernovae under `data`.

    Raises
    ------
    FileNotFoundError
        Where there is none.
    """
    paths = sorted((data / "transients").glob("*/*.dat"))
    if not paths:
        raise FileNotFoundError(f"{data / 'transients'}: no spectra of supernovae (*/*.dat)")
    return paths


def read(paths: Sequence[Path]) -> Array:
    """Read spectra onto coarse pixels at rest from FIRST_PIXEL on, NaN where not observed; (n, L)."""
    middle = np.asarray(np.arange(FIRST_PIXEL, N_PIXELS, REBIN) + (REBIN - 1) / 2, np.float64)
    wavelength = wavelength_of(middle)
    spectra = []
    for path in paths:
        table = np.loadtxt(path)
        spectra.append(np.interp(wavelength, table[:, 0], table[:, 1], left=np.nan, right=np.nan))
    return np.array(spectra)


def learn(flux: Array, k: int = K) -> Supernovae:
    """Learn K eigenspectra by alternating least squares over the pixels that each spectrum has.

    Parameters
    ----------
    flux
        From `read`, shape (n, L).
    """
    observed = np.isfinite(flux)
    flux = np.where(observed, flux / np.nanmedian(np.abs(flux), axis=1, keepdims=True), 0.0)
    basis = np.random.default_rng(0).normal(size=(k, flux.shape[1]))
    for _ in range(ROUNDS):
        coefficients = np.stack([_solved(basis[:, o], y[o]) for y, o in zip(flux, observed, strict=True)])
        columns = zip(flux.T, observed.T, strict=True)
        basis = np.stack([_solved(coefficients[o].T, y[o]) for y, o in columns]).T
    basis /= np.abs(basis).mean(1, keepdims=True) + 1e-9
    return Supernovae(torch.from_numpy(basis).float(), FIRST_COARSE)


def _solved(shapes: Array, values: Array, ridge: float = 1e-3) -> Array:
    """Return the coefficients of shapes (k, n) that give values (n,), small where little is known."""
    normal = shapes @ shapes.T + ridge * np.eye(len(shapes))
    return np.asarray(np.linalg.solve(normal, shapes @ values))


def save(supernovae: Supernovae, folder: Path, learned_from: int) -> None:
    """Write the eigenspectra and their card."""
    from safetensors.torch import save_file

    path = folder / FILE
    metadata = {"format": LAYOUT, "first": str(supernovae.first)}
    save_file({"flux": supernovae.flux.half().contiguous()}, path, metadata=metadata)
    path.chmod(0o644)
    card = {
        "what": "Eigenspectra of supernovae at rest, on coarse pixels: what may shine beside stars.",
        "weights": FILE,
        "sha256": shipped.digest_of(path),
        "eigenspectra": len(supernovae.flux),
        "learned_from": f"{learned_from} observed spectra of types Ia and II (templates of astrodash)",
        "again": "spectraq train --data DATA --out OUT --only supernovae",
    }
    (folder / CARD).write_text(json.dumps(card, indent=1) + "\n")
