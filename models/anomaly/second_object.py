"""A second object in the spectrum: how much better the fit gets with a star, galaxy, quasar or supernova too.

The gain in chi2 is taken jointly: eigenspectra, continuum and encoder's shape of the first object stay free,
so what they can follow themselves is no companion. Stars are tried at rest, galaxies and quasars at
every redshift, supernovae at the redshift of the galaxy they are in.
"""

from __future__ import annotations

import dataclasses
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
DISTANT_MARGIN = 1000
"""Coarse pixels before and beyond the grid that redshifts of companions reach."""
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
    share: torch.Tensor  # (B, 4) of the light that is its
    usual: torch.Tensor  # (B, 4) median gain over the redshifts that were tried; zero where one was


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
        self._distant = {
            name: _binned_window(basis).to(device)
            for name, basis in zip(DISTANT_RANGE, (galaxy, quasar), strict=True)
        }

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
        shares = [
            self._share(name, left, lag) for name, (_, lag, _) in zip(DISTANT_RANGE, distant, strict=True)
        ]
        nothing = torch.zeros_like(star)
        gained = torch.stack([star, *(gained for gained, _, _ in distant), supernova], 1)
        usual = torch.stack([nothing, *(usual for _, _, usual in distant), nothing], 1)
        return Companions(
            (gained / left.kappa[:, None]).clamp_min(0),
            torch.stack(
                [torch.zeros_like(left.lag), *(z_of(lag) for _, lag, _ in distant), z_of(left.lag)], 1
            ),
            torch.stack([star_share, *shares, share], 1),
            (usual / left.kappa[:, None]).clamp_min(0),
        )

    def _share(self, name: str, left: Leftover, lag: torch.Tensor) -> torch.Tensor:
        """Return the share of the light that a galaxy or quasar at lags has, (B,)."""
        shift = (lag / REBIN).round().long()
        column = torch.arange(N_COARSE, device=lag.device) - shift[:, None] + DISTANT_MARGIN
        shapes = self._distant[name][:, column.clamp(0, self._distant[name].shape[1] - 1)].transpose(0, 1)
        return _gain(shapes, left.flux, left.ivar, left.first)[1]

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


def _second(scan: Scan, left: Leftover) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return gain and lag of the best second object that is not the first again, and the median gain."""
    gains = scan.gain(left.flux, left.ivar, left.first)
    near = (scan.lags - left.lag[:, None]).abs() < OWN_LAG
    best = torch.where(near, 0.0, gains).max(1)
    return best.values, scan.lags[best.indices], gains.median(1).values


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


def _binned_window(basis: Basis) -> torch.Tensor:
    """Return eigenspectra at rest on coarse pixels, from DISTANT_MARGIN before the grid to as many beyond."""
    whole = basis.window(-DISTANT_MARGIN * REBIN, N_PIXELS + 2 * DISTANT_MARGIN * REBIN)
    return whole.view(len(whole), -1, REBIN).mean(-1)


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
