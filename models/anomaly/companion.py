"""A second object in the spectrum: how much better the fit gets with a star, a galaxy or a supernova too.

The gain in chi2 is taken jointly: eigenspectra, continuum and encoder's shape of the first object stay free,
so what they can follow themselves is no companion. Stars are tried at rest, galaxies at every redshift,
supernovae at the redshift of the galaxy they are in.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path

import torch

from models.amplitudes import eliminate, gain, pairs
from models.analysis import Analysis
from models.anomaly.residual import LEAST_LEVEL, MODEL_ERROR
from models.continuum import Continuum
from models.eigenspectra import Basis
from models.grid import N_COARSE, N_PIXELS, REBIN, coarse
from models.refine import z_of
from models.scan import Scan
from models.supernovae import Supernovae

COMPONENTS = 3
GALAXY_COMPONENTS = 2
"""Eigenspectra of a companion: more would follow noise, and a galaxy has every redshift to choose from."""
STAR_COMPANIONS = ("A", "F", "K", "M", "WD")
"""Types between which the others lie, as far as a companion can be told."""
GALAXY_RANGE = (-0.004, 1.2)
OWN_LAG = 60
"""Grid pixels around the first galaxy's redshift where a second one is the first: 4100 km/s."""
COARSE_ERROR = 0.01
"""Part of the model error that neighbouring pixels share: it does not average out within a coarse pixel."""
OUTLIER_SIGMA = 25.0
"""Coarse pixels this far from the fit are cosmic rays, not companions."""
RIDGE = 1e-5
COMPANION_RIDGE = 1e-3
LEAST_KAPPA = 0.3
MIN_FREEDOM = 50


@dataclass(frozen=True, slots=True)
class Companions:
    """The best companion of each kind for B spectra."""

    gain: torch.Tensor  # (B, 3) chi2 gained over chi2 a pixel: with a star, a galaxy, a supernova
    z: torch.Tensor  # (B, 3) redshift of it
    share: torch.Tensor  # (B, 3) of the light that is its


@dataclass(frozen=True, slots=True)
class FirstObject:
    """What is known of the first objects of B spectra."""

    flux: torch.Tensor  # (B, N_PIXELS)
    ivar: torch.Tensor  # (B, N_PIXELS) without model error
    model: torch.Tensor  # (B, N_PIXELS)
    design: torch.Tensor  # (B, n, N_COARSE) the shapes that were fitted
    lag: torch.Tensor  # (B,)

    @classmethod
    def of(cls, analysis: Analysis) -> FirstObject:
        """Take it from an analysis."""
        prepared, fit = analysis.prepared, analysis.fit
        ivar = analysis.gridded.ivar * prepared.scale.square()
        return cls(prepared.flux, ivar, fit.model, fit.design, analysis.lag)


