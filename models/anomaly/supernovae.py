"""Learned eigenspectra of supernovae: what may shine in a galaxy beside its stars."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from spectraq.models import shipped
from spectraq.models.grid.axis import N_COARSE
from spectraq.models.networks import weightfile

FILE = "supernovae.safetensors"
LAYOUT = "spectraq.supernovae.1"


@dataclass(frozen=True, slots=True)
class Supernovae:
    """Eigenspectra on coarse pixels of the common grid, continued to the ultraviolet.

    Attributes
    ----------
    flux
        Shape (K, L), of mean |flux| one.
    first
        Coarse pixel of element 0 at redshift zero.
    """

    flux: torch.Tensor
    first: int

    @classmethod
    def load(cls, folder: Path = shipped.FOLDER) -> Supernovae:
        """Read the eigenspectra of a folder of weights.

        Raises
        ------
        spectraq.models.shipped.MissingWeightsError
            Where there are none.
        """
        path = shipped.required(folder, FILE)[0]
        shape = weightfile.shape_of(path, LAYOUT)
        return cls(weightfile.tensors_of(path)["flux"], int(shape["first"]))

    def to(self, device: torch.device) -> Supernovae:
        """Return the same on a device."""
        return Supernovae(self.flux.to(device), self.first)

    def at(self, lag: torch.Tensor) -> torch.Tensor:
        """Return the eigenspectra at redshifts, zero where there are none; shape (B, K, N_COARSE).

        Parameters
        ----------
        lag
            In coarse pixels, int64, shape (B,).
        """
        index = torch.arange(N_COARSE, device=lag.device) - lag[:, None] - self.first
        inside = (index >= 0) & (index < self.flux.shape[1])
        shapes: torch.Tensor = self.flux[:, index.clamp(0, self.flux.shape[1] - 1)] * inside
        return shapes.transpose(0, 1)
