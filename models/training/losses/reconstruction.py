"""What the encoder and the U-Net are scored by: their rest frames at the true redshift, and the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from spectraq.models.classes import CLASSES
from spectraq.models.grid.axis import coarse, lag_of
from spectraq.models.grid.model_error import JUDGED, LEAST_LEVEL, with_error
from spectraq.models.grid.prepare import masked_median, network_channels
from spectraq.models.networks.encoder import Encoder, Latent
from spectraq.models.networks.rest_frame import COARSE, FINE, Window
from spectraq.models.networks.unet import Reconstruction, UNet
from spectraq.models.tensors import rows_of
from spectraq.models.training.losses.classifier import allowed_loss
from spectraq.models.training.material.family import Family
from spectraq.models.training.mocks.full_files import Exposures

SUBCLASS_WEIGHT = 0.3
LINEAR_FROM_SIGMA = 3.0
DRAWN_A_FAMILY = 40
SHAPE_PIXELS = 32
"""Spectra to begin with are told apart by means over this many pixels."""


def weights(truth: Tensor, sqrt_ivar: Tensor) -> Tensor:
    """Return the inverse variance with the model error added, zero where there is no pixel; shape as given.

    At S/N 300 a wrong line counts then, not the calibration.
    """
    return with_error(sqrt_ivar.square(), JUDGED * truth.abs().clamp_min(LEAST_LEVEL))


def misfit(model: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Return the logarithm of one plus chi2 a pixel of a model of free amplitude, shape (B,)."""
    amplitude = (weight * model * truth).sum(1) / (weight * model.square()).sum(1).clamp_min(1e-9)
    residual = truth - amplitude[:, None] * model
    return torch.log1p((weight * residual.square()).sum(1) / (weight > 0).sum(1).clamp_min(1))


def encoder_loss(network: Encoder, exposures: Exposures, rows: Tensor) -> Tensor:
    """Score a batch: misfit of each spectrum's own class at its own redshift, and its subclass."""
    device = network.dense.weight.device
    flux, sqrt_ivar, truth = (plane.to(device) for plane in exposures.read(rows))
    label = exposures.truth[rows].to(device)
    assert label.allowed is not None
    mean, weight = coarse(flux, sqrt_ivar.square())
    latent: Latent = network(network_channels(mean, weight.sqrt()))
    fine, total = weights(truth, sqrt_ivar), flux.new_zeros(())
    for index, spectype in enumerate(CLASSES):
        of_class = label.spectype == index
        if of_class.any():
            model = network.observed(rows_of(latent, of_class), spectype, lag_of(label.z[of_class]))
            total = total + misfit(model, truth[of_class], fine[of_class]).sum()
    return total / len(rows) + SUBCLASS_WEIGHT * allowed_loss(latent.subclass, label.allowed)


def unet_loss(network: UNet, exposures: Exposures, rows: Tensor) -> Tensor:
    """Score a batch: the same misfit on coarse pixels, and -ln likelihood of the noiseless flux."""
    device = network.position.device
    flux, sqrt_ivar, truth = (plane.to(device) for plane in exposures.read(rows))
    label = exposures.truth[rows].to(device)
    assert label.allowed is not None
    reconstruction: Reconstruction = network(flux, sqrt_ivar)
    coarse_truth, weight = coarse(truth, sqrt_ivar.square())
    coarse_weight = weights(coarse_truth, weight.sqrt())
    total = flux.new_zeros(())
    for index, spectype in enumerate(CLASSES):
        of_class = label.spectype == index
        if of_class.any():
            model = COARSE[spectype].observed(
                reconstruction.rest[spectype][of_class], lag_of(label.z[of_class])
            )
            total = total + misfit(model, coarse_truth[of_class], coarse_weight[of_class]).sum()
    named = SUBCLASS_WEIGHT * allowed_loss(reconstruction.subclass, label.allowed)
    return total / len(rows) + named + denoising_loss(reconstruction, flux, sqrt_ivar, truth)


def denoising_loss(reconstruction: Reconstruction, flux: Tensor, sqrt_ivar: Tensor, truth: Tensor) -> Tensor:
    """Return the mean of -ln p of the noiseless flux over the pixels seen, Gaussian with broad wings."""
    used = sqrt_ivar > 0
    mean, weight = coarse(flux, sqrt_ivar.square())
    scale = masked_median(mean.abs(), weight > 0).clamp_min(1e-12)
    pull = (truth / scale - reconstruction.flux) / reconstruction.sigma
    # A cosmic ray must not widen everybody's error: far out the loss grows linearly.
    far = LINEAR_FROM_SIGMA * (pull.abs() - 0.5 * LINEAR_FROM_SIGMA)
    square = torch.where(pull.abs() < LINEAR_FROM_SIGMA, 0.5 * pull.square(), far)
    return ((square + reconstruction.sigma.log()) * used).sum() / used.sum().clamp_min(1)


def start_from(network: Encoder, families: Sequence[Family], seed: int) -> None:
    """Begin with spectra of every class as eigenspectra, each unlike those before it."""
    generator, rng = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    for spectype, window in FINE.items():
        drawn = []
        for family in families:
            if family.spectype == spectype and not family.lacks_continuum:
                flux, _ = family.draw(DRAWN_A_FAMILY, rng)
                drawn.append(_in_window(torch.from_numpy(flux), family.first_pixel, window))
        spectra = torch.cat(drawn)
        network.eigenspectra[spectype].data.copy_(spectra[_unlike(spectra, network.k, generator)])


def _in_window(flux: Tensor, first_pixel: int, window: Window) -> Tensor:
    """Put spectra (n, L) into a class's window, one where they do not reach."""
    out = torch.ones(len(flux), window.length)
    start = first_pixel - window.first_pixel
    low, high = max(start, 0), min(start + flux.shape[1], window.length)
    out[:, low:high] = flux[:, low - start : high - start].clamp(-1, 30)
    return out / out.abs().mean(1, keepdim=True)


def _unlike(spectra: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """Return the indices of k spectra, each the farthest from those before it."""
    shape = torch.nn.functional.avg_pool1d(spectra[:, None], SHAPE_PIXELS)[:, 0]
    shape = shape / shape.norm(dim=1, keepdim=True)
    chosen = [int(torch.randint(len(shape), (1,), generator=generator))]
    distance = (shape - shape[chosen[0]]).norm(dim=1)
    while len(chosen) < k:
        chosen.append(int(distance.argmax()))
        distance = torch.minimum(distance, (shape - shape[chosen[-1]]).norm(dim=1))
    return torch.tensor(chosen)
