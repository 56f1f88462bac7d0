"""Mock galaxies: stellar continua of every family, with emission lines painted or measured."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.grid.axis import KM_S_PER_PIXEL, LN_PER_PIXEL, pixel_of
from spectraq.models.lines import wavelength
from spectraq.models.training.material import Family
from spectraq.models.training.mocks import lines
from spectraq.models.training.mocks.rest import (
    SUBCLASS_INDEX,
    Objects,
    blurred,
    mixed,
    redshifted,
)

FIRST = SUBCLASS_INDEX["PASSIVE"]
KINDS = slice(FIRST, FIRST + 4)
MAX_Z = 1.65
KIND_SHARES = {
    "galaxy_population": (0.30, 0.30, 0.22, 0.18),
    "galaxy_emission": (0.0, 0.35, 0.60, 0.05),
}
OTHER_SHARES = (0.20, 0.30, 0.25, 0.25)
PAINTED_ON_TOP = {"galaxy_archetype": 0.5, "galaxy_sdss": 0.3}
"""How often lines are added to families that have some of their own."""


def redshifts(family: Family, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw redshifts: the object's own varied by 3 %, or SDSS's and DESI's range."""
    n = rows.size
    if family.z is not None:
        z = (1 + family.z[rows]) * (1 + 0.03 * rng.standard_normal(n)) - 1
    elif family.name == "galaxy_emission":
        z = rng.uniform(0.45, 1.63, n)
    else:
        z = np.where(rng.random(n) < 0.55, rng.gamma(2.0, 0.075, n), rng.uniform(0.02, 1.6, n))
    if family.name == "galaxy_population":
        # Populations reach too little of the ultraviolet for higher redshifts.
        z = np.where(z > 0.9, 0.4 * z, z)
    z = np.clip(z, 0.001, MAX_Z)
    return np.where(rng.random(n) < 0.01, rng.normal(0, 5e-4, n), z)


def with_continuum(flux: torch.Tensor, family: Family, rng: np.random.Generator) -> torch.Tensor:
    """Put a sloping continuum back under the shapes of a family that lacks one."""
    n = len(flux)
    shape = flux / flux.std(1, keepdim=True)
    x = torch.from_numpy(family.loglam - 3.7).float()[None]
    slope = torch.from_numpy(rng.normal(0, 1.5, (n, 1))).float()
    amplitude = torch.from_numpy(np.exp(rng.normal(np.log(0.22), 0.5, (n, 1)))).float()
    return (1 + slope * x).clamp_min(0.1) + amplitude * shape


def _equivalent_width(flux: torch.Tensor, first_pixel: int, rest: float, half: int) -> NDArray[np.float64]:
    pixel = round(pixel_of(rest)) - first_pixel
    if pixel < 80 or pixel > flux.shape[1] - 80:
        return np.full(len(flux), np.nan)
    sides = torch.cat([flux[:, pixel - 75 : pixel - 30], flux[:, pixel + 30 : pixel + 75]], dim=1)
    continuum = sides.median(1)[0]
    excess = flux[:, pixel - half : pixel + half + 1].sum(1) / continuum - (2 * half + 1)
    return np.asarray(excess * rest * LN_PER_PIXEL, np.float64)


def allowed_by_measure(flux: torch.Tensor, first_pixel: int) -> NDArray[np.bool_]:
    """Return which galaxy subclasses a noiseless spectrum may have, by its own H alpha or [OII]; (n, 18).

    The bounds are wide: only what is certain is ruled out.
    """
    # The window holds [NII] too, about a quarter of the sum.
    halpha = 0.75 * _equivalent_width(flux, first_pixel, wavelength("Halpha"), 22)
    oii = 1.2 * _equivalent_width(flux, first_pixel, wavelength("OII"), 16)
    width = np.where(np.isfinite(halpha), halpha, oii)
    allowed = np.zeros((len(flux), len(SUBCLASS_INDEX)), bool)
    allowed[:, KINDS] = True
    allowed[width < 1.5, FIRST + 1 : FIRST + 4] = False
    allowed[width > 6, FIRST] = False
    allowed[width > 75, FIRST + lines.STARFORMING] = False
    allowed[width < 35, FIRST + lines.STARBURST] = False
    return allowed


def _allowed_by_kind(kind: NDArray[np.int64], halpha: NDArray[np.float64], on_top: bool) -> NDArray[np.bool_]:
    n = kind.size
    allowed = np.zeros((n, len(SUBCLASS_INDEX)), bool)
    allowed[np.arange(n), FIRST + kind] = True
    allowed[(kind == lines.PASSIVE) & (halpha > 1.0), FIRST + lines.STARFORMING] = True
    if on_top:  # the family's own lines come in addition: at least as strong as painted
        allowed[kind == lines.PASSIVE, KINDS] = True
        allowed[kind == lines.STARFORMING, FIRST + lines.STARFORMING : FIRST + 4] = True
        allowed[kind == lines.STARBURST, FIRST + lines.STARBURST : FIRST + 4] = True
        allowed[kind == lines.AGN, FIRST + lines.STARFORMING : FIRST + 4] = True
    return allowed


def draw(family: Family, n: int, rng: np.random.Generator) -> Objects:
    """Draw n galaxies of a family."""
    rows = rng.integers(0, len(family.labels), n)
    flux = mixed(family, rows, rng)
    if family.lacks_continuum:
        flux = with_continuum(flux, family, rng)
    z = redshifts(family, rows, rng)
    dispersion = np.clip(np.exp(rng.normal(np.log(140), 0.45, n)), 40, 400) / KM_S_PER_PIXEL
    blur = np.hypot(dispersion, 0.8) if family.resolution_pending else rng.uniform(0, 1.2, n)
    flux = blurred(flux, blur)
    pure = family.name in KIND_SHARES
    if pure or rng.random() < PAINTED_ON_TOP.get(family.name, 0.0):
        kind = rng.choice(4, n, p=KIND_SHARES.get(family.name, OTHER_SHARES))
        widths, halpha = lines.draw_strengths(kind, rng)
        median = np.log(np.where(kind == lines.AGN, 160, 75))
        velocity = np.clip(np.exp(rng.normal(median, 0.35)), 30, 600) / KM_S_PER_PIXEL
        sigma = torch.from_numpy(np.hypot(velocity, 0.8)).float()
        flux = lines.paint(flux, family.first_pixel, widths, sigma)
        allowed = _allowed_by_kind(kind, halpha, on_top=not pure)
    else:
        allowed = allowed_by_measure(flux, family.first_pixel)
    observed, covered = redshifted(flux, family.first_pixel, z)
    return Objects(observed, covered, z, allowed, family.name, "GALAXY")
