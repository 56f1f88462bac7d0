"""Quasars whose troughs cut into their emission lines: the redshift without the pixels that are absorbed.

A trough at the velocity of the quasar takes the blue half of C IV, N V and Lyman alpha, and eigenspectra of
unabsorbed quasars fit what is left at a redshift too high: by 1000 km/s in the median where it is 2000 wide.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spectraq.models.constants import LIGHT_KM_S
from spectraq.models.grid.axis import LN_PER_PIXEL, REBIN, WAVELENGTH
from spectraq.models.lines import wavelength
from spectraq.models.redshift.best_fit import fit, interpolated
from spectraq.models.redshift.search import ScannedClass
from spectraq.models.redshift.templates import Templates

FASTEST_KM_S = {
    "Lya": 6000.0,
    "NV": 25000.0,
    "SiIV": 25000.0,
    "CIV": 25000.0,
    "AlIII": 25000.0,
    "MgII": 25000.0,
}
"""How fast the gas flows out at most; before Lyman alpha only where its forest does not begin."""
RED_KM_S = 500.0
"""Absorbed beyond the emission's centre."""
FOREST_END = 1195.0
BOX = 5
LEAST_SIGMA, LEAST_DEPTH = 5.0, 0.4
"""Of the mean of five coarse pixels, against the fit: three of 196 real quasars have deeper ones that matter,
and Mg II of all three says that the redshift without them is the better."""
LEAST_PIXELS = 3
ROUNDS = 3
"""The fit rises where it is no longer held down, and more of the trough is seen."""
NEAR_PIXELS = 90.0
"""Grid pixels, 6000 km/s: farther off it is no longer the same lines."""
LEAST_GAIN = 15.0
"""In chi2 over kappa, by what is not absorbed: less, and the redshift stays."""
TROUGH_SIGMA = 600.0 / LIGHT_KM_S
"""Of ln(1 + z), added in quadrature where troughs moved it: what their edges leave open, as troughs put into
real quasars show once error bars are calibrated, which halves it."""


def absorbed(flux: Tensor, ivar: Tensor, model: Tensor, lag: Tensor) -> Tensor:
    """Return where a quasar has troughs, (B, N_COARSE) bool.

    Parameters
    ----------
    flux, ivar, model
        On coarse pixels, shape (B, N_COARSE).
    lag
        In grid pixels, shape (B,).
    """
    place = torch.from_numpy(WAVELENGTH).to(flux.device).view(-1, REBIN).mean(1)
    rest = place * torch.exp(-lag[:, None] * LN_PER_PIXEL)
    reached = torch.zeros_like(ivar, dtype=torch.bool)
    for name, fastest in FASTEST_KM_S.items():
        velocity = (rest / wavelength(name) - 1) * LIGHT_KM_S
        reached |= (velocity > -fastest) & (velocity < RED_KM_S)
    reached &= rest > FOREST_END
    used = (ivar > 0).to(flux.dtype)
    off = (flux - model) * used
    significance = _sum(off * ivar.sqrt()) / _sum(used).clamp_min(1).sqrt()
    depth = -_sum(off) / _sum(model.clamp_min(0.05) * used).clamp_min(1e-3)
    return reached & (significance < -LEAST_SIGMA) & (depth > LEAST_DEPTH)


def _sum(values: Tensor) -> Tensor:
    """Return sums of BOX neighbours along the last axis."""
    return BOX * torch.nn.functional.avg_pool1d(values[:, None], BOX, 1, BOX // 2)[:, 0]


def without_troughs(
    scan: ScannedClass,
    templates: Templates,
    flux: Tensor,
    ivar: Tensor,
    coarse: tuple[Tensor, Tensor],
    lag: Tensor,
    mask: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return lags and errors by what is not absorbed, and which rows they are better of, shape (B,) each.

    Parameters
    ----------
    scan, templates
        Of the quasars.
    flux, ivar
        Shape (B, N_PIXELS).
    coarse
        The same on coarse pixels, shape (B, N_COARSE) each.
    lag
        With all pixels, shape (B,).
    mask
        As of `absorbed`.
    """
    first, which = lag, torch.zeros(len(lag), dtype=torch.int64, device=flux.device)
    for _ in range(ROUNDS):
        grown = _sum(mask.to(flux.dtype)) > 0
        near = scan.near(coarse[0], torch.where(grown, 0.0, coarse[1]), first, NEAR_PIXELS)
        lag = near.lag
        kept = torch.where(mask.repeat_interleave(REBIN, 1), 0.0, ivar)
        model = fit(flux, kept, interpolated(templates, which, lag), with_error=False).model
        mask = mask | absorbed(*coarse, model.view(len(model), -1, REBIN).mean(2), lag)
    sigma = (near.sigma.square() + TROUGH_SIGMA**2).sqrt()
    return near.lag, sigma, near.gain > LEAST_GAIN
