"""The night sky's emission lines, where sky subtraction leaves residuals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from spectraq.models.grid.axis import N_PIXELS
from spectraq.models.grid.prepare import running_median
from spectraq.models.training.material.regrid import resample


def lines(data: Path) -> torch.Tensor:
    """Read DESI's sky model: strength of lines above the local median, 99th percentile one, (N_PIXELS,)."""
    wavelength, emission = np.loadtxt(data / "sky/desispec/spec-sky.dat", usecols=(0, 1), unpack=True)
    flux, first = resample(wavelength, emission)
    start, stop = max(0, first), min(N_PIXELS, first + flux.shape[1])
    spectrum = np.zeros(N_PIXELS)
    spectrum[start:stop] = flux[0, start - first : stop - first]
    strength = np.clip(spectrum - running_median(spectrum, 60), 0, None)
    return torch.from_numpy(strength / np.percentile(strength, 99)).float()
