"""Exact gains at a few lags around a guess, spectrum by spectrum, each with its own basis.

Correlations at 2R + 1 neighbouring lags are the diagonals of small matrix products: a block of BLOCK pixels
of the data times the BLOCK + 2R pixels of the template that can meet it (a blocked Toeplitz product). It
equals the transform of `redshift/scan_all_lags.py` at those lags, and is quicker where only a few lags are
wanted. Templates and their products are laid out in such blocks once; a spectrum is moved to where the
blocks begin.
"""

from __future__ import annotations

import torch
from torch.nn.functional import pad

from spectraq.models.redshift.continuum import Continuum
from spectraq.models.redshift.normal_equations import eliminate, gain, pairs

BLOCK = 8
"""Pixels a block: the quickest for R = 4 to 5."""


class ExactScan:
    """Bases of one shape, tried at lags near a guess.

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
        self.first = first
        self.radius = radius
        index = torch.tensor(pairs(flux.shape[1]), device=flux.device)
        self._flux = self._laid_out(flux)  # (M, blocks, K * width)
        self._products = self._laid_out(flux[:, index[:, 0]] * flux[:, index[:, 1]])

    def _laid_out(self, flux: torch.Tensor) -> torch.Tensor:
        """Blocks of (M, T, L), each with what neighbouring lags reach; shape (M, blocks, T * width)."""
        blocks = -(-flux.shape[2] // BLOCK)
        reached = pad(flux, (0, (blocks - 1) * BLOCK + self._width - flux.shape[2]))
        return reached.unfold(2, self._width, BLOCK).transpose(1, 2).flatten(2)

    @property
    def _width(self) -> int:
        return BLOCK + 2 * self.radius

    def gain(
        self,
        flux: torch.Tensor,
        ivar: torch.Tensor,
        continuum: Continuum,
        which: torch.Tensor,
        lag: torch.Tensor,
    ) -> torch.Tensor:
        """Return the gain at lags lag - R .. lag + R.

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
        data = torch.cat([ivar[:, None], (ivar * flux)[:, None], continuum.weighted], 1)  # (m, 2 + P, n)
        start = -lag - self.first - self.radius
        multiply = self._one_by_one if flux.device.type == "cpu" else self._all_at_once
        square, cross = multiply(data, which, start)
        squares = self._diagonals(square, 1)[:, :, 0]  # (2R + 1, K(K+1)/2, m)
        crosses = self._diagonals(cross, data.shape[1] - 1)  # (2R + 1, K, 1 + P, m)
        matrix, vector = eliminate(
            squares.transpose(0, 1),
            crosses[:, :, 1:].permute(1, 2, 0, 3),
            crosses[:, :, 0].transpose(0, 1),
            continuum.amplitudes.T[:, None],
        )
        # A later part of the template meets the spectrum at a smaller lag.
        return gain(matrix, vector).flip(0).T

    def _one_by_one(
        self, data: torch.Tensor, which: torch.Tensor, start: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Products with blocks of templates; what another spectrum's lag is does not change the rounding."""
        square, cross = [], []
        for row, basis, first in zip(data, which.tolist(), start.tolist(), strict=True):
            block, phase = divmod(first, BLOCK)
            moved = pad(row, (phase, BLOCK - phase)).view(len(row), -1, BLOCK)  # (2 + P, blocks, BLOCK)
            part = slice(block, block + moved.shape[1])
            square.append(moved[0].T @ self._products[basis, part])
            cross.append(moved[1:].transpose(1, 2).flatten(0, 1) @ self._flux[basis, part])
        return torch.stack(square), torch.stack(cross)

    def _all_at_once(
        self, data: torch.Tensor, which: torch.Tensor, start: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Multiply as `_one_by_one`, for a GPU: copies cost it less than orders."""
        m, n_data, n = data.shape
        block, phase = start // BLOCK, start % BLOCK
        pixel = torch.arange(n + BLOCK, device=data.device) + BLOCK - phase[:, None]  # (m, n + BLOCK)
        wide = pad(data, (BLOCK, BLOCK)).gather(2, pixel[:, None].expand(-1, n_data, -1))
        moved = wide.view(m, n_data, -1, BLOCK)  # (m, 2 + P, blocks, BLOCK)
        part = block[:, None] + torch.arange(moved.shape[2], device=data.device)  # (m, blocks)
        square = moved[:, 0].transpose(1, 2) @ self._products[which[:, None], part]
        cross = moved[:, 1:].transpose(2, 3).flatten(1, 2) @ self._flux[which[:, None], part]
        return square, cross

    def _diagonals(self, blocks: torch.Tensor, n_data: int) -> torch.Tensor:
        """Sum the diagonals of products (m, D * BLOCK, T * width); shape (2R + 1, T, D, m)."""
        m, rows, columns = blocks.shape
        n_window, lags = columns // self._width, 2 * self.radius + 1
        # A skewed view makes the sum of diagonal d of each (BLOCK, width) matrix a column sum.
        skewed = blocks.as_strided(
            (m, n_data, BLOCK, n_window, lags),
            (rows * columns, BLOCK * columns, columns + 1, self._width, 1),
        )
        return skewed.sum(2).permute(3, 2, 1, 0)
