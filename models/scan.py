"""chi2(z) at every valid lag: on a log-wavelength grid a redshift is a shift, and all shifts are one FFT.

The eigenspectra's amplitudes and a polynomial continuum are solved anew at each lag, masked pixels weigh
nothing, and lags at which the eigenspectra do not cover the grid are never computed.
"""

from __future__ import annotations

import math

import torch

from models.amplitudes import eliminate, gain, pairs
from models.continuum import Continuum
from models.eigenspectra import Basis
from models.grid import DLOGLAM, N_PIXELS, REBIN

CONTINUUM_TERMS = 3
"""Polynomial terms beside the eigenspectra. Quasars need them; galaxies are insensitive from 3 to 7."""


def fft_length(n: int) -> int:
    """Smallest length of at least n whose only prime factors are 2 and 3, which transforms fast."""
    return min(length for a in range(20) for b in (1, 3, 9) if (length := b << a) >= n)


def lag_of(z: float) -> float:
    """Lag in grid pixels of redshift z."""
    return math.log10(1 + z) / DLOGLAM


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
        """How much less chi2 is than that of the continuum alone, at every lag.

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
        weights = torch.fft.rfft(ivar, self.n_fft).conj()  # (B, f)
        data = torch.fft.rfft(ivar * flux, self.n_fft).conj()  # (B, f)
        smooth = torch.fft.rfft(continuum.weighted, self.n_fft).conj().transpose(0, 1)  # (P, B, f)
        products = self._correlate(self._products[:, None] * weights)  # (K(K+1)/2, B, S)
        projection = self._correlate(self._templates[:, None] * data)  # (K, B, S)
        overlap = self._correlate(self._templates[:, None, None] * smooth)  # (K, P, B, S)
        matrix, vector = eliminate(products, overlap, projection, continuum.amplitudes.T[:, :, None])
        return gain(matrix, vector).flip(1)

    def _correlate(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Back to lags; the first column is the largest lag."""
        lags: torch.Tensor = torch.fft.irfft(spectrum, self.n_fft)
        return lags[..., : len(self.lags)]
