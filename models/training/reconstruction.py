"""What the encoder and the U-Net learn from: chi2 of their rest frames at the true redshift, and truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.classifier import CLASSES
from models.encoder import Encoder, Latent
from models.grid import DLOGLAM, coarse
from models.preprocess import network_channels
from models.restframe import COARSE
from models.rows import rows_of
from models.training.dataset import HALF_LIMIT, Truth
from models.training.mocks import Mocks
from models.unet import Reconstruction

MODEL_ERROR = 0.02
"""Fraction of the flux that need not be followed: at S/N 300 a wrong line counts, not the calibration."""
SUBCLASS_WEIGHT = 0.3
PIXELS, KNOWN = "pixels.npy", "pixels.npz"
N_PLANES = 3


@dataclass(frozen=True)
class Exposures:
    """Mocks on the grid with what they would be without noise; n rows, on disk."""

    pixels: NDArray[np.float16]  # (n, 3, N_PIXELS): flux, square root of ivar, noiseless flux
    truth: Truth

    def __len__(self) -> int:
        return len(self.truth)

    def read(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return flux, sqrt_ivar and noiseless flux of some rows, (b, N_PIXELS) each."""
        block = torch.from_numpy(self.pixels[rows.numpy()].astype(np.float32))
        return block[:, 0], block[:, 1], block[:, 2]


def planes(mocks: Mocks) -> NDArray[np.float16]:
    """Pixels of a batch of mocks as they are kept on disk, (n, 3, N_PIXELS)."""
    stacked = torch.stack([mocks.flux, mocks.ivar.sqrt(), mocks.truth], 1)
    return stacked.clamp(-HALF_LIMIT, HALF_LIMIT).numpy().astype(np.float16)


def opened(folder: Path) -> Exposures:
    """Open what `train.draw_exposures` wrote."""
    with np.load(folder / KNOWN) as archive:
        known = Truth(*(torch.from_numpy(archive[name]) for name in ("spectype", "z", "allowed")))
    return Exposures(np.load(folder / PIXELS, mmap_mode="r")[: len(known)], known)


def lag(z: Tensor) -> Tensor:
    """Lags of redshifts in grid pixels."""
    return torch.log10(1 + z) / DLOGLAM


def weights(truth: Tensor, sqrt_ivar: Tensor, error: float = MODEL_ERROR) -> Tensor:
    """Inverse variance with the model error added, zero where there is no pixel; shape as given."""
    variance = sqrt_ivar.clamp_min(1e-6) ** -2 + (error * truth.abs().clamp_min(0.1)).square()
    return (sqrt_ivar > 0) / variance


def misfit(model: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Logarithm of one plus chi2 a pixel of a model of free amplitude, shape (B,)."""
    amplitude = (weight * model * truth).sum(1) / (weight * model.square()).sum(1).clamp_min(1e-9)
    residual = truth - amplitude[:, None] * model
    return torch.log1p((weight * residual.square()).sum(1) / (weight > 0).sum(1).clamp_min(1))


def naming(logits: Tensor, allowed: Tensor) -> Tensor:
    """-ln of the probability of the allowed subclasses."""
    return -torch.logsumexp(logits.log_softmax(1).masked_fill(~allowed, -1e9), 1).mean()


def encoder_loss(network: Encoder, exposures: Exposures, rows: Tensor) -> Tensor:
    """Score a batch: misfit of each spectrum's own class at its own redshift, and its subclass."""
    flux, sqrt_ivar, truth = exposures.read(rows)
    known = exposures.truth[rows]
    assert known.allowed is not None
    mean, weight = coarse(flux, sqrt_ivar.square())
    latent: Latent = network(network_channels(mean, weight.sqrt()))
    fine, total = weights(truth, sqrt_ivar), flux.new_zeros(())
    for index, spectype in enumerate(CLASSES):
        mine = known.spectype == index
        if mine.any():
            part = rows_of(latent, mine)
            model = network.observed(part, spectype, lag(known.z[mine]))
            total = total + misfit(model, truth[mine], fine[mine]).sum()
    return total / len(rows) + SUBCLASS_WEIGHT * naming(latent.subclass, known.allowed)


def unet_loss(network: torch.nn.Module, exposures: Exposures, rows: Tensor) -> Tensor:
    """Score a batch: the same misfit on coarse pixels, and -ln likelihood of the noiseless flux."""
    flux, sqrt_ivar, truth = exposures.read(rows)
    known = exposures.truth[rows]
    assert known.allowed is not None
    found: Reconstruction = network(flux, sqrt_ivar)
    coarse_truth, weight = coarse(truth, sqrt_ivar.square())
    coarse_weight = weights(coarse_truth, weight.sqrt())
    total = flux.new_zeros(())
    for index, spectype in enumerate(CLASSES):
        mine = known.spectype == index
        if mine.any():
            model = COARSE[spectype].observed(found.rest[spectype][mine], lag(known.z[mine]))
            total = total + misfit(model, coarse_truth[mine], coarse_weight[mine]).sum()
    return (
        total / len(rows)
        + SUBCLASS_WEIGHT * naming(found.subclass, known.allowed)
        + likelihood(found, flux, sqrt_ivar, truth)
    )


def likelihood(found: Reconstruction, flux: Tensor, sqrt_ivar: Tensor, truth: Tensor) -> Tensor:
    """Mean of -ln p of the noiseless flux over the pixels seen, Gaussian with broad wings."""
    used = sqrt_ivar > 0
    mean, weight = coarse(flux, sqrt_ivar.square())
    scale = torch.where(weight > 0, mean.abs(), torch.nan).nanmedian(1, keepdim=True)[0].clamp_min(1e-12)
    pull = (truth / scale - found.flux) / found.sigma
    # Beyond three sigma the loss grows linearly: a cosmic ray must not widen everybody's error.
    square = torch.where(pull.abs() < 3, 0.5 * pull.square(), 3 * pull.abs() - 4.5)
    return ((square + found.sigma.log()) * used).sum() / used.sum().clamp_min(1)
