"""Which spectra of an object are kept, and with which of them a newer one is compared."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from spectraq.models.change.separation import separation_arcsec

ENOUGH_SNR = 20.0
"""Beyond, it is calibration and not noise that a comparison is limited by."""
OTHER_SURVEY = 0.5
"""What another instrument costs, in units of ln(S/N)."""
A_YEAR = 0.02
"""What a year of age costs, in units of ln(S/N)."""
SAME_EXPOSURE_DAYS = 1e-5
"""Two spectra of one survey whose exposures have the same middle, to the second, are of one exposure."""
NAMED_RADIUS_ARCSEC = 3.0
"""Spectra of one name that lie further apart are of two objects."""


class Remembered(BaseModel):
    """One remembered spectrum without its pixels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    object: str
    name: str  # within the object
    spectrum_id: str
    spectrum_digest: str
    survey: str | None = None
    target_id: str | None = None
    ra: float | None = None  # deg, ICRS
    dec: float | None = None  # deg, ICRS
    mjd: float | None = None  # day, UTC
    exposure: str | None = None
    snr: float
    ensemble_digest: str | None = None
    ensemble_version: str | None = None

    def separation(self, other: Remembered) -> float | None:
        """Return the distance on the sky, arcsec, None where a position is missing."""
        return separation_arcsec(self.ra, self.dec, other.ra, other.dec)


class Said(BaseModel):
    """What was answered of a remembered spectrum; nothing where it came from a file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    spectype: str | None = None
    subtype: str | None = None
    z: float | None = None
    zerr: float | None = None
    zwarn: int | None = None


Seen = tuple[int, Remembered]
"""When a spectrum was remembered, in microseconds since 1970, and the spectrum."""


def kept(known: Sequence[Seen], most: int) -> list[Seen]:
    """Return the best spectra of an object: the best of each survey first, then the best of all."""
    newest = max((one.mjd for _, one in known if one.mjd is not None), default=None)
    ranked = sorted(known, key=lambda seen: (-_worth(seen[1], newest), -seen[0], seen[1].name))
    firsts: dict[str | None, Seen] = {}
    for seen in ranked:
        firsts.setdefault(seen[1].survey, seen)
    chosen = list(firsts.values())
    return (chosen + [seen for seen in ranked if seen not in chosen])[:most]


def predecessor(
    newer: Remembered, since_us: int, known: Sequence[Seen], radius_arcsec: float
) -> Remembered | None:
    """Return the spectrum that a newer one is compared with, None where there is none.

    Parameters
    ----------
    since_us
        When the newer was remembered: what was remembered later is no predecessor, so that a spectrum that is
        read again has the same one.
    radius_arcsec
        Within which spectra of another name are of the same object.
    """
    before = [
        (us, one)
        for us, one in known
        if (us, one.name) < (since_us, newer.name) and _same_object(newer, one, radius_arcsec)
    ]
    others = [(us, one) for us, one in before if not same_exposure(newer, one)]
    return (
        max(others, key=lambda seen: (_likeness(newer, seen[1]), *seen[:1], seen[1].name))[1]
        if others
        else None
    )


def same_exposure(one: Remembered, other: Remembered) -> bool:
    """Return whether two spectra are of one exposure: the same id, pixels or name or time of the exposure."""
    if one.spectrum_id == other.spectrum_id or one.spectrum_digest == other.spectrum_digest:
        return True
    if one.survey != other.survey:
        return False
    if one.exposure is not None and one.exposure == other.exposure:
        return True
    return one.mjd is not None and other.mjd is not None and abs(one.mjd - other.mjd) < SAME_EXPOSURE_DAYS


def _same_object(one: Remembered, other: Remembered, radius_arcsec: float) -> bool:
    apart = one.separation(other)
    if one.object == other.object:
        return apart is None or apart <= NAMED_RADIUS_ARCSEC
    return apart is not None and apart <= radius_arcsec


def _worth(one: Remembered, newest_mjd: float | None) -> float:
    age = 0.0 if newest_mjd is None or one.mjd is None else (newest_mjd - one.mjd) / 365.25
    return math.log(min(max(one.snr, 1e-3), ENOUGH_SNR)) - A_YEAR * age


def _likeness(newer: Remembered, earlier: Remembered) -> float:
    return _worth(earlier, newer.mjd) - (OTHER_SURVEY if earlier.survey != newer.survey else 0.0)
