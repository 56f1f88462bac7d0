"""From tensors of a batch to what is published of its final fits: model, denoised spectrum, rest frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.answer import ModelSpectrum
from spectraq.models.answers.components import components
from spectraq.models.answers.denoise import denoise
from spectraq.models.batch import BatchAnalysis
from spectraq.models.classes import CLASSES
from spectraq.models.final_fit.fit import FinalFit
from spectraq.models.grid.axis import DLOGLAM, loglam_of, z_of
from spectraq.models.measurement.populations import Populations
from spectraq.models.measurement.target import Target
from spectraq.models.networks.encoder import Encoder
from spectraq.models.networks.rest_frame import FINE
from spectraq.models.tensors import rows_of

Array = NDArray[Any]
FLOAT32_MAX = float(np.finfo(np.float32).max)


def model_spectra(
    analysis: BatchAnalysis,
    final: FinalFit,
    lags: Sequence[torch.Tensor],
    encoder: Encoder | None,
    surveys: Sequence[str | None],
    populations: Populations,
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
    surveys
        Whose they are, where known, length B.
    populations
        Stellar populations without lines.
    """
    used = (analysis.gridded.ivar > 0).cpu().numpy()
    unit = (analysis.gridded.unit).cpu().numpy()
    offset = analysis.gridded.offset.cpu().numpy()
    planes = _planes(analysis, final)
    rest = _rest(analysis, encoder)
    curves = [candidates.curve.cpu().numpy() for candidates in analysis.candidates]
    targets = _targets(analysis, final, surveys)
    response = final.response.cpu().numpy()
    redshifts = [z_of(lag, analysis.gridded.offset[:, None]).float().cpu().numpy() for lag in lags]
    spectra = []
    for i, mask in enumerate(used):
        pixels = np.flatnonzero(mask)
        reach = slice(int(pixels[0]), int(pixels[-1]) + 1)
        window = FINE[CLASSES[int(analysis.decision.spectype[i])]]
        own = {name: _single(plane[i, reach] * unit[i]) for name, plane in planes.items()}
        spectra.append(
            ModelSpectrum(
                loglam0=loglam_of(float(reach.start + offset[i])),
                dloglam=DLOGLAM,
                **own,
                **_components(targets[i], populations, reach, own["flux"]),
                response=_single(response[i, reach]),
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
    clean = denoise(analysis.gridded.flux.cpu(), analysis.noise_ivar.cpu(), flux, error)
    planes = {"flux": flux, "sigma": error, "denoised": clean.flux, "denoised_sigma": clean.sigma}
    return {name: plane.double().cpu().numpy() for name, plane in planes.items()}


def _targets(analysis: BatchAnalysis, final: FinalFit, surveys: Sequence[str | None]) -> list[Target]:
    """Return the models of a batch in place of its spectra, in units of the gridded flux."""
    flux = (final.model * analysis.prepared.scale.cpu()).double().numpy()
    ivar = analysis.noise_ivar.cpu().double().numpy()
    lag = analysis.lag.cpu()
    z = z_of(lag, analysis.gridded.offset.cpu())
    unit = analysis.gridded.unit.cpu()
    return [
        Target(flux[i], ivar[i], CLASSES[spectype], float(lag[i]), float(z[i]), surveys[i], float(unit[i]))
        for i, spectype in enumerate(analysis.decision.spectype.tolist())
    ]


def _components(
    model: Target, populations: Populations, reach: slice, flux: NDArray[np.float32]
) -> dict[str, Any]:
    """Return a model's components over its reach, by name; they add up to its flux, to the last digits."""
    outside = np.ones(model.flux.size, bool)
    outside[reach] = False  # where nothing was observed a model may be of any size
    apart = components(replace(model, flux=np.where(outside, 0.0, model.flux)), populations)
    if apart.continuum is None:
        return {}
    lines = {"narrow": apart.narrow, "broad": apart.broad, "iron": apart.iron}
    single = {
        name: None if part is None else _single(part[reach] * model.unit) for name, part in lines.items()
    }
    continuum = flux.astype(np.float64)
    for part in single.values():
        if part is not None:
            continuum -= part
    return {"continuum": _single(continuum), **single}


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