class CompanionSearch:
    """Bases of possible companions on one device.

    Parameters
    ----------
    bases
        The learned eigenspectra.
    """

    def __init__(self, bases: dict[str, Basis], supernovae: Supernovae, device: torch.device) -> None:
        stars = [bases[name] for name in STAR_COMPANIONS]
        shapes = [basis.window(0, N_PIXELS)[:COMPONENTS] for basis in stars]
        self._stars = torch.stack([binned(shape) for shape in shapes]).to(device)  # (types, K, n)
        index = torch.tensor(pairs(COMPONENTS), device=device)
        self._products = self._stars[:, index[:, 0]] * self._stars[:, index[:, 1]]  # (types, K(K+1)/2, n)
        galaxy = dataclasses.replace(bases["GALAXY"], flux=bases["GALAXY"].flux[:GALAXY_COMPONENTS])
        self._galaxies = Scan(galaxy, GALAXY_RANGE, device)
        self._supernovae = supernovae.to(device)

    @classmethod
    def load(cls, folder: Path, bases: dict[str, Basis], device: torch.device) -> CompanionSearch:
        """Read the supernovae of a folder of weights."""
        return cls(bases, Supernovae.load(folder), device)

    def search(self, known: FirstObject) -> Companions:
        """Look for companions in a batch."""
        flux, ivar = _with_error(known)
        first = _orthonormal(known.design, flux, ivar)
        kappa = (first.chi2 / (ivar > 0).sum(1).clamp_min(MIN_FREEDOM)).clamp_min(LEAST_KAPPA)
        star, star_share = self._star(flux, ivar, first)
        galaxy, z = self._galaxy(flux, ivar, first, known.lag)
        shift = (known.lag / REBIN).round().long()
        supernova, share = _gain(self._supernovae.at(shift), flux, ivar, first)
        own = z_of(known.lag)
        gained = torch.stack([star, galaxy, supernova], 1) / kappa[:, None]
        return Companions(
            gained.clamp_min(0),
            torch.stack([torch.zeros_like(z), z, own], 1),
            torch.stack([star_share, torch.full_like(share, math.nan), share], 1),
        )

    def _star(
        self, flux: torch.Tensor, ivar: torch.Tensor, first: Continuum
    ) -> tuple[torch.Tensor, torch.Tensor]:
        types, n = len(self._stars), len(flux)

        def sums(shapes: torch.Tensor, data: torch.Tensor) -> torch.Tensor:
            """(types, K, n), (B, D, n) to (K, D, types, B), spectrum by spectrum: rounding stays its own."""
            each = shapes.flatten(0, 1).expand(n, -1, -1)
            return torch.bmm(each, data.transpose(1, 2)).view(n, types, -1, data.shape[1]).permute(2, 3, 1, 0)

        products = sums(self._products, ivar[:, None])[:, 0]
        projection = sums(self._stars, (ivar * flux)[:, None])[:, 0]
        overlap = sums(self._stars, first.weighted)
        matrix, vector = eliminate(products, overlap, projection, first.amplitudes.T[:, None])
        best = gain(matrix, vector).max(0)
        _, share = _gain(self._stars[best.indices], flux, ivar, first)
        return best.values, share

    def _galaxy(
        self, flux: torch.Tensor, ivar: torch.Tensor, first: Continuum, lag: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        gains = self._galaxies.gain(flux, ivar, first)
        near = (self._galaxies.lags - lag[:, None]).abs() < OWN_LAG
        best = torch.where(near, 0.0, gains).max(1)
        return best.values, z_of(self._galaxies.lags[best.indices])


def binned(shapes: torch.Tensor) -> torch.Tensor:
    """Shapes on coarse pixels: (..., N_PIXELS) to (..., N_COARSE)."""
    return shapes.view(*shapes.shape[:-1], N_COARSE, REBIN).mean(-1)


def _with_error(known: FirstObject) -> tuple[torch.Tensor, torch.Tensor]:
    """Coarse flux and inverse variance with the model's error, without outliers."""
    error = MODEL_ERROR * known.model.abs().clamp_min(LEAST_LEVEL)
    ivar = known.ivar / (1 + known.ivar * error.square())
    flux, weight = coarse(known.flux, ivar)
    level, _ = coarse(known.model, ivar)
    shared = COARSE_ERROR * level.abs().clamp_min(LEAST_LEVEL)
    weight = weight / (1 + weight * shared.square())
    outlier = (flux - level).abs() * weight.sqrt() > OUTLIER_SIGMA
    return flux, torch.where(outlier, 0.0, weight)


def _orthonormal(design: torch.Tensor, flux: torch.Tensor, ivar: torch.Tensor) -> Continuum:
    """Make the shapes of the first fit (B, n, N_COARSE) orthonormal under the weights, to eliminate them."""
    gram = torch.bmm(design * ivar[:, None], design.transpose(1, 2)).double()
    size = gram.diagonal(dim1=1, dim2=2).clamp_min(1e-12).sqrt()
    unit = gram / (size[:, :, None] * size[:, None])
    eye = torch.eye(unit.shape[1], dtype=unit.dtype, device=unit.device)
    factor = torch.linalg.cholesky(unit + RIDGE * eye) * size[:, :, None]
    inverse = torch.linalg.solve_triangular(factor, eye.expand_as(factor), upper=False).float()
    scaled = design * ivar[:, None]
    weighted = torch.zeros_like(design)
    # Term by term: a library's product of small matrices rounds by where they lie in memory.
    for j in range(design.shape[1]):
        weighted.addcmul_(inverse[:, :, j, None], scaled[:, None, j])
    amplitudes = (weighted * flux[:, None]).sum(2)
    chi2 = (ivar * flux.square()).sum(1) - amplitudes.square().sum(1)
    return Continuum(weighted, amplitudes, chi2.clamp_min(0))


def _gain(
    shapes: torch.Tensor, flux: torch.Tensor, ivar: torch.Tensor, first: Continuum
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gain of companions with the given shapes (B, K, N_COARSE), and their share of the light; (B,) each."""
    overlap = torch.bmm(shapes, first.weighted.transpose(1, 2)).double()
    vector = torch.bmm(shapes, (ivar * flux)[:, :, None])[..., 0].double()
    vector = vector - (overlap * first.amplitudes[:, None]).sum(2)
    gram = torch.bmm(shapes * ivar[:, None], shapes.transpose(1, 2)).double()
    size = gram.diagonal(dim1=1, dim2=2).clamp_min(1e-9).sqrt()
    matrix = (gram - (overlap[:, :, None] * overlap[:, None]).sum(3)) / (size[:, :, None] * size[:, None])
    matrix = matrix + COMPANION_RIDGE * torch.eye(matrix.shape[1], dtype=matrix.dtype, device=matrix.device)
    vector = vector / size
    amplitude = torch.linalg.solve(matrix, vector[..., None])[..., 0]
    light = torch.bmm((amplitude / size).float()[:, None], shapes)[:, 0].abs() * (ivar > 0)
    share = light.sum(1) / (flux.abs() * (ivar > 0)).sum(1).clamp_min(1e-9)
    return (vector * amplitude).sum(1).float(), share
