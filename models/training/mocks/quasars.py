"""Mock quasars: host light, broad absorption, the Lyman alpha forest, intervening doublets, dust."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.constants import LIGHT_KM_S
from spectraq.models.final_fit.absorption import mean_forest_depth
from spectraq.models.grid.axis import pixel_of
from spectraq.models.lines import LYMAN_LIMIT, wavelength
from spectraq.models.training.material import Family
from spectraq.models.training.mocks.rest import SUBCLASS_INDEX, Objects, blurred, mixed, redshifted

Floats = NDArray[np.float64]

MIN_Z, MAX_Z = 0.03, 7.0
LOW_Z = 0.6
"""Below, a quasar is of subclass QSOLOWZ: its host shows and H beta is in sight."""
LN_PER_LOG = np.log(10)
TROUGHS = {"CIV": 1.0, "SiIV": 0.6, "NV": 0.8, "Lya": 0.5, "OVI": 0.7}
"""Lines with broad absorption and their depth relative to CIV's."""
LOW_IONISATION_TROUGHS = {"MgII": 0.7, "AlIII": 0.7}
DOUBLETS = (("MgII_2796", "MgII_2804"), ("CIV_1548", "CIV_1551"))


def redshifts(family: Family, rows: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Draw redshifts: the object's own varied by 3 %, or a broad range; one in twenty from 4.5 to 7."""
    n = rows.size
    if family.z is not None:
        z = (1 + family.z[rows]) * (1 + 0.03 * rng.standard_normal(n)) - 1
    else:
        z = np.where(rng.random(n) < 0.6, rng.gamma(4, 0.4, n), rng.uniform(0.05, 5.0, n))
    if family.name != "qso_gasnet3":  # its shapes end at 840 angstrom in the rest frame
        z = np.where(rng.random(n) < 0.05, rng.uniform(4.5, MAX_Z, n), z)
    return np.clip(z, MIN_Z, MAX_Z)


def with_continuum(flux: torch.Tensor, family: Family, rng: np.random.Generator) -> torch.Tensor:
    """Put a power law back under the shapes of a family that lacks a continuum."""
    n = len(flux)
    shape = flux / flux.std(1, keepdim=True)
    slope = torch.from_numpy(rng.normal(-1.2, 0.8, (n, 1))).float()
    amplitude = torch.from_numpy(np.exp(rng.normal(np.log(0.35), 0.5, (n, 1)))).float()
    power_law = 10 ** (torch.from_numpy(family.loglam - 3.6).float()[None] * slope)
    return power_law.clamp_min(0.1) * (1 + amplitude * shape)


def add_host(
    flux: torch.Tensor, first_pixel: int, share: Floats, hosts: Family, rng: np.random.Generator
) -> torch.Tensor:
    """Give a share of the light, where the host's spectrum reaches, to a galaxy."""
    light = mixed(hosts, rng.integers(0, len(hosts.labels), len(flux)), rng)
    start = max(0, hosts.first_pixel - first_pixel)
    stop = min(flux.shape[1], hosts.first_pixel + light.shape[1] - first_pixel)
    offset = first_pixel - hosts.first_pixel
    galaxy = light[:, start + offset : stop + offset]
    galaxy = galaxy * (flux[:, start:stop].abs().mean(1) / galaxy.abs().mean(1))[:, None]
    part = torch.from_numpy(share).float()[:, None]
    flux = flux * (1 - part)
    flux[:, start:stop] += part * galaxy
    return flux


def broad_absorption(loglam: Floats, rng: np.random.Generator) -> Floats:
    """Draw the transmission of one or two outflows of 1500 to 9000 km/s width, shape (L,)."""
    velocity, width = rng.uniform(0, 18000), np.exp(rng.uniform(np.log(1500), np.log(9000)))
    depth = rng.uniform(0.35, 1.0)
    troughs = TROUGHS | {"SiIV": 0.6 * rng.random(), "Lya": 0.5 * rng.random()}
    if rng.random() < 0.12:
        troughs = troughs | LOW_IONISATION_TROUGHS
    absorbed = np.zeros(loglam.size)
    for _ in range(rng.integers(1, 3)):
        half = 0.5 * width / LIGHT_KM_S / LN_PER_LOG
        for line, strength in troughs.items():
            centre = np.log10(wavelength(line)) - (velocity + width / 2) / LIGHT_KM_S / LN_PER_LOG
            near = slice(*np.searchsorted(loglam, [centre - 4 * half, centre + 4 * half]))
            steepness = (half - np.abs(loglam[near] - centre)) / (0.15 * half)
            absorbed[near] += strength * depth / (1 + np.exp(-steepness))
        velocity += width + rng.uniform(500, 4000)
        width *= rng.uniform(0.3, 1)
        depth *= rng.uniform(0.3, 1)
    return 1 - np.clip(absorbed, 0, 0.98)


def add_forest(
    flux: torch.Tensor, loglam: Floats, z: Floats, rng: np.random.Generator, lyman_limit: bool
) -> torch.Tensor:
    """Roughen the spectrum bluewards of Lyman alpha, and darken it where z is beyond the templates' own.

    The eigenspectra hold the mean absorption of quasars at z about 3; what Becker's mean has more than that
    at the pixel's own redshift is taken off, and beyond z = 3.2 some sight lines end at the Lyman limit.
    """
    n, stop = len(flux), int(np.searchsorted(loglam, np.log10(wavelength("Lya"))))
    if stop < 10:
        return flux
    rough = torch.from_numpy(rng.standard_normal((n, stop), dtype=np.float32))
    rough = 1.7 * torch.nn.functional.avg_pool1d(rough[:, None], 3, 1, 1)[:, 0]
    sigma = np.clip(0.12 * ((1 + z) / 3) ** 2, 0.05, 0.6) * rng.uniform(0.7, 1.3, n) * (z > 1.9)
    sigma_t = torch.from_numpy(sigma).float()[:, None]
    absorber = (1 + z)[:, None] * 10 ** loglam[None, :stop] / wavelength("Lya") - 1
    extra = mean_forest_depth(np.clip(absorber, 3.5, 7.5)) - mean_forest_depth(np.array(3.5))
    extra = extra * rng.uniform(0.8, 1.8, (n, 1))
    flux[:, :stop] *= torch.exp(sigma_t * rough - 0.5 * sigma_t.square() - torch.from_numpy(extra).float())
    if lyman_limit:
        edge = np.log10(LYMAN_LIMIT * rng.uniform(0.85, 1.0, n))
        ends = (z > 3.2) & (rng.random(n) < 0.6)
        flux *= torch.from_numpy(~(ends[:, None] & (loglam[None] < edge[:, None])) + 1e-3)
    return flux


def add_doublets(
    flux: torch.Tensor, first_pixel: int, z: Floats, chosen: NDArray[np.bool_], rng: np.random.Generator
) -> None:
    """Cut a MgII or CIV doublet of some absorber on the way, or in the quasar itself, into the chosen."""
    for row in np.flatnonzero(chosen):
        intervening = rng.random() < 0.6
        absorber = z[row] - (rng.exponential(0.3) if intervening else 0.002 * rng.random())
        for line in DOUBLETS[rng.integers(2)]:
            rest = wavelength(line) * (1 + max(0.02, absorber)) / (1 + z[row])
            pixel = int(pixel_of(rest)) - first_pixel
            if 10 < pixel < flux.shape[1] - 10:
                profile = np.array([0.75, 0.45, 0.25, 0.45, 0.75]) ** rng.uniform(0.3, 1)
                flux[row, pixel - 2 : pixel + 3] *= torch.from_numpy(profile).float()


def redden(flux: torch.Tensor, loglam: Floats, rng: np.random.Generator) -> torch.Tensor:
    """Redden half of the quasars a little and one in sixteen a lot, with a law like the SMC's."""
    n = len(flux)
    some = rng.exponential(0.03, n) * (rng.random(n) < 0.5)
    strong = rng.uniform(0, 0.25, n) * (rng.random(n) < 0.06)
    law = np.clip(10 ** (-1.2 * (loglam - 3.74)) - 1, -1, 8)
    magnitudes = torch.from_numpy(np.outer(some + strong, 4 * law)).float()
    return flux * 10 ** (-0.4 * magnitudes)


def _allowed(labels: NDArray[np.str_], absorbed: NDArray[np.bool_], z: Floats) -> NDArray[np.bool_]:
    n = z.size
    allowed = np.zeros((n, len(SUBCLASS_INDEX)), bool)
    bal = absorbed | (labels == "BAL")
    allowed[:, SUBCLASS_INDEX["BAL"]] = bal
    # Broad absorption in CIV is not in sight at low redshift: such a one is a quasar like others.
    plain = ~bal | ((labels == "BAL") & (z < 1.45))
    allowed[:, SUBCLASS_INDEX["QSO"]] = plain & (z > LOW_Z - 0.06)
    allowed[:, SUBCLASS_INDEX["QSOLOWZ"]] = plain & (z < LOW_Z + 0.06)
    return allowed


def draw(family: Family, n: int, rng: np.random.Generator, hosts: Family, hard: bool = True) -> Objects:
    """Draw n quasars of a family.

    Parameters
    ----------
    hosts
        The galaxies whose light some are given.
    hard
        Also those with broad or narrow absorption lines.
    """
    rows = rng.integers(0, len(family.labels), n)
    flux = mixed(family, rows, rng)
    if family.lacks_continuum:
        flux = with_continuum(flux, family, rng)
    z = redshifts(family, rows, rng)
    share = rng.uniform(0.05, 0.65, n) * (rng.random(n) < 0.4) * (z < 0.95)
    flux = add_host(flux, family.first_pixel, share, hosts, rng)
    absorbed = np.zeros(n, bool)
    loglam = family.loglam
    if family.name != "qso_archetype":
        absorbed = (rng.random(n) < 0.15 * hard) & (z > 1.45) & (z < 4.6)
        for row in np.flatnonzero(absorbed):
            flux[row] *= torch.from_numpy(broad_absorption(loglam, rng)).float()
        flux = blurred(flux, np.where(rng.random(n) < 0.5, 0.0, rng.uniform(0, 8, n)))
    flux = add_forest(flux, loglam, z, rng, lyman_limit=hard)
    add_doublets(flux, family.first_pixel, z, rng.random(n) < 0.25 * hard, rng)
    flux = redden(flux, loglam, rng)
    labels = np.array(family.labels)[rows]
    observed, covered = redshifted(flux, family.first_pixel, z)
    return Objects(observed, covered, z, _allowed(labels, absorbed, z), family.name, "QSO")
