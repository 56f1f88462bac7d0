"""Bases of one shape, from which windows are cut for any lag, spectrum by spectrum."""

from __future__ import annotations

import torch


class Templates:
    """Bases of one shape.

    Parameters
    ----------
    flux
        Shape (M, K, L) for M bases.
    first
        Pixel of element 0 at lag zero.
    margin
        How many pixels more than a spectrum's are cut, on either side.
    """

    def __init__(self, flux: torch.Tensor, first: int, margin: int) -> None:
        self.flux = flux.contiguous()
        self.first = first
        self.margin = margin

    def cut(self, which: torch.Tensor, lag: torch.Tensor, n: int) -> torch.Tensor:
        """Return the template at pixels -margin .. n + margin of a spectrum; shape (m, K, n + 2 margin).

        Parameters
        ----------
        which, lag
            Basis and integer lag of each of m spectra, int64, shape (m,).
        n
            Number of pixels of the spectra.
        """
        start = (-lag - self.first - self.margin).tolist()
        width = n + 2 * self.margin
        # Slices copy ten times faster than gathering by index.
        cuts = [self.flux[w, :, s : s + width] for w, s in zip(which.tolist(), start, strict=True)]
        return torch.stack(cuts)
