"""chi2(z) at every valid lag: on a log-wavelength grid a redshift is a shift, and all shifts are one FFT.

The eigenspectra's amplitudes and a polynomial continuum are solved anew at each lag, masked pixels weigh
nothing, and lags at which the eigenspectra do not cover the grid are never computed.
"""

from __future__ import annotations

import math

import torch

from spectraq.models.grid.axis import N_PIXELS, REBIN, lag_of
from spectraq.models.redshift.continuum import Continuum
from spectraq.models.redshift.eigenspectra import Basis
from spectraq.models.redshift.normal_equations import eliminate, gain, pairs
from spectraq.models.tiles import in_tiles

CONTINUUM_TERMS = 3
"""Polynomial terms beside the eigenspectra. Quasars need them; galaxies are insensitive from 3 to 7."""


def fft_length(n: int) -> int:
    """Return the least length from n on of prime factors 2 and 3 alone, which transforms fast."""
    return min(length for a in range(20) for b in (1, 3, 9) if (length := b << a) >= n)


class Scan:
    """The scan of one class over all its redshifts, on coarse pixels.

    Parameters
    ----------
    step
        Grid pixels in a pixel of the spectra, and from lag to lag.

    Attributes
    ----------
    lags
        Lag of each column of `gain` in grid pixels, ascending, shape (S,), float64.
    """

    def __init__(
        self, basis: Basis, z_range: tuple[float, float], device: torch.device, step: int = REBIN
    ) -> None:
        first = math.floor(lag_of(z_range[0]) / step)
        last = math.ceil(lag_of(z_range[1]) / step)
        self.lags = step * torch.arange(first, last + 1, dtype=torch.float64, device=device)
        # Element 0 of the window meets pixel 0 of the spectrum at the largest lag.
        window = basis.window(-step * last, N_PIXELS + step * (last - first))  # (K, step * n)
        coarse = window.view(len(window), -1, step).mean(2).to(device)  # (K, n)
        self.k = len(coarse)
        self.n_fft = fft_length(N_PIXELS // step + last - first)
        index = torch.tensor(pairs(self.k), device=device)
        products = coarse[index[:, 0]] * coarse[index[:, 1]]
        self._templates = torch.fft.rfft(coarse, self.n_fft)  # (K, n_fft/2 + 1)
        self._products = torch.fft.rfft(products, self.n_fft)  # (K(K+1)/2, n_fft/2 + 1)

    def gain(self, flux: torch.Tensor, ivar: torch.Tensor, continuum: Continuum) -> torch.Tensor:
        """Return how much less chi2 is than that of the continuum alone, at every lag.

        Parameters
        ----------
        flux, ivar
            Shape (B, N_PIXELS / step).
        continuum
            Of the same spectra, on the same pixels.

        Returns
        -------
        gain
            Shape (B, S).
        """
        data = torch.cat([ivar[:, None], (ivar * flux)[:, None], continuum.weighted], 1)
        sums = in_tiles(self._sums, data, dim=1)
        n = len(self._products)
        products, projections = sums[:n], sums[n:].view(self.k, -1, *sums.shape[1:])  # (K, 1 + P, B, S)
        amplitudes = continuum.amplitudes.T[:, :, None]
        matrix, vector = eliminate(products, projections[:, 1:], projections[:, 0], amplitudes)
        return gain(matrix, vector).flip(1)

    def _sums(self, data: torch.Tensor) -> torch.Tensor:
        """Return the sums over the pixels at every lag, the first column being the largest lag.

        Parameters
        ----------
        data
            ivar, and what templates are projected on, shape (B, D, n).

        Returns
        -------
        sums
            Of ivar with products of templates, then of each template with the other data;
            shape (K(K+1)/2 + K (D - 1), B, S).
        """
        # Products take the order in memory of what they are made of.
        spectra = torch.fft.rfft(data, self.n_fft).conj().transpose(0, 1).contiguous()  # (D, B, f)
        squares = self._products[:, None] * spectra[0]
        crosses = (self._templates[:, None, None] * spectra[1:]).flatten(0, 1)
        n, lags = len(squares), len(self.lags)
        sums = data.new_empty(n + len(crosses), len(data), lags)
        sums[:n] = torch.fft.irfft(squares, self.n_fft)[..., :lags]
        sums[n:] = torch.fft.irfft(crosses, self.n_fft)[..., :lags]
        return sums
