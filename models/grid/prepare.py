"""From spectra as they come to what the networks and the scan take: gridded, scaled, with honest noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import pad

from spectraq.models.grid.axis import N_COARSE, N_PIXELS, REBIN, coarse
from spectraq.models.grid.credible import IVAR_LIMITS, credible
from spectraq.models.grid.model_error import FITTED, LEAST_LEVEL, with_error
from spectraq.models.grid.resample import Sampling, Samplings, sampling_of
from spectraq.models.grid.survey_noise import STATED, SurveyNoise
from spectraq.models.grid.surveys import SURVEYS, survey_index
from spectraq.models.observation import Observation

FLOOR_COARSE_PIXELS = 7
"""Half width of the box that the local level is taken over, in coarse pixels."""
CONTINUUM_COARSE_PIXELS = 50
"""Half width of the box that the networks' continuum is taken over, in coarse pixels."""
N_CHANNELS = 4


@dataclass(frozen=True, slots=True)
class Gridded:
    """A batch on the common grid, in a unit near one."""

    flux: torch.Tensor  # (B, N_PIXELS)
    ivar: torch.Tensor  # (B, N_PIXELS), zero where unused
    offset: torch.Tensor  # (B,) float64, sub-pixel offset of `resample.Sampling.bring`
    noise_estimated: torch.Tensor  # (B,) bool
    unit: torch.Tensor  # (B,) float64, what the observation's own flux was divided by
    survey: torch.Tensor  # (B,) index into `SURVEYS`, their number where it is none of them

    @classmethod
    def of_grid(
        cls, flux: torch.Tensor, ivar: torch.Tensor, noise_estimated: torch.Tensor | None = None
    ) -> Gridded:
        """Return spectra that lie on the grid already, as mocks do, of no survey that is known.

        Parameters
        ----------
        flux, ivar
            Shape (B, N_PIXELS).
        noise_estimated
            Shape (B,) bool; None for a noise that is known.
        """
        zero = torch.zeros(len(flux), dtype=torch.float64)
        estimated = zero.bool() if noise_estimated is None else noise_estimated
        return cls(flux, ivar, zero, estimated, zero + 1, zero.long() + len(SURVEYS))


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch scaled to unit median, with the model error added to the noise of what is fitted."""

    flux: torch.Tensor  # (B, N_PIXELS)
    ivar: torch.Tensor  # (B, N_PIXELS) with model error
    noise_ivar: torch.Tensor  # (B, N_PIXELS) of the noise alone, with what its survey leaves out of it
    level: torch.Tensor  # (B, N_COARSE) local |flux|, LEAST_LEVEL or more
    coarse_flux: torch.Tensor  # (B, N_COARSE)
    coarse_ivar: torch.Tensor  # (B, N_COARSE) with model error
    channels: torch.Tensor  # (B, N_CHANNELS, N_COARSE), without it
    scale: torch.Tensor  # (B, 1) what the flux was divided by
    snr: torch.Tensor  # (B,) median S/N a pixel


def running_median(values: NDArray[np.float64], blocks: int) -> NDArray[np.float64]:
    """Return medians of consecutive blocks, linear between their centres; shape as given."""
    index = np.array_split(np.arange(values.size), min(blocks, values.size))
    centres = [float(block.mean()) for block in index]
    return np.interp(np.arange(values.size), centres, [float(np.median(values[block])) for block in index])


def estimate_ivar(flux: NDArray[np.float64]) -> NDArray[np.float64]:
    """Estimate the inverse variance of a spectrum that came without one.

    The scatter of first differences gives the noise. Where the publisher has smoothed the spectrum,
    neighbours are correlated: the ratio of median differences at lags 1 and 12 gives the width of the
    smoothing, and the inverse variance is divided by the number of pixels that share one independent value,
    2 sqrt(pi) s.

    Parameters
    ----------
    flux
        Shape (n,), finite.

    Returns
    -------
    ivar
        Shape (n,).
    """
    if flux.size < 64:
        return np.full(flux.size, 1.0 / max(float(np.var(flux)), 1e-30))
    # The floors below must not depend on the unit of flux.
    level = float(np.median(np.abs(flux)))
    level = level if level > 0 else float(np.abs(flux).max()) or 1.0
    flux = flux / level
    box = np.ones(51) / 51
    residual = flux - np.convolve(np.pad(flux, 25, "edge"), box, "valid")
    near = np.abs(residual[1:] - residual[:-1])
    far = np.abs(residual[12:] - residual[:-12])
    ratio = (np.median(near) / max(float(np.median(far)), 1e-12)) ** 2  # 1 - correlation of neighbours
    correlation = float(np.clip(1 - ratio, 0, 0.99))
    smoothed = correlation > 0.3
    width = np.sqrt(-1 / (4 * np.log(correlation))) if smoothed else 0.0
    shared_pixels = max(1.0, 2 * np.sqrt(np.pi) * width)
    local = running_median(np.append(near, near[-1]), 40) / 0.6745 / np.sqrt(2)
    if smoothed:
        local = local / np.sqrt(max(float(ratio), 1e-3))
    sigma = np.maximum(local, 0.05 * np.median(local) + 1e-9)
    return np.asarray(1 / sigma**2 / shared_pixels / level**2)


def grid_one(
    observation: Observation, sampling: Sampling | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Bring one checked observation to the grid; pixels that are not good, or not credible, carry no weight.

    Parameters
    ----------
    sampling
        Of its wavelengths, where it is known.
    """
    finite = observation.good()
    flux = np.where(finite, observation.flux, 0.0).astype(np.float64)
    good, _ = credible(flux, finite)
    flux[~good] = 0.0
    if observation.ivar is None:
        ivar = np.zeros(flux.size)
        ivar[good] = estimate_ivar(flux[good])
    else:
        ivar = np.where(good, observation.ivar, 0.0).astype(np.float64)
    return (sampling or sampling_of(observation.wavelength)).bring(flux, ivar)


