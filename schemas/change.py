"""What changed between a spectrum and an earlier one of the same object, as it goes out."""

from __future__ import annotations

import json
import uuid
from typing import Annotated, ClassVar

from pydantic import Field

from spectraq.schemas.message import Part
from spectraq.schemas.pixels import Float32Pixels
from spectraq.schemas.results import Result

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:spectraq:result")
_compact = json.JSONEncoder(separators=(",", ":"))


def change_id(newer: tuple[str, str], earlier: tuple[str, str], ensemble: tuple[str, str]) -> str:
    """Name a change by what it was made from, so that the same work gives the same name.

    Parameters
    ----------
    newer, earlier
        Id and digest of the pixels of each spectrum.
    ensemble
        Digest and version.

    Returns
    -------
    str
        A UUID of version 5 over the JSON array of "change" and the six texts.
    """
    return str(uuid.uuid5(_NAMESPACE, _compact.encode(["change", *newer, *earlier, *ensemble])))


class EarlierSpectrum(Part):
    """The spectrum that a newer one is compared with."""

    spectrum_id: str
    spectrum_digest: str  # sha256 in hex of the pixels
    classification_id: str | None = None  # result ids; None where it came from a file and none was published
    redshift_id: str | None = None
    anomaly_id: str | None = None
    survey: str | None = None
    target_id: str | None = None
    ra: float | None = None  # deg, ICRS
    dec: float | None = None  # deg, ICRS
    mjd: float | None = None  # day, UTC
    separation: float | None = None  # arcsec, from the newer; None where a position is missing
    spectype: str = ""  # as the ensemble answers now; "" where it could not be analysed, as of the next three
    subtype: str = ""
    z: float | None = None
    zerr: float | None = None
    snr: float | None = None


class ChangeReason(Part):
    """One thing that changed."""

    kind: str  # as `spectraq.models.change.record.KINDS`
    strength: float  # sigma of a Gaussian that is exceeded as rarely
    false_positive_rate: float  # how often an unchanged pair shows so much of this kind
    size: float  # in `unit`; positive where the newer has more, or lies to the red
    size_error: float | None = None  # one standard deviation
    unit: str = ""
    wavelength_min: float  # vacuum angstrom, observed
    wavelength_max: float  # vacuum angstrom, observed
    name: str = ""  # of the line, the supernova's type, the class
    message: str


class Cutout(Part):
    """Both spectra as they were compared, on one coarse grid; NaN where a pixel has neither."""

    loglam0: float  # log10(vacuum angstrom) of pixel 0
    dloglam: Annotated[float, Field(gt=0)]  # log10(angstrom) a pixel
    newer: Float32Pixels  # (m,) in flux_unit
    newer_sigma: Float32Pixels  # (m,) in flux_unit, one standard deviation
    earlier: Float32Pixels  # (m,) in flux_unit, brought to the newer's calibration
    earlier_sigma: Float32Pixels  # (m,) in flux_unit


class Change(Result):
    """What changed since an earlier spectrum of the object; one for every spectrum that has one."""

    kind: ClassVar[str] = "change"

    object: str  # name under which the object is remembered
    spectype: str
    subtype: str
    z: float
    zerr: float
    changed: bool
    kinds: tuple[str, ...]  # of the reasons, each once, the rarest first
    false_positive_rate: float  # how often an unchanged pair looks as changed in any way
    priority: float  # 0 to 1, from physical interest and certainty
    reasons: tuple[ChangeReason, ...]  # the rarest first
    message: str
    days: float | None = None  # from the earlier to the newer
    judgement: str  # "compared" or "not_comparable"
    reference: str = ""  # what the rate was learned from
    earlier: EarlierSpectrum
    overlap: int = 0  # pixels that both have
    response: float | None = None  # largest factor of the smooth response, over its mean
    level: float | None = None  # the newer's flux over the earlier's, in one unit
    flux_unit: str = ""
    cutout: Cutout | None = None
