"""Rest-frame spectra that a network gives for each class, and how they meet the observed grid.

A class's rest-frame window begins at the pixel that meets pixel 0 of the observed grid at the class's
largest lag and ends at the one that meets the last pixel at its smallest: no redshift of the class leaves it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from spectraq.models.classes import CLASSES, TAUGHT_Z_RANGES
from spectraq.models.grid.axis import N_PIXELS, REBIN, lag_of


@dataclass(frozen=True, slots=True)
class Window:
    """The rest-frame pixels of one class, in steps of `step` grid pixels.

    Attributes
    ----------
    first_lag, last_lag
        Smallest and largest lag of the class's redshifts, in steps.
    step
        Grid pixels a step: 1, or REBIN on coarse pixels.
    """

    first_lag: int
    last_lag: int
    step: int

    @classmethod
    def of(cls, spectype: str, step: int = 1) -> Window:
        """Return the window of a class: the same stretch of wavelengths whatever the step."""
        low, high = (lag_of(z) / REBIN for z in TAUGHT_Z_RANGES[spectype])
        coarse = REBIN // step
        return cls(math.floor(low) * coarse, math.ceil(high) * coarse, step)

    @property
    def n_observed(self) -> int:
        """Return the number of observed pixels."""
        return N_PIXELS // self.step

    @property
    def length(self) -> int:
        """Return the number of rest-frame pixels."""
        return self.n_observed + self.last_lag - self.first_lag

    @property
    def first_pixel(self) -> int:
        """Return the grid pixel of the first element, at redshift zero."""
        return -self.last_lag * self.step

    def observed(self, rest: torch.Tensor, lag: torch.Tensor) -> torch.Tensor:
        """Shift rest-frame spectra to their lags, linearly between pixels; beyond an end they are as at it.

        Parameters
        ----------
        rest
            Shape (B, length).
        lag
            In grid pixels, shape (B,).

        Returns
        -------
        flux
            Shape (B, n_observed).
        """
        start = (self.last_lag - lag / self.step).clamp(-self.n_observed, self.length)
        whole = start.floor().long()
        part = (start - whole).to(rest.dtype)[:, None]
        index = whole[:, None] + torch.arange(self.n_observed + 1, device=rest.device)
        reached = rest.gather(1, index.clamp(0, self.length - 1))
        return reached[:, :-1] * (1 - part) + reached[:, 1:] * part


FINE = {name: Window.of(name) for name in CLASSES}
COARSE = {name: Window.of(name, REBIN) for name in CLASSES}
