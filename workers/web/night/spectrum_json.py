"""One spectrum for the spectrum view: pixels, results, best fit; arrays as base64 of little-endian floats."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectraq.schemas import codec
from spectraq.schemas.results import ModelSpectrum
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.contract.spectrum_body import spectrum_of
from spectraq.workers.contract.writer_schemas import OURS, WriterSchemas
from spectraq.workers.errors import UnreachableError
from spectraq.workers.web.night.entry import Entry, Row
from spectraq.workers.web.night.message_store import Name

Headers = tuple[tuple[str, bytes], ...]

SMALL = 180
"""Points of a card's plot."""


CURVES = ("flux", "sigma", "denoised", "denoised_sigma", "continuum", "narrow", "broad", "iron", "response")
"""Fields of a model on its own grid."""


def packed(array: NDArray[Any], dtype: str) -> str:
    """Write an array as base64."""
    return base64.b64encode(np.ascontiguousarray(array, dtype).tobytes()).decode()


def pixels_json(spectrum: Spectrum) -> dict[str, Any]:
    """Return pixels and identity; sigma is not-a-number where a pixel must not be used or has no weight."""
    ivar = spectrum.ivar
    with np.errstate(divide="ignore", invalid="ignore"):
        sigma = None if ivar is None else np.where(ivar > 0, 1 / np.sqrt(ivar), np.nan)
    return {
        "n": spectrum.n_pixels,
        "wavelength": packed(spectrum.vacuum_wavelength(), "<f8"),
        "flux": packed(spectrum.flux, "<f4"),
        "sigma": None if sigma is None else packed(sigma, "<f4"),
        "masked": packed(~spectrum.good(), "<u1"),
        "flux_unit": spectrum.flux_unit,
        "survey": spectrum.survey,
        "target_id": spectrum.target_id,
        "ra": spectrum.ra,
        "dec": spectrum.dec,
        "mjd": spectrum.mjd,
        "source_file": spectrum.source_file,
        "source_row": spectrum.source_row,
    }


def model_json(model: ModelSpectrum) -> dict[str, Any]:
    """Return the final fit with its components, None where it has none, and the curves of chi2."""
    curves = {name: getattr(model, name) for name in CURVES}
    return {
        "z": model.z,
        "spectype": model.spectype,
        "subtype": model.subtype,
        "loglam0": model.loglam0,
        "dloglam": model.dloglam,
        **{name: None if curve is None else packed(curve, "<f4") for name, curve in curves.items()},
        "ensemble_digest": model.provenance.ensemble_digest,
        "curves": [
            {"spectype": c.spectype, "z": packed(c.z, "<f4"), "chi2": packed(c.chi2, "<f4")}
            for c in model.curves
        ],
    }


def small_json(spectrum: Spectrum, row: Row) -> dict[str, Any]:
    """Return a few points of the spectrum, means of good pixels, for a small plot."""
    wavelength, flux = spectrum.vacuum_wavelength(), spectrum.flux.astype(np.float64)
    good = spectrum.good()
    edges = np.linspace(0, wavelength.size, min(SMALL, wavelength.size) + 1).astype(int)
    starts = edges[:-1]
    weight = np.add.reduceat(good.astype(float), starts)
    total = np.add.reduceat(np.where(good, flux, 0.0), starts)
    mean = np.divide(total, weight, out=np.full(starts.size, np.nan), where=weight > 0)
    interval = row.interval if row.interval and all(map(math.isfinite, row.interval)) else None
    return {"wavelength": wavelength[starts].tolist(), "flux": mean.tolist(), "interval": interval}


def quickly_decoded(body: bytes, headers: Headers = ()) -> Spectrum | None:
    """Return the spectrum of a message in Avro or JSON; None for a FITS file, which takes far longer."""
    try:
        return codec.decode(body, headers, expect=Spectrum)
    except codec.DecodeError:
        return None


def spectrum_named(
    name: Name, schemas: WriterSchemas = OURS
) -> Callable[[bytes, Headers, bytes | None], Spectrum | None]:
    """Return what reads a message's body, headers and key, and gives its spectrum if it is the one named."""

    def read(body: bytes, headers: Headers, key: bytes | None) -> Spectrum | None:
        try:
            schemas.begin_turn()
            spectrum = spectrum_of(body, headers, key, schemas=schemas)
        except (codec.DecodeError, UnreachableError):
            return None
        return spectrum if (spectrum.spectrum_id, spectrum.digest) == name else None

    return read


def entry_json(entry: Entry) -> dict[str, Any]:
    """Return the results of one spectrum."""
    return {"row": entry.row.as_json(), "results": entry.results()}