def grid_batch(observations: Sequence[Observation], device: str | torch.device = "cpu") -> Gridded:
    """Bring a batch of checked observations to the grid."""
    flux = np.zeros((len(observations), N_PIXELS), np.float32)
    ivar = np.zeros((len(observations), N_PIXELS), np.float32)
    offset = np.zeros(len(observations))
    unit = np.ones(len(observations))
    samplings = Samplings()
    for row, observation in enumerate(observations):
        one_flux, one_ivar, offset[row] = grid_one(observation, samplings.of(observation.wavelength))
        # Units may put flux at 1e-17 and ivar at 1e34: single precision needs them near one. Averages may
        # cancel: what was credible among a spectrum's own pixels need not be so among the grid's.
        used, level = credible(one_flux, one_ivar > 0)
        unit[row] = level
        flux[row] = np.where(used, one_flux / level, 0.0)
        ivar[row] = np.where(used, np.clip(one_ivar * level**2, *IVAR_LIMITS), 0.0)
    estimated = torch.tensor([observation.ivar is None for observation in observations])
    survey = torch.tensor([survey_index(observation.survey) for observation in observations])
    return Gridded(
        torch.from_numpy(flux).to(device),
        torch.from_numpy(ivar).to(device),
        torch.from_numpy(offset).to(device),
        estimated.to(device),
        torch.from_numpy(unit).to(device),
        survey.to(device),
    )


def box_mean(values: torch.Tensor, half_width: int) -> torch.Tensor:
    """Return means of 2 * half_width + 1 neighbours along the last axis, zeros beyond the ends."""
    # Double precision: what is left of a sum over the whole axis must not show its rounding.
    total = pad(values, (half_width + 1, half_width)).cumsum(-1, dtype=torch.float64)
    width = 2 * half_width + 1
    return (total[..., width:] - total[..., :-width]).to(values.dtype).div_(width)


def asinh(values: torch.Tensor) -> torch.Tensor:
    """Return the inverse hyperbolic sine: on a CPU five times as fast, all but the last digit as exact."""
    size = values.abs()
    square = size.square()
    return torch.copysign(torch.log1p(size + square / (1 + torch.sqrt(1 + square))), values)


