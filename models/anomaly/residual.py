"""What the fit leaves, with the noise it is to be judged by."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from spectraq.models.batch import BatchAnalysis
from spectraq.models.grid.axis import N_PIXELS
from spectraq.models.grid.model_error import JUDGED, LEAST_LEVEL, with_error
from spectraq.models.grid.prepare import box_mean

HIGH_PASS_PIXELS = 75
"""Half width of the running mean that is taken off before narrow features are sought."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What residuals of B spectra are made of."""

    flux: torch.Tensor  # (B, N_PIXELS)
    model: torch.Tensor  # (B, N_PIXELS)
    ivar: torch.Tensor  # (B, N_PIXELS) without model error
    spectype: torch.Tensor  # (B,) index into CLASSES
    lag: torch.Tensor  # (B,) float64
    snr: torch.Tensor  # (B,)
    noise_estimated: torch.Tensor  # (B,) bool

    @classmethod
    def of(cls, analysis: BatchAnalysis) -> Measured:
        """Return what is built from an analysis."""
        prepared, gridded = analysis.prepared, analysis.gridded
        return cls(
            flux=prepared.flux,
            model=analysis.fit.model,
            ivar=prepared.noise_ivar,
            spectype=analysis.decision.spectype,
            lag=analysis.lag,
            snr=prepared.snr,
            noise_estimated=gridded.noise_estimated,
        )


@dataclass(frozen=True, slots=True)
class Residual:
    """Residuals of B spectra, scaled to unit median flux."""

    flux: torch.Tensor  # (B, N_PIXELS) observed minus fitted, zero where unused
    narrow: torch.Tensor  # (B, N_PIXELS) the same without its running mean
    model: torch.Tensor  # (B, N_PIXELS)
    ivar: torch.Tensor  # (B, N_PIXELS) model error included, zero where unused
    spectype: torch.Tensor  # (B,) index into CLASSES
    lag: torch.Tensor  # (B,) float64
    snr: torch.Tensor  # (B,)
    noise_estimated: torch.Tensor  # (B,) bool

    @classmethod
    def of(cls, measured: Measured) -> Residual:
        """Take what the fit leaves."""
        model = measured.model
        ivar = with_error(measured.ivar, JUDGED * model.abs().clamp_min(LEAST_LEVEL))
        used = (ivar > 0).to(model.dtype)
        flux = (measured.flux - model) * used
        smooth = box_mean(torch.stack([flux, used]), HIGH_PASS_PIXELS)
        return cls(
            flux=flux,
            narrow=(flux - smooth[0] / smooth[1].clamp_min(0.05)) * used,
            model=model,
            ivar=ivar,
            spectype=measured.spectype,
            lag=measured.lag,
            snr=measured.snr,
            noise_estimated=measured.noise_estimated,
        )


def intervals(centre: torch.Tensor, half: torch.Tensor) -> torch.Tensor:
    """Mark the pixels within `half` of any of n centres, shape (B, N_PIXELS) bool.

    Parameters
    ----------
    centre, half
        In pixels, shape (B, n).
    """
    low = (centre - half).round().long().clamp(0, N_PIXELS)
    high = (centre + half).round().long().clamp(-1, N_PIXELS - 1) + 1
    edge = torch.zeros(len(centre), N_PIXELS + 1, dtype=torch.int32, device=centre.device)
    edge.scatter_add_(1, low, torch.ones_like(low, dtype=torch.int32))
    edge.scatter_add_(1, high.maximum(low), -torch.ones_like(low, dtype=torch.int32))
    return edge.cumsum(1)[:, :N_PIXELS] > 0


@dataclass(frozen=True, slots=True)
class Windows:
    """The pixels around n candidates of each of B spectra, as many on either side.

    Attributes
    ----------
    offset
        Of each pixel of a window from its candidate, shape (window,).
    place
        Pixels, those beyond the grid at its nearest end, shape (B, n, window).
    inside
        Whether they are on the grid.
    """

    offset: torch.Tensor
    place: torch.Tensor
    inside: torch.Tensor

    @classmethod
    def around(cls, pixel: torch.Tensor, reach: int) -> Windows:
        """Return the windows around pixels (B, n)."""
        offset = torch.arange(-reach, reach + 1, device=pixel.device)
        place = pixel[..., None] + offset
        inside = (place >= 0) & (place < N_PIXELS)
        return cls(offset, place.clamp(0, N_PIXELS - 1), inside)

    def of(self, values: torch.Tensor) -> torch.Tensor:
        """Return values (B, N_PIXELS) in the windows, shape (B, n, window)."""
        return values.gather(1, self.place.flatten(1)).view(self.place.shape)
