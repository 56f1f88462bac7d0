"""A second object in the spectrum: how much better the fit gets with a star, galaxy, quasar or supernova too.

The gain in chi2 is taken jointly: eigenspectra, continuum and encoder's shape of the first object stay free,
so what they can follow themselves is no companion. Stars are tried at rest, galaxies and quasars at
every redshift, supernovae at the redshift of the galaxy they are in.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path

import torch

from spectraq.models.anomaly.joint_fit import Leftover
from spectraq.models.anomaly.supernovae import Supernovae
from spectraq.models.grid.axis import N_COARSE, N_PIXELS, REBIN, z_of
from spectraq.models.redshift.continuum import Continuum
from spectraq.models.redshift.eigenspectra import Basis
from spectraq.models.redshift.normal_equations import (
    eliminate,
    gain,
    pairs,
    sizes,
    with_unit_diagonal,
)
from spectraq.models.redshift.scan_all_lags import Scan
from spectraq.models.tiles import dot, inverse, sums

COMPONENTS = 3
DISTANT_COMPONENTS = 2
"""Eigenspectra of a companion: more would follow noise, and a galaxy has every redshift to choose from."""
STAR_COMPANIONS = ("A", "F", "K", "M", "WD")
"""Types between which the others lie, as far as a companion can be told."""
DISTANT_RANGE = {"GALAXY": (-0.004, 1.2), "QSO": (0.05, 4.5)}
QSO_STEP = 2 * REBIN
"""Grid pixels in a pixel of the spectra where a second quasar is sought: its lines are broad."""
OWN_LAG = 60
"""Grid pixels around the first object's redshift where a second one is the first: 4100 km/s."""
COMPANION_RIDGE = 1e-3
LEAST_SQUARE = 1e-9
"""As of `normal_equations.sizes`: a companion that hardly a good pixel shows gains nothing."""


@dataclass(frozen=True, slots=True)
class Companions:
    """The best companion of each kind for B spectra: a star, a galaxy, a quasar, a supernova."""

    gain: torch.Tensor  # (B, 4) chi2 gained over chi2 a pixel
    z: torch.Tensor  # (B, 4) redshift of it
    share: torch.Tensor  # (B, 4) of the light that is its; NaN for galaxy and quasar


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
        galaxy, quasar = (
            dataclasses.replace(bases[name], flux=bases[name].flux[:DISTANT_COMPONENTS])
            for name in DISTANT_RANGE
        )
        self._galaxies = Scan(galaxy, DISTANT_RANGE["GALAXY"], device)
        self._quasars = Scan(quasar, DISTANT_RANGE["QSO"], device, QSO_STEP)
        self._supernovae = supernovae.to(device)

    @classmethod
    def load(cls, folder: Path, bases: dict[str, Basis], device: torch.device) -> CompanionSearch:
        """Read the supernovae of a folder of weights."""
        return cls(bases, Supernovae.load(folder), device)

    def search(self, left: Leftover) -> Companions:
        """Look for companions in a batch."""
        flux, ivar, first = left.flux, left.ivar, left.first
        star, star_share = self._star(flux, ivar, first)
        distant = [_second(self._galaxies, left), _second(self._quasars, halved(left))]
        shift = (left.lag / REBIN).round().long()
        supernova, share = _gain(self._supernovae.at(shift), flux, ivar, first)
        unknown = torch.full_like(share, math.nan)
        gained = torch.stack([star, *(gained for gained, _ in distant), supernova], 1)
        return Companions(
            (gained / left.kappa[:, None]).clamp_min(0),
            torch.stack([torch.zeros_like(left.lag), *(z for _, z in distant), z_of(left.lag)], 1),
            torch.stack([star_share, unknown, unknown, share], 1),
        )

    def _star(
        self, flux: torch.Tensor, ivar: torch.Tensor, first: Continuum
    ) -> tuple[torch.Tensor, torch.Tensor]:
        types, n = len(self._stars), len(flux)

        def projected(shapes: torch.Tensor, data: torch.Tensor) -> torch.Tensor:
            """Return sums over the pixels, (types, K, n) and (B, D, n) to (K, D, types, B)."""
            # The data come first: a single column takes ten times as long as a single row.
            projections = sums(data, shapes.flatten(0, 1).expand(n, -1, -1))
            return projections.view(n, data.shape[1], types, -1).permute(3, 1, 2, 0)

        products = projected(self._products, ivar[:, None])[:, 0]
        projections = projected(self._stars, torch.cat([(ivar * flux)[:, None], first.weighted], 1))
        matrix, vector = eliminate(
            products, projections[:, 1:], projections[:, 0], first.amplitudes.T[:, None]
        )
        best = gain(matrix, vector).max(0)
        _, share = _gain(self._stars[best.indices], flux, ivar, first)
        return best.values, share


def _second(scan: Scan, left: Leftover) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the gain and redshift of the best second object that is not the first one again, (B,) each."""
    gains = scan.gain(left.flux, left.ivar, left.first)
    near = (scan.lags - left.lag[:, None]).abs() < OWN_LAG
    best = torch.where(near, 0.0, gains).max(1)
    return best.values, z_of(scan.lags[best.indices])


def halved(left: Leftover) -> Leftover:
    """Return the same on half as many pixels, for shapes that do not change within one; sums stay."""
    ivar = _pairs(left.ivar)
    flux = _pairs(left.ivar * left.flux) / ivar.clamp_min(1e-20)
    first = dataclasses.replace(left.first, weighted=_pairs(left.first.weighted))
    return dataclasses.replace(left, flux=flux, ivar=ivar, level=_pairs(left.level) / 2, first=first)


def _pairs(values: torch.Tensor) -> torch.Tensor:
    """Sum neighbours: (..., n) to (..., n / 2)."""
    return values[..., 0::2] + values[..., 1::2]


def binned(shapes: torch.Tensor) -> torch.Tensor:
    """Return the shapes on coarse pixels: (..., N_PIXELS) to (..., N_COARSE)."""
    return shapes.view(*shapes.shape[:-1], N_COARSE, REBIN).mean(-1)


def _gain(
    shapes: torch.Tensor, flux: torch.Tensor, ivar: torch.Tensor, first: Continuum
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return gain and share of the light of companions of given shapes (B, K, N_COARSE); (B,) each."""
    data = torch.cat([first.weighted, (ivar * flux)[:, None]], 1)
    projections = sums(shapes, data).double()
    overlap, vector = projections[..., :-1], projections[..., -1]
    vector = vector - (overlap * first.amplitudes[:, None]).sum(2)
    gram = sums(shapes * ivar[:, None], shapes).double()
    size = sizes(gram, LEAST_SQUARE)
    left = gram - (overlap[:, :, None] * overlap[:, None]).sum(3)
    matrix = with_unit_diagonal(left, size, COMPANION_RIDGE)
    vector = vector / size
    amplitude = dot(inverse(matrix), vector[:, None])
    light = ((amplitude / size).float()[..., None] * shapes).sum(1).abs() * (ivar > 0)
    share = light.sum(1) / (flux.abs() * (ivar > 0)).sum(1).clamp_min(1e-9)
    return (vector * amplitude).sum(1).float(), share