def masked_median(values: torch.Tensor, used: torch.Tensor) -> torch.Tensor:
    """Return the median of the used elements of each row, the lower of two, (B, 1); NaN where none is."""
    if values.device.type != "cpu":
        blank = torch.full_like(values, float("nan"))
        return torch.where(used, values, blank).nanmedian(1, keepdim=True)[0]
    # Numpy's partition takes a third of the library's time.
    rows = [row[mask] for row, mask in zip(values.numpy(), used.numpy(), strict=True)]
    middle = [(row.size - 1) // 2 for row in rows]
    medians = [np.partition(row, k)[k] if row.size else np.nan for row, k in zip(rows, middle, strict=True)]
    return torch.tensor(medians, dtype=values.dtype)[:, None]


def scale_of(flux: torch.Tensor, used: torch.Tensor) -> torch.Tensor:
    """Return the median |flux| of the used pixels, positive, 1 where there are none; shape (B, 1)."""
    return masked_median(flux.abs(), used).nan_to_num(1.0).clamp_min(1e-12)


@dataclass(frozen=True, slots=True)
class Contrast:
    """What sets a spectrum apart from its continuum, in units of its median |flux|."""

    level: torch.Tensor  # (B, N_COARSE) flux
    snr: torch.Tensor  # (B, N_COARSE) median |flux| over sigma, zero where there is no pixel
    continuum: torch.Tensor  # (B, N_COARSE)
    scale: torch.Tensor  # (B, 1) the median |flux|

    @classmethod
    def of(cls, flux: torch.Tensor, sqrt_ivar: torch.Tensor, scale: torch.Tensor | None = None) -> Contrast:
        """Take the continuum over a wide box, pixels below S/N one counting less.

        Parameters
        ----------
        flux, sqrt_ivar
            Shape (B, N_COARSE).
        scale
            From `scale_of`, where it is known.
        """
        used = sqrt_ivar > 0
        scale = scale_of(flux, used) if scale is None else scale
        level = (flux / scale).clamp(-50, 200)
        snr = (sqrt_ivar * scale).clamp(0, 3e3)
        limited = snr.clamp(0, 30).square()
        weight = used * limited / (0.05 + limited)
        smooth = box_mean(torch.stack([level.clamp(-5, 20) * weight, weight]), CONTINUUM_COARSE_PIXELS)
        return cls(level, snr, smooth[0] / (smooth[1] + 1e-4), scale)


def network_channels(
    flux: torch.Tensor, sqrt_ivar: torch.Tensor, scale: torch.Tensor | None = None
) -> torch.Tensor:
    """Show the networks a spectrum in four ways, each of order one whatever its S/N.

    Parameters
    ----------
    flux, sqrt_ivar
        Shape (B, N_COARSE), any unit; sqrt_ivar is zero where there is no pixel.
    scale
        From `scale_of`, where it is known.

    Returns
    -------
    channels
        Shape (B, 4, N_COARSE): the flux over its median; its high frequencies in units of the noise; the same
        relative to the local continuum; how well each pixel is known.
    """
    contrast = Contrast.of(flux, sqrt_ivar, scale)
    mask = (sqrt_ivar > 0).to(flux.dtype)
    detail = (contrast.level - contrast.continuum) * mask
    return torch.stack(
        [
            asinh(contrast.level) * mask,
            asinh(detail * contrast.snr / 2) / 2,
            asinh(4 * detail / (contrast.continuum.abs() + 0.2)),
            0.3 * torch.log1p(contrast.snr) * mask,
        ],
        dim=1,
    )


def prepare(gridded: Gridded, noise: SurveyNoise = STATED) -> Prepared:
    """Scale to unit median |flux| and add the model error in quadrature to the noise.

    Parameters
    ----------
    noise
        What the surveys' noise leaves out: only what is judged by the noise alone knows of it.

    The error is `model_error.FITTED` times the local level, at least a tenth of the median: without it, chi2
    at S/N 300 punishes what no basis can follow rather than a wrong redshift.
    """
    raw_flux, raw_ivar = coarse(gridded.flux, gridded.ivar)
    used = raw_ivar > 0
    scale = scale_of(raw_flux, used)
    mask = used.to(raw_flux.dtype)
    level = (raw_flux / scale).clamp(-20, 20) * mask
    smooth = box_mean(torch.stack([level, mask]), FLOOR_COARSE_PIXELS)
    local = (
        (smooth[0] / smooth[1].clamp_min(0.5 / (2 * FLOOR_COARSE_PIXELS + 1))).abs().clamp_min(LEAST_LEVEL)
    )
    flux, ivar = gridded.flux / scale, gridded.ivar * scale**2
    pixel_snr = gridded.flux.abs() * gridded.ivar.sqrt()
    snr = masked_median(pixel_snr, gridded.ivar > 0).nan_to_num(0.0)[:, 0]
    noise_ivar = noise.applied(ivar, local, gridded.survey)
    ivar = with_error(ivar, (FITTED * local).repeat_interleave(REBIN, 1))
    coarse_flux, coarse_ivar = coarse(flux, ivar)
    channels = network_channels(raw_flux, raw_ivar.sqrt(), scale)
    assert channels.shape[1:] == (N_CHANNELS, N_COARSE)
    return Prepared(flux, ivar, noise_ivar, local, coarse_flux, coarse_ivar, channels, scale, snr)
