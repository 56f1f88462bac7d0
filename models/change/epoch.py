"""One spectrum of an object as it is compared with another: on the common grid, with its answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.answer import Answer
from spectraq.models.grid.axis import N_COARSE, N_PIXELS, REBIN, pixel_of_loglam
from spectraq.models.grid.model_error import LEAST_LEVEL
from spectraq.models.grid.prepare import grid_batch
from spectraq.models.grid.survey_noise import SurveyNoise
from spectraq.models.grid.surveys import survey_index
from spectraq.models.observation import Observation, UnusableSpectrum

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Epoch:
    """One spectrum with what was said of it.

    Attributes
    ----------
    flux, ivar
        On the common grid, shape (N_PIXELS,); ivar is zero where there is no pixel, and has what the survey's
        stated noise leaves out.
    model
        The final fit, shape (N_PIXELS,), in the unit of `flux`; zero beyond its reach.
    offset
        Of the spectrum's own pixels from the grid's, as of `resample.Sampling.bring`.
    unit
        What the observation's own flux was divided by.
    """

    flux: Floats
    ivar: Floats
    model: Floats
    offset: float
    unit: float
    spectype: str
    subtype: str
    z: float
    zerr: float
    deltachi2: float
    snr: float
    class_probability: float
    noise_rchi2: float
    survey: str | None = None
    mjd: float | None = None
    ra: float | None = None  # deg, ICRS
    dec: float | None = None  # deg, ICRS
    flux_cgs: float | None = None

    @classmethod
    def of(
        cls,
        observation: Observation,
        answer: Answer,
        noise: SurveyNoise,
        mjd: float | None = None,
        ra: float | None = None,
        dec: float | None = None,
    ) -> Epoch:
        """Bring a spectrum and its answer together.

        Parameters
        ----------
        answer
            With its model (`Extra.MODEL`).
        noise
            What the surveys' noise leaves out.
        mjd
            Day, UTC, middle of the exposure, where it is known.
        ra, dec
            Degrees, ICRS, where they are known.

        Raises
        ------
        UnusableSpectrum
            Where the answer has no model.
        """
        if answer.model is None:
            raise UnusableSpectrum("no_model", "the answer has no model: ask for Extra.MODEL")
        gridded = grid_batch([observation])
        offset, unit = float(gridded.offset[0]), float(gridded.unit[0])
        model = np.zeros(N_PIXELS)
        start = round(float(pixel_of_loglam(answer.model.loglam0)) - offset)
        model[start : start + answer.model.flux.size] = answer.model.flux / unit
        scale = float(np.median(np.abs(model[model != 0]))) or 1.0
        level = np.maximum(np.abs(model).reshape(N_COARSE, REBIN).mean(1) / scale, LEAST_LEVEL)
        ivar = noise.applied(
            gridded.ivar * scale**2,
            torch.from_numpy(level).float()[None],
            torch.tensor([survey_index(observation.survey)]),
        )
        return cls(
            flux=gridded.flux[0].double().numpy(),
            ivar=ivar[0].double().numpy() / scale**2,
            model=model,
            offset=offset,
            unit=unit,
            spectype=answer.spectype,
            subtype=answer.subtype,
            z=answer.z,
            zerr=answer.zerr,
            deltachi2=answer.deltachi2,
            snr=answer.snr,
            class_probability=answer.class_probability[answer.spectype],
            noise_rchi2=answer.model.noise_rchi2,
            survey=observation.survey,
            mjd=mjd,
            ra=ra,
            dec=dec,
            flux_cgs=observation.flux_cgs,
        )
