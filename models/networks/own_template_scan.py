"""chi2(z) of templates that a network made for each spectrum by itself: what GaSNet-III does with its output.

As `redshift/scan_all_lags.py`, but with one template a spectrum, on coarse pixels, all lags by one FFT
(arXiv:2412.21130 shifts the reconstruction pixel by pixel). The curves give the member's own redshift
posterior and class.
"""

from __future__ import annotations

import torch

from spectraq.models.classes import CLASSES, N_GALAXY_BINS, N_QSO_BINS
from spectraq.models.grid.axis import N_COARSE
from spectraq.models.networks.rest_frame import COARSE
from spectraq.models.redshift.candidates import bin_of
from spectraq.models.redshift.chi2_evidence import kappa_of
from spectraq.models.redshift.continuum import Continuum
from spectraq.models.redshift.normal_equations import eliminate, gain
from spectraq.models.redshift.scan_all_lags import CONTINUUM_TERMS, fft_length

BINS = {"GALAXY": N_GALAXY_BINS, "QSO": N_QSO_BINS}


def gains(
    rest: torch.Tensor, flux: torch.Tensor, ivar: torch.Tensor, continuum: Continuum, n_lags: int
) -> torch.Tensor:
    """Return how much less chi2 is than the continuum's alone, at every lag of a class.

    Parameters
    ----------
    rest
        Each spectrum's own template on its class's coarse window, shape (B, N_COARSE + n_lags - 1).
    flux, ivar
        On coarse pixels, shape (B, N_COARSE).

    Returns
    -------
    gain
        By ascending lag, shape (B, n_lags).
    """
    n_fft = fft_length(N_COARSE + n_lags)
    template, square = torch.fft.rfft(rest, n_fft), torch.fft.rfft(rest.square(), n_fft)

    def correlate(spectrum: torch.Tensor, data: torch.Tensor) -> torch.Tensor:
        lags: torch.Tensor = torch.fft.irfft(spectrum * torch.fft.rfft(data, n_fft).conj(), n_fft)
        return lags[..., :n_lags]

    products = correlate(square, ivar)[None]
    projection = correlate(template, ivar * flux)[None]
    overlap = correlate(template[:, None], continuum.weighted).transpose(0, 1)[None]
    matrix, vector = eliminate(products, overlap, projection, continuum.amplitudes.T[:, :, None])
    return gain(matrix, vector).flip(1)


class OwnScan:
    """The scan of every class with a network's own templates."""

    def __init__(self, device: torch.device | str) -> None:
        self.lags = {
            name: window.step * torch.arange(window.first_lag, window.last_lag + 1, device=device).double()
            for name, window in COARSE.items()
        }

    def ask(
        self, rest: dict[str, torch.Tensor], flux: torch.Tensor, ivar: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Compare templates with spectra.

        Parameters
        ----------
        rest
            By class, on its coarse window.
        flux, ivar
            On coarse pixels, shape (B, N_COARSE).

        Returns
        -------
        evidence
            -chi2 / (2 kappa) of each class's best lag above the best class's, shape (B, 3).
        posterior
            Of each class with redshift bins, shape (B, bins).
        """
        continuum = Continuum.fit(flux, ivar, CONTINUUM_TERMS)
        curves = {name: gains(rest[name], flux, ivar, continuum, len(self.lags[name])) for name in CLASSES}
        best = torch.stack([curves[name].max(1).values for name in CLASSES], 1)
        kappa = kappa_of(continuum.chi2 - best.max(1).values, (ivar > 0).sum(1))
        evidence = (best - best.max(1, keepdim=True).values) / (2 * kappa[:, None])
        posterior = {
            name: in_bins(curves[name] / (2 * kappa[:, None]), self.lags[name], bins)
            for name, bins in BINS.items()
        }
        return evidence, posterior


def in_bins(nats: torch.Tensor, lags: torch.Tensor, bins: int) -> torch.Tensor:
    """Return the posterior over redshift bins from log likelihoods at lags, shape (B, bins)."""
    index = bin_of(lags).round().long()
    inside = (index >= 0) & (index < bins)
    probability = nats.softmax(1) * inside
    out = nats.new_zeros(len(nats), bins).index_add_(1, index.clamp(0, bins - 1), probability)
    return out / out.sum(1, keepdim=True).clamp_min(1e-12)
