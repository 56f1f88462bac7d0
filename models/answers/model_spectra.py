"""From tensors of a batch to what is published of its final fits: model, denoised spectrum, rest frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.answer import ModelSpectrum
from spectraq.models.answers.denoise import denoise
from spectraq.models.batch import BatchAnalysis
from spectraq.models.classes import CLASSES
from spectraq.models.final_fit.fit import FinalFit
from spectraq.models.grid.axis import DLOGLAM, loglam_of, z_of
from spectraq.models.networks.encoder import Encoder
from spectraq.models.networks.rest_frame import FINE
from spectraq.models.tensors import rows_of

Array = NDArray[Any]
FLOAT32_MAX = float(np.finfo(np.float32).max)


def model_spectra(
    analysis: BatchAnalysis, final: FinalFit, lags: Sequence[torch.Tensor], encoder: Encoder | None
) -> list[ModelSpectrum]:
    """Return final fits in the observations' units over the pixels they reach, with chi2(z) of each class.

    Parameters
    ----------
    final
        Final fits of the same batch.
    lags
        Of each class's curves, in grid pixels.
    encoder
        Where it is a member: it gives the rest frame.
    """
    used = (analysis.gridded.ivar > 0).cpu().numpy()
    unit = (analysis.gridded.unit).cpu().numpy()
    offset = analysis.gridded.offset.cpu().numpy()
    planes = _planes(analysis, final)
    rest = _rest(analysis, encoder)
    curves = [candidates.curve.cpu().numpy() for candidates in analysis.candidates]
    redshifts = [z_of(lag, analysis.gridded.offset[:, None]).float().cpu().numpy() for lag in lags]
    spectra = []
    for i, mask in enumerate(used):
        pixels = np.flatnonzero(mask)
        reach = slice(int(pixels[0]), int(pixels[-1]) + 1)
        window = FINE[CLASSES[int(analysis.decision.spectype[i])]]
        spectra.append(
            ModelSpectrum(
                loglam0=loglam_of(float(reach.start + offset[i])),
                dloglam=DLOGLAM,
                **{name: _single(plane[i, reach] * unit[i]) for name, plane in planes.items()},
                z_grids={c: z[i] for c, z in zip(CLASSES, redshifts, strict=True)},
                chi2_curves={c: curve[i] for c, curve in zip(CLASSES, curves, strict=True)},
                rest_loglam0=loglam_of(window.first_pixel) if rest else 0.0,
                rest=rest[i] if rest else np.zeros(0, np.float32),
                nparameters=float(final.parameters[i]),
                noise_rchi2=float(final.noise_rchi2[i]),
            )
        )
    return spectra


def _single(values: Array) -> NDArray[np.float32]:
    """Return the values in single precision; a fit may reach further than the flux that it was made to."""
    return np.clip(values, -FLOAT32_MAX, FLOAT32_MAX).astype(np.float32)


def _planes(analysis: BatchAnalysis, final: FinalFit) -> dict[str, Array]:
    """Return model and denoised flux with their errors on the whole grid, in units of the gridded flux."""
    scale = analysis.prepared.scale.cpu()
    flux, error = final.model * scale, final.sigma * scale
    clean = denoise(analysis.gridded.flux.cpu(), analysis.gridded.ivar.cpu(), flux, error)
    planes = {"flux": flux, "sigma": error, "denoised": clean.flux, "denoised_sigma": clean.sigma}
    return {name: plane.double().cpu().numpy() for name, plane in planes.items()}


def _rest(analysis: BatchAnalysis, encoder: Encoder | None) -> list[NDArray[np.float32]]:
    """What the encoder expects of each object at rest, median one; nothing where it is not a member."""
    if encoder is None or analysis.latent is None:
        return []
    rest_frames = []
    for i, spectype in enumerate(analysis.decision.spectype.tolist()):
        latent = rows_of(analysis.latent, slice(i, i + 1))
        rest = encoder.rest(latent, CLASSES[spectype])[0].cpu().numpy()
        middle = float(np.median(np.abs(rest)))
        rest_frames.append(
            (rest / (middle if middle > 0 and math.isfinite(middle) else 1.0)).astype(np.float32)
        )
    return rest_frames
