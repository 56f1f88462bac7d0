"""Emission lines of galaxies: how strong, how wide, and painted onto a continuum."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.grid.axis import LN_PER_PIXEL, pixel_of
from spectraq.models.grid.prepare import box_mean
from spectraq.models.lines import wavelength

Floats = NDArray[np.float64]

PAINTED = (
    "OII_3727",
    "OII_3730",
    "NeIII",
    "H8",
    "Hepsilon",
    "Hdelta",
    "Hgamma",
    "OIII_4364",
    "HeII_4687",
    "Hbeta",
    "OIII_4960",
    "OIII_5008",
    "HeI_5877",
    "OI_6302",
    "NII_6550",
    "Halpha",
    "NII_6585",
    "SII_6718",
    "SII_6733",
    "MgII_2796",
    "MgII_2804",
)
"""Names of the lines."""
WAVELENGTHS = np.array([wavelength(name) for name in PAINTED])
PASSIVE, STARFORMING, STARBURST, AGN = range(4)
STARBURST_EW = 50.0
"""SDSS calls a star-forming galaxy a starburst above this rest-frame width of H alpha, in angstrom."""


def halpha_widths(kind: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Draw equivalent widths of H alpha in angstrom for galaxies of each kind, shape (n,)."""
    n = kind.size
    return np.select(
        [kind == PASSIVE, kind == STARFORMING, kind == STARBURST],
        [
            rng.exponential(0.3, n),
            np.clip(np.exp(rng.normal(2.7, 0.6, n)), 4, STARBURST_EW - 1),
            np.exp(rng.uniform(np.log(STARBURST_EW + 1), np.log(500), n)),
        ],
        np.exp(rng.normal(2.4, 0.8, n)),
    )


def _bpt(kind: NDArray[np.int64], rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw log [NII]/Ha and log [OIII]/Hb: star formers below Kauffmann's line (2003, eq. 1), AGN above."""
    n = kind.size
    is_agn = kind == AGN
    formers = np.clip(rng.normal(-0.5, 0.2, n) - 0.3 * (kind == STARBURST), -1.6, -0.25)
    nii = np.where(is_agn, rng.uniform(-0.45, 0.35, n), formers)
    kauffmann = 0.61 / (np.minimum(nii, -0.05) - 0.05) + 1.3
    below = np.minimum(kauffmann, 0.78) - rng.exponential(0.25, n) - 0.05
    above = np.maximum(0.7 - 1.2 * (nii + 0.4), 0.0) + rng.exponential(0.3, n)
    return nii, np.clip(np.where(is_agn, above, below), -0.9, 1.2)


def _relative_to_halpha(kind: NDArray[np.int64], rng: np.random.Generator) -> dict[str, Floats]:
    """Draw the strength of each line relative to H alpha, by name, shape (n,) each."""
    n = kind.size
    nii, oiii = _bpt(kind, rng)
    hbeta = 10 ** (-0.44 * rng.exponential(0.25, n)) / 2.86  # case B with Balmer reddening
    is_agn = kind == AGN

    def scatter(median: float, dex_e: float) -> Floats:
        return np.exp(rng.normal(np.log(median), dex_e, n))

    oii, oii_share = scatter(0.7, 0.4) * hbeta * 2.86, rng.uniform(0.4, 0.62, n)
    sii = scatter(0.35, 0.3) * np.where(is_agn, 1.5, 1.0)
    mgii = np.where(rng.random(n) < 0.3, 0.05, 0.0)
    strong = hbeta * 10**oiii
    return {
        "OII_3727": oii * oii_share,
        "OII_3730": oii * (1 - oii_share),
        "NeIII": strong * scatter(0.09, 0.4),
        "H8": 0.10 * hbeta,
        "Hepsilon": 0.14 * hbeta,
        "Hdelta": 0.23 * hbeta,
        "Hgamma": 0.44 * hbeta,
        "OIII_4364": strong * scatter(0.012, 0.5),
        "HeII_4687": np.where(is_agn, hbeta * scatter(0.2, 0.5), 0.0),
        "Hbeta": hbeta,
        "OIII_4960": strong / 2.98,
        "OIII_5008": strong,
        "HeI_5877": 0.11 * hbeta,
        "OI_6302": scatter(0.03, 0.4) * np.where(is_agn, 4.0, 1.0),
        "NII_6550": 10**nii / 3,
        "Halpha": np.ones(n),
        "NII_6585": 10**nii,
        "SII_6718": 0.55 * sii,
        "SII_6733": 0.45 * sii,
        "MgII_2796": mgii,
        "MgII_2804": mgii,
    }


def draw_strengths(kind: NDArray[np.int64], rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw the equivalent widths of all lines.

    Parameters
    ----------
    kind
        PASSIVE, STARFORMING, STARBURST or AGN for each galaxy, shape (n,).

    Returns
    -------
    widths
        Shape (n, lines), angstrom in the rest frame.
    halpha
        Shape (n,).
    """
    relative = _relative_to_halpha(kind, rng)
    halpha = halpha_widths(kind, rng)
    return np.stack([relative[name] for name in PAINTED], axis=1) * halpha[:, None], halpha


def paint(
    flux: torch.Tensor, first_pixel: int, widths: Floats, sigma_pixels: torch.Tensor, reach: int = 22
) -> torch.Tensor:
    """Add Gaussian lines of given equivalent widths to rest-frame spectra.

    Parameters
    ----------
    flux
        Shape (n, L), changed in place.
    widths
        Shape (n, lines), angstrom.
    sigma_pixels
        Shape (n,).
    """
    n, length = flux.shape
    position = pixel_of(WAVELENGTHS) - first_pixel
    centre = np.round(position).astype(int)
    smooth = box_mean(flux.abs(), 100)
    continuum = smooth[:, np.clip(centre, 0, length - 1)]  # (n, lines)
    amplitude = torch.from_numpy(widths).float() * continuum
    steps = torch.arange(-reach, reach + 1)
    pixels = torch.from_numpy(centre)[:, None] + steps  # (lines, 2 reach + 1)
    distance = steps[None] - torch.from_numpy(position - centre).float()[:, None]
    pixel_angstrom = torch.from_numpy(WAVELENGTHS * LN_PER_PIXEL).float()
    sigma = sigma_pixels[:, None, None]
    profile = torch.exp(-0.5 * (distance[None] / sigma).square()) / (sigma * np.sqrt(2 * np.pi))
    profile = profile / pixel_angstrom[None, :, None]  # (n, lines, 2 reach + 1)
    inside = (pixels >= 0) & (pixels < length)
    rows = torch.arange(n)[:, None, None].expand(profile.shape)
    columns = pixels.clamp(0, length - 1)[None].expand(profile.shape)
    return flux.index_put_((rows, columns), amplitude[..., None] * profile * inside[None], accumulate=True)
