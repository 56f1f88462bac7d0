"""Exact gains at a few lags around a guess, spectrum by spectrum, each with its own basis.

Correlations at 2R + 1 neighbouring lags are the diagonals of small matrix products: a block of BLOCK pixels
of the data times the BLOCK + 2R pixels of the template that can meet it (a blocked Toeplitz product). It
equals the transform of `scan.py` at those lags, and is quicker where only a few lags are wanted.
"""

from __future__ import annotations

import torch

from models.amplitudes import eliminate, gain, pairs
from models.continuum import Continuum

BLOCK = 16
"""Pixels a block: the least work for R = 4 to 5."""


class Templates:
    """Bases of one shape, from which windows are cut for any lag.

    Parameters
    ----------
    flux
        Shape (M, K, L) for M bases.
    first
        Pixel of element 0 at lag zero.
    radius
        R: gains are found at lags guess - R .. guess + R.
    """

    def __init__(self, flux: torch.Tensor, first: int, radius: int) -> None:
        self.flux = flux.contiguous()
        self.first = first
        self.radius = radius

    def cut(self, which: torch.Tensor, lag: torch.Tensor, n: int) -> torch.Tensor:
        """Template pixels that meet pixels -R .. n + R of a spectrum at integer lags; shape (m, K, n + 2R).

        Parameters
        ----------
        which, lag
            Basis and lag of each of m spectra, int64, shape (m,).
        n
            Number of pixels of the spectra.
        """
        start = (-lag - self.first - self.radius).tolist()
        width = n + 2 * self.radius
        # Slices copy ten times faster than gathering by index.
        cuts = [self.flux[w, :, s : s + width] for w, s in zip(which.tolist(), start, strict=True)]
        return torch.stack(cuts)

    def gain(
        self,
        flux: torch.Tensor,
        ivar: torch.Tensor,
        continuum: Continuum,
        which: torch.Tensor,
        lag: torch.Tensor,
    ) -> torch.Tensor:
        """Gain at lags lag - R .. lag + R.

        Parameters
        ----------
        flux, ivar
            Shape (m, n) with n a multiple of BLOCK.
        continuum
            Of the same spectra.
        which, lag
            Basis and integer lag of each, shape (m,).

        Returns
        -------
        gain
            Shape (m, 2R + 1), by ascending lag.
        """
        window = self.cut(which, lag, flux.shape[1])  # (m, K, n + 2R)
        index = torch.tensor(pairs(window.shape[1]), device=flux.device)
        products = window[:, index[:, 0]] * window[:, index[:, 1]]
        data = torch.cat([(ivar * flux)[:, None], continuum.weighted], 1)  # (m, 1 + P, n)
        square = self._diagonals(ivar[:, None], products)[:, :, 0]  # (2R + 1, K(K+1)/2, m)
        cross = self._diagonals(data, window)  # (2R + 1, K, 1 + P, m)
        matrix, vector = eliminate(
            square.transpose(0, 1),
            cross[:, :, 1:].permute(1, 2, 0, 3),
            cross[:, :, 0].transpose(0, 1),
            continuum.amplitudes.T[:, None],
        )
        # A later part of the template meets the spectrum at a smaller lag.
        return gain(matrix, vector).flip(0).T

    def _diagonals(self, data: torch.Tensor, window: torch.Tensor) -> torch.Tensor:
        """Correlate (m, D, n) with (m, T, n + 2R) at 2R + 1 lags; shape (2R + 1, T, D, m)."""
        m, n_data, n = data.shape
        n_window = window.shape[1]
        width = BLOCK + 2 * self.radius
        left = data.view(m, n_data, n // BLOCK, BLOCK).permute(0, 1, 3, 2)
        left = left.reshape(m, n_data * BLOCK, n // BLOCK)
        right = window.unfold(2, width, BLOCK).transpose(1, 2).reshape(m, n // BLOCK, n_window * width)
        blocks = torch.bmm(left, right).view(m, n_data, BLOCK, n_window, width)
        # Summing diagonal d of each (BLOCK, width) matrix: a skewed view makes it a column sum.
        m_, d_, b_, t_, w_ = blocks.stride()
        skewed = blocks.as_strided(
            (m, n_data, BLOCK, n_window, 2 * self.radius + 1), (m_, d_, b_ + w_, t_, w_)
        )
        return skewed.sum(2).permute(3, 2, 1, 0)
