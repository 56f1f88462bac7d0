"""A spectrum as it is remembered: what is kept of it in Redis, and its durable record."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from spectraq.models.answer import Answer
from spectraq.models.observation import Observation
from spectraq.schemas import codec
from spectraq.schemas.remembered import RememberedSpectrum
from spectraq.schemas.results import Anomaly, Classification, Redshift, Result, result_id
from spectraq.schemas.spectrum import Spectrum
from spectraq.schemas.zwarn import ZWarn
from spectraq.workers.contract.convert import Ensemble
from spectraq.workers.contract.object_choice import Remembered, Said
from spectraq.workers.contract.object_names import spectrum_name

MAX_TEXT = 1000
"""Characters of what a survey says that are kept."""
ENOUGH_PIXELS = 1000


def remembered(spectrum: Spectrum, name: str, snr: float, ensemble: Ensemble | None) -> Remembered:
    """Return what is remembered of a spectrum beside its pixels."""
    return Remembered(
        object=name,
        name=spectrum_name(spectrum.spectrum_id, spectrum.digest),
        spectrum_id=spectrum.spectrum_id,
        spectrum_digest=spectrum.digest,
        survey=spectrum.survey and spectrum.survey[:MAX_TEXT],
        target_id=spectrum.target_id and spectrum.target_id[:MAX_TEXT],
        ra=spectrum.ra,
        dec=spectrum.dec,
        mjd=spectrum.mjd,
        exposure=spectrum.exposure,
        snr=snr,
        ensemble_digest=ensemble.digest if ensemble else None,
        ensemble_version=ensemble.version if ensemble else None,
    )


def snr_of(observed: Observation) -> float:
    """Return the median S/N a pixel, 0 where there is none; without noise by what neighbours differ by.

    Of a thousand pixels or a few more, evenly spread: it ranks spectra, and a median of all takes longer than
    the rest of remembering.
    """
    good = observed.good()
    flux = observed.flux[good]
    if flux.size < 2:
        return 0.0
    step = max(flux.size // ENOUGH_PIXELS, 1)
    if observed.ivar is not None:
        snr = float(np.median(flux[::step] * np.sqrt(observed.ivar[good][::step])))
    else:
        noise = 1.4826 * float(np.median(np.abs(np.diff(flux)[::step]))) / math.sqrt(2)
        snr = float(np.median(flux[::step])) / noise if noise > 0 else 0.0
    return snr if math.isfinite(snr) else 0.0


def result_ids(one: Remembered) -> dict[str, str]:
    """Return the names of the results that were published of a remembered spectrum."""
    if one.ensemble_digest is None or one.ensemble_version is None:
        return {}
    made_from = (one.spectrum_id, one.spectrum_digest, one.ensemble_digest, one.ensemble_version)
    kinds: tuple[type[Result], ...] = (Classification, Redshift, Anomaly)
    return {f"{kind.kind}_id": result_id(kind.kind, *made_from) for kind in kinds}


def remembered_message(
    one: Remembered, since_us: int, body: bytes, answer: Answer | None
) -> RememberedSpectrum:
    """Return the durable record of a remembered spectrum, with what was answered where it was."""
    said = said_of(answer).model_dump() if answer is not None else {}
    return RememberedSpectrum(
        **one.model_dump(), **result_ids(one), **said, remembered_us=since_us, spectrum=body
    )


def said_of(answer: Answer | RememberedSpectrum) -> Said:
    """Return what is remembered of an answer."""
    values: dict[str, Any] = {name: getattr(answer, name) for name in ("spectype", "subtype", "z", "zerr")}
    zwarn = answer.zwarn if isinstance(answer, RememberedSpectrum) else int(ZWarn.from_names(answer.warnings))
    return Said(**values, zwarn=zwarn)


def remembered_of(record: RememberedSpectrum) -> Remembered:
    """Return what Redis keeps of a durable record beside its pixels."""
    return Remembered(**{name: getattr(record, name) for name in Remembered.model_fields})


def spectrum_body(spectrum: Spectrum) -> bytes:
    """Return a spectrum as it is remembered: framed, masked pixels without weight in place of a mask."""
    changes: dict[str, Any] = {}
    if spectrum.mask is not None:
        masked = spectrum.mask != 0
        flux, ivar = spectrum.flux, spectrum.ivar
        if ivar is None:
            changes["flux"] = flux.copy()
            changes["flux"][masked] = float("nan")
        else:
            changes["ivar"] = ivar.copy()
            changes["ivar"][masked] = 0.0
        changes["mask"] = None
    return codec.encode(spectrum.model_copy(update=changes) if changes else spectrum)
