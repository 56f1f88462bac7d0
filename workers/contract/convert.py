"""Between the contract and the numbers: Spectrum to Observation, Answer to messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from spectraq.models.answer import Answer
from spectraq.models.answer import ModelSpectrum as FittedModel
from spectraq.models.observation import Observation, UnusableSpectrum
from spectraq.schemas.deadletter import DeadLetterReason
from spectraq.schemas.results import (
    Anomaly,
    Candidate,
    Chi2Curve,
    Classification,
    ModelSpectrum,
    Provenance,
    Reason,
    Redshift,
    Result,
    result_id,
)
from spectraq.schemas.spectrum import Spectrum
from spectraq.schemas.zwarn import ZWarn
from spectraq.workers.errors import RejectedSpectrum


class Ensemble(Protocol):
    """Who answered: a `Pipeline`, or what is remembered of one."""

    @property
    def digest(self) -> str:
        """Digest of all weights and constants."""

    @property
    def version(self) -> str:
        """Version of the ensemble."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What the results repeat of a spectrum, without its pixels."""

    spectrum_id: str
    digest: str
    survey: str | None = None
    target_id: str | None = None
    ra: float | None = None  # deg, ICRS
    dec: float | None = None  # deg, ICRS
    mjd: float | None = None  # day, UTC
    flux_unit: str = ""

    @classmethod
    def of(cls, spectrum: Spectrum) -> Subject:
        """Return what is taken from a spectrum."""
        return cls(
            spectrum.spectrum_id,
            spectrum.digest,
            spectrum.survey,
            spectrum.target_id,
            spectrum.ra,
            spectrum.dec,
            spectrum.mjd,
            spectrum.flux_unit,
        )


@dataclass(frozen=True, slots=True)
class Results:
    """All that is published for one spectrum."""

    classification: Classification
    redshift: Redshift
    anomaly: Anomaly
    model: ModelSpectrum | None = None


def observation(spectrum: Spectrum, max_pixels: int) -> Observation:
    """Return the networks' view of a spectrum: vacuum wavelengths, and nothing where the mask is set.

    Parameters
    ----------
    spectrum
        As it came.
    max_pixels
        More pixels than this are refused.

    Raises
    ------
    RejectedSpectrum
        With the reason of the dead letter, where no answer could be honest.
    """
    if spectrum.n_pixels > max_pixels:
        raise RejectedSpectrum(
            DeadLetterReason.TOO_LARGE,
            f"{spectrum.n_pixels} pixels; at most {max_pixels} are analysed (worker.max_pixels)",
        )
    flux, ivar = spectrum.flux, spectrum.ivar
    if spectrum.mask is not None:
        masked = spectrum.mask != 0
        if ivar is None:
            flux = np.where(masked, np.float32(np.nan), flux)  # without ivar only the flux can say so
        else:
            ivar = np.where(masked, np.float32(0), ivar)
    found = Observation(spectrum.vacuum_wavelength(), flux, ivar, spectrum.survey)
    try:
        found.check()
    except UnusableSpectrum as error:
        raise RejectedSpectrum(error.reason, str(error)) from error
    return found


def messages(subject: Subject | Spectrum, answer: Answer, ensemble: Ensemble) -> Results:
    """Write the results of one spectrum; the same subject, answer and ensemble give the same bytes."""
    if isinstance(subject, Spectrum):
        subject = Subject.of(subject)

    def common(kind: type[Result]) -> dict[str, Any]:
        return _common(kind, subject, answer, ensemble)

    return Results(
        Classification(
            spectype=answer.spectype,
            subtype=answer.subtype,
            class_probability=answer.class_probability,
            class_spread=answer.class_spread,
            subclass_probability=answer.subclass_probability,
            subclass_spread=answer.subclass_spread,
            **common(Classification),
        ),
        _redshift(answer, common(Redshift)),
        _anomaly(answer, common(Anomaly)),
        None
        if answer.model is None
        else _model(answer, answer.model, subject.flux_unit, common(ModelSpectrum)),
    )


def _common(kind: type[Result], subject: Subject, answer: Answer, ensemble: Ensemble) -> dict[str, Any]:
    zwarn = ZWarn.from_names(answer.warnings)
    return {
        "result_id": result_id(
            kind.kind, subject.spectrum_id, subject.digest, ensemble.digest, ensemble.version
        ),
        "spectrum_id": subject.spectrum_id,
        "provenance": Provenance(
            spectrum_digest=subject.digest,
            ensemble_digest=ensemble.digest,
            ensemble_version=ensemble.version,
        ),
        "survey": subject.survey,
        "target_id": subject.target_id,
        "ra": subject.ra,
        "dec": subject.dec,
        "mjd": subject.mjd,
        "snr": answer.snr,
        "zwarn": int(zwarn),
        "zwarn_names": zwarn.names,
    }


def _redshift(answer: Answer, common: dict[str, Any]) -> Redshift:
    return Redshift(
        spectype=answer.spectype,
        subtype=answer.subtype,
        z=answer.z,
        zerr=answer.zerr,
        z_spread=answer.z_spread,
        chi2=answer.chi2,
        rchi2=answer.rchi2,
        deltachi2=answer.deltachi2,
        npixels=answer.npixels,
        robustness=answer.robustness,
        coeff=answer.coeff,
        candidates=tuple(
            Candidate(
                spectype=candidate.spectype,
                subtype=candidate.subtype,
                z=candidate.z,
                zerr=candidate.zerr,
                chi2=candidate.chi2,
                deltachi2=candidate.deltachi2,
                probability=candidate.probability,
            )
            for candidate in answer.candidates
        ),
        **common,
    )


def _anomaly(answer: Answer, common: dict[str, Any]) -> Anomaly:
    return Anomaly(
        spectype=answer.spectype,
        z=answer.z,
        score=answer.anomaly_score,
        false_positive_rate=answer.anomaly_false_positive_rate,
        flagged=answer.anomaly_flagged,
        reasons=tuple(
            Reason(
                kind=reason.kind,
                origin=reason.origin,
                strength=reason.strength,
                wavelength_min=reason.wavelength_min,
                wavelength_max=reason.wavelength_max,
                message=reason.message,
            )
            for reason in (answer.anomaly_reasons if answer.anomaly_flagged else ())
        ),
        reference=answer.anomaly_reference,
        **common,
    )


def _model(answer: Answer, model: FittedModel, flux_unit: str, common: dict[str, Any]) -> ModelSpectrum:
    return ModelSpectrum(
        spectype=answer.spectype,
        subtype=answer.subtype,
        z=answer.z,
        loglam0=model.loglam0,
        dloglam=model.dloglam,
        flux=model.flux,
        sigma=model.sigma,
        flux_unit=flux_unit,
        curves=tuple(
            Chi2Curve(spectype=spectype, z=model.z_grids[spectype], chi2=chi2)
            for spectype, chi2 in model.chi2_curves.items()
        ),
        denoised=model.denoised,
        denoised_sigma=model.denoised_sigma,
        rest_loglam0=model.rest_loglam0,
        rest=model.rest,
        nparameters=model.nparameters,
        noise_rchi2=model.noise_rchi2,
        **common,
    )
