"""Between the contract and the numbers: Spectrum to Observation, Answer to messages."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol, TypeVar

import numpy as np

from spectraq.models.answer import Answer
from spectraq.models.answer import Measurement as Measured
from spectraq.models.answer import ModelSpectrum as FittedModel
from spectraq.models.observation import Observation, UnusableSpectrum
from spectraq.schemas.deadletter import DeadLetterReason
from spectraq.schemas.results import (
    Anomaly,
    Chi2Curve,
    Classification,
    MeasuredLine,
    Measurement,
    ModelSpectrum,
    Provenance,
    Quantity,
    Redshift,
    Result,
    result_id,
)
from spectraq.schemas.spectrum import Spectrum
from spectraq.schemas.zwarn import ZWarn
from spectraq.workers.errors import RejectedSpectrum

SomeResult = TypeVar("SomeResult", bound=Result)
Source = Answer | FittedModel | Measured

SAME_NAME: dict[type[Result], tuple[str, ...]] = {
    kind: tuple(field.name for field in fields(source) if field.name in kind.model_fields)
    for kind, source in (
        (Classification, Answer),
        (Redshift, Answer),
        (Anomaly, Answer),
        (ModelSpectrum, FittedModel),
        (Measurement, Measured),
    )
}
"""Fields of each kind of result that an answer, its model or its measurement has under the same name."""


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
    exposure: str | None = None
    plate: str | None = None
    fiber: str | None = None

    @classmethod
    def of(cls, spectrum: Spectrum) -> Subject:
        """Return what is taken from a spectrum."""
        return cls(**{name: getattr(spectrum, name) for name in cls.__slots__})


@dataclass(frozen=True, slots=True)
class Results:
    """All that is published for one spectrum."""

    classification: Classification
    redshift: Redshift
    anomaly: Anomaly
    model: ModelSpectrum | None = None
    measurement: Measurement | None = None


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
    unchecked = _unmasked(spectrum)
    try:
        unchecked.check()
    except UnusableSpectrum as error:
        raise RejectedSpectrum(error.reason, f"{error}{_of_zero_noise(spectrum)}") from error
    return unchecked


def _unmasked(spectrum: Spectrum) -> Observation:
    """Return a spectrum whose masked pixels carry no weight instead."""
    flux, ivar = spectrum.flux, spectrum.ivar
    if spectrum.mask is not None:
        masked = spectrum.mask != 0
        if ivar is None:
            flux = np.where(masked, np.float32(np.nan), flux)  # without ivar only the flux can say so
        else:
            ivar = np.where(masked, np.float32(0), ivar)
    unit = _flux_cgs(spectrum.flux_unit) if spectrum.flux_unit else None
    return Observation(spectrum.vacuum_wavelength(), flux, ivar, spectrum.survey, unit)


def _flux_cgs(flux_unit: str) -> float | None:
    from spectraq.workers.readers.units import flux_cgs  # astropy: not for spectra that name no unit

    return flux_cgs(flux_unit)


def _of_zero_noise(spectrum: Spectrum) -> str:
    """Return what to say further of a spectrum that is refused where it is its noise that leaves no pixel."""
    if spectrum.ivar is None or bool((spectrum.ivar > 0).any()):
        return ""
    return "; the noise is zero or missing in every pixel, so none may be used: leave unknown noise out"


def messages(subject: Subject | Spectrum, answer: Answer, ensemble: Ensemble) -> Results:
    """Return the results of one spectrum; the same subject, answer and ensemble give the same bytes."""
    if isinstance(subject, Spectrum):
        subject = Subject.of(subject)
    made_from = (subject.spectrum_id, subject.digest, ensemble.digest, ensemble.version)
    common = common_fields(subject, answer, ensemble)

    def result(kind: type[SomeResult], source: Source = answer, **others: Any) -> SomeResult:
        return _filled(kind, source, common | others | {"result_id": result_id(kind.kind, *made_from)})

    return Results(
        result(Classification),
        result(Redshift),
        result(
            Anomaly,
            score=answer.anomaly_score,
            false_positive_rate=answer.anomaly_false_positive_rate,
            flagged=answer.anomaly_flagged,
            reasons=answer.anomaly_reasons,
            reference=answer.anomaly_reference,
            judgement=answer.anomaly_judgement,
            shared=answer.anomaly_shared,
            reported=answer.anomaly_reported,
        ),
        None
        if answer.model is None
        else result(
            ModelSpectrum,
            answer.model,
            spectype=answer.spectype,
            subtype=answer.subtype,
            z=answer.z,
            flux_unit=subject.flux_unit,
            curves=_curves(answer.model),
        ),
        None
        if answer.measurement is None
        else result(
            Measurement,
            answer.measurement,
            subtype=answer.subtype,
            flux_unit=subject.flux_unit,
            lines=tuple(MeasuredLine.model_validate(asdict(line)) for line in answer.measurement.lines),
            quantities=_quantities(answer.measurement),
        ),
    )


def _quantities(measured: Measured) -> tuple[Quantity, ...]:
    return tuple(Quantity(name=name, **asdict(quantity)) for name, quantity in measured.quantities.items())


def _filled(kind: type[SomeResult], source: Source, others: dict[str, Any]) -> SomeResult:
    """Return a result with these fields, and all others from what has the same name in an answer."""
    same_name = {name: getattr(source, name) for name in SAME_NAME[kind]}
    return kind.model_validate(same_name | others, from_attributes=True)


def common_fields(subject: Subject, answer: Answer, ensemble: Ensemble) -> dict[str, Any]:
    """Return the fields that all results of a spectrum have, but for their `result_id`."""
    zwarn = ZWarn.from_names(answer.warnings)
    return {
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


def _curves(model: FittedModel) -> list[Chi2Curve]:
    return [
        Chi2Curve(spectype=spectype, z=model.z_grids[spectype], chi2=chi2)
        for spectype, chi2 in model.chi2_curves.items()
    ]
