"""The best fit at the answer's redshift: amplitudes, model and its error, and what chi2 is left."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from spectraq.models.grid.axis import N_COARSE, N_PIXELS, REBIN, rebinned
from spectraq.models.redshift.continuum import chebyshev
from spectraq.models.redshift.normal_equations import solved
from spectraq.models.redshift.scan_all_lags import CONTINUUM_TERMS
from spectraq.models.redshift.templates import Templates
from spectraq.models.tiles import in_tiles

RIDGE = 3e-5
"""As in `redshift/normal_equations.py`: what a short spectrum can't tell apart must not cancel."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A fit of B spectra, in their scaled flux."""

    model: torch.Tensor  # (B, N_PIXELS)
    sigma: torch.Tensor | None  # (B, N_PIXELS) one standard deviation of the model, where it was asked for
    coefficients: torch.Tensor  # (B, K + P): eigenspectra, then Chebyshev polynomials
    chi2: torch.Tensor  # (B,)
    design: torch.Tensor  # (B, K + P + 1, N_COARSE) all shapes that were fitted, on coarse pixels

    @classmethod
    def empty(cls, n: int, k: int, device: torch.device, with_error: bool) -> Fit:
        """Return an empty record for n spectra with at most k eigenspectra; `put` fills it."""
        pixels = torch.zeros(n, N_PIXELS, device=device)
        sigma = pixels.clone() if with_error else None
        coefficients = torch.zeros(n, k + CONTINUUM_TERMS, device=device)
        design = torch.zeros(n, k + CONTINUUM_TERMS + 1, N_COARSE, device=device)
        return cls(pixels, sigma, coefficients, torch.zeros(n, device=device), design)

    def put(self, rows: torch.Tensor, fitted: Fit) -> None:
        """Write what was fitted for some rows in place."""
        n, width = len(rows), fitted.coefficients.shape[1]
        self.model[rows] = fitted.model[:n]
        if self.sigma is not None and fitted.sigma is not None:
            self.sigma[rows] = fitted.sigma[:n]
        self.coefficients[rows, :width] = fitted.coefficients[:n]
        self.chi2[rows] = fitted.chi2[:n]
        self.design[rows, : fitted.design.shape[1]] = fitted.design[:n]


def interpolated(templates: Templates, which: torch.Tensor, lag: torch.Tensor) -> torch.Tensor:
    """Return the templates at fractional lags by cubic convolution (Keys 1981), shape (B, K, N_PIXELS).

    Parameters
    ----------
    templates
        Of margin 2 or more.
    which
        Basis of each, int64, shape (B,).
    lag
        In grid pixels, float64, shape (B,).
    """
    whole = lag.floor()
    x = (lag - whole).float()[:, None, None]
    window = templates.cut(which, whole.long(), N_PIXELS)
    r = templates.margin
    # A template moved right by x takes its value from x to the left.
    weights = (
        -0.5 * x * (1 - x) ** 2,
        1 + x**2 * (1.5 * x - 2.5),
        0.5 * x * (1 + 4 * x - 3 * x**2),
        -0.5 * x**2 * (1 - x),
    )
    total = weights[0] * window[:, :, r + 1 : r + 1 + N_PIXELS]
    for weight, step in zip(weights[1:], (0, -1, -2), strict=True):
        total.addcmul_(weight, window[:, :, r + step : r + step + N_PIXELS])
    return total


def fit(
    flux: torch.Tensor,
    ivar: torch.Tensor,
    shapes: torch.Tensor,
    expected: torch.Tensor | None = None,
    with_error: bool = True,
) -> Fit:
    """Fit eigenspectra and a polynomial continuum by weighted least squares.

    Parameters
    ----------
    flux, ivar
        Shape (B, N_PIXELS).
    shapes
        Eigenspectra at the redshift, shape (B, K, N_PIXELS).
    expected
        What the encoder expects of each spectrum, shape (B, N_PIXELS). It joins the model; the coefficients
        are those of a fit without it, because it is much like a sum of eigenspectra itself.
    with_error
        Whether the model's standard deviation is wanted: it takes as long as the fit.
    """
    smooth = chebyshev(N_PIXELS, CONTINUUM_TERMS, flux.device).expand(len(flux), -1, -1)
    extra = [] if expected is None else [expected[:, None]]
    # The flux is one more column: one product gives both sides of the normal equations.
    columns = torch.cat([shapes, smooth, *extra, flux[:, None]], 1)
    design = columns[:, :-1]
    sums = in_tiles(_weighted_sums, columns, ivar).double()
    normal, vector = sums[:, :, :-1], sums[:, :, -1]
    amplitudes, covariance = solved(normal, vector, RIDGE)
    k = shapes.shape[1] + CONTINUUM_TERMS
    coefficients = amplitudes if expected is None else solved(normal[:, :k, :k], vector[:, :k], RIDGE)[0]
    model = in_tiles(torch.bmm, amplitudes.float()[:, None], design)[:, 0]
    sigma = in_tiles(_spread, covariance.float(), design) if with_error else None
    chi2 = (ivar * (flux - model).square()).sum(1)
    return Fit(model, sigma, coefficients.float(), chi2, rebinned(design) / REBIN)


def _weighted_sums(columns: torch.Tensor, ivar: torch.Tensor) -> torch.Tensor:
    """Return the sums over the pixels of ivar times each shape times each column, (B, n, n + 1)."""
    return torch.bmm(columns[:, :-1] * ivar[:, None], columns.transpose(1, 2))


def _spread(covariance: torch.Tensor, design: torch.Tensor) -> torch.Tensor:
    """Return a deviation of sums of shapes whose amplitudes have this covariance; (B, N_PIXELS)."""
    return (torch.bmm(covariance, design) * design).sum(1).clamp_min(0).sqrt()
