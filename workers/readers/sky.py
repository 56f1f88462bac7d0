"""Positions in headers: degrees, or hours and degrees with colons."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from spectraq.workers.readers.keywords import DAYS, DECLINATION, RIGHT_ASCENSION, number, text

_PARTS = re.compile(r"\s*([+-]?)(\d+)[:\s](\d+)[:\s](\d+(?:\.\d*)?)\s*")

_POINTING = ("ra", "dec")
_PAIRS = (
    ("raobj", "decobj"),
    ("plug_ra", "plug_dec"),
    _POINTING,
    ("targ_ra", "targ_dec"),
    ("ra_targ", "dec_targ"),
    ("obsra", "obsdec"),
)
"""Keywords of a target's position; the first pair that is there counts."""


def position(header: Mapping[str, Any]) -> dict[str, float | None]:
    """Return ra, dec (degrees, ICRS) and mjd as fields of a Spectrum, from lower-case keywords.

    A position of another equinox than 2000 is left out: it would name another place.
    """
    equinox = number(header.get("equinox", header.get("epoch")))
    is_icrs = equinox in (None, 0.0, 2000.0)
    pair = next((pair for pair in _PAIRS if set(pair) <= set(header)), _POINTING)
    if "plateid" in header and pair == _POINTING:
        is_icrs = False  # of SDSS: where the telescope pointed
    day = next((number(header[key], DAYS) for key in ("mjd", "mjd-obs", "mjd_obs") if key in header), None)
    return {
        "ra": _degrees(header.get(pair[0]), 15.0, RIGHT_ASCENSION) if is_icrs else None,
        "dec": _degrees(header.get(pair[1]), 1.0, DECLINATION) if is_icrs else None,
        "mjd": day,
    }


def named(header: Mapping[str, Any]) -> str | None:
    """Return what a header calls its target."""
    return next((text(header[key]) for key in ("object", "target", "objname") if header.get(key)), None)


def _degrees(said: Any, unit: float, limits: tuple[float, float]) -> float | None:
    match = _PARTS.fullmatch(said) if isinstance(said, str) else None
    if match is None:
        return number(said, limits)
    size = float(match[2]) + float(match[3]) / 60 + float(match[4]) / 3600
    return number((-size if match[1] == "-" else size) * unit, limits)
