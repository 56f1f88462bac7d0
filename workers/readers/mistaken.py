"""What files without a spectrum are most likely: said beside what is missing, so that nobody looks for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from spectraq.workers.errors import ReadError
from spectraq.workers.readers.keywords import text, value

_TIME = r"(?:.*[_ (])?(?:time|[hbmrt]?jd|b?tjd|bkjd|phase|date)(?:[_ -].*)?"
_KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("a light curve", (_TIME, r".*flux.*|.*mag.*|.*rate|m|[du]?ujy")),
    ("a periodogram", (r"freq.*|period.*", r".*power|amp.*|psd")),
    ("redshifts", (r"targetid|specobjid|plate", r"z(?:_.*)?|redshift")),
    ("a catalogue of objects", (r".*ra(j2000|deg)?", r".*de(c|j2000|cdeg)?")),
    ("a curve of response or transmission", (r"trans(mi.*)?|.*throughput|qe|.*efficiency|spec_?resp",)),
    ("a curve of resolution", (r"r|resolution|fwhm.*|lsf.*|wldisp.*|specres",)),
    ("an extinction curve", (r"extinction|a_lambda|a_v",)),
    ("an X-ray spectrum or a response to it", (r"channel|energ_lo|pha|energy_kev",)),
    ("a profile against velocity or a cross-correlation", (r"v|vel.*|v_?helio|vlsr|vrad|rv|ccf",)),
    ("a spectrum of a laboratory", (r"wave_?number.*|raman.*|absorbance|m/z|(?:% ?)?transmittance",)),
    ("polarisation", (r"q|p|pol.*|stokes.*", r"u|p|pol.*|stokes.*")),
    ("a reflectance or a depth of transit", (r"reflectance.*|.*transit.*depth.*|depth",)),
    ("magnitudes, which must be converted to flux", (r".*mag(nitude)?s?",)),
)
_SKY = re.compile(r"(RA-|DEC|GLON|GLAT|ELON|ELAT)")

_PURPOSE = ("IMAGETYP", "IMAGETYPE", "OBSTYPE", "FLAVOR", "EXPTYPE", "ESO DPR TYPE", "OBJECT")
"""Keywords that say what an exposure was taken for; the last one names its object, too."""
_ELEMENTS = r"(?:(?:he|ne|ar|cu|th|fe|hg|xe|kr|cd|zn)[ ,+/-]?){2,}"
_CALIBRATION = re.compile(
    rf"(?:master[ _-]?)?(?:arcs?|arc ?lamps?|comp|comparison|lamps?|bias|zero|dark|sky|twilight|{_ELEMENTS}"
    r"|(?:dome|sky|twilight|internal|lamp|norm\w*)?[ _-]?flat(?:[ _-]?field)?s?"
    r"|(?:lamp|flat|bias|dark|wave|sky|arc|ords?)(?:,[a-z]+)+|sens\w* ?func\w*)",
    re.I,
)


def taken_for(names: Iterable[str]) -> str:
    """Return what a table with columns of these lower-case names is, as a clause; empty where unknown."""
    there = list(names)
    for what, patterns in _KINDS:
        if all(any(re.fullmatch(pattern, name) for name in there) for pattern in patterns):
            return f"; this looks like {what}"
    return ""


def picture(header: Mapping[str, Any]) -> str:
    """Return that an image (lower-case keywords) is of the sky, as a clause; empty where it is none."""
    axis = str(header.get("ctype1") or "")
    return f"; this is a picture of the sky (CTYPE1 = {axis})" if _SKY.match(axis.upper()) else ""


def check_purpose(header: Any) -> None:
    """Refuse what its header calls an arc, a flat, a bias, a dark or sky.

    Raises
    ------
    ReadError
        Naming the keyword.
    """
    for key in _PURPOSE:
        said = text(value(header, key)) if key in header else None
        if said and _CALIBRATION.fullmatch(said):
            raise ReadError(
                f"the header says {key} = {said}: a calibration or sky, and no spectrum of an object"
            )
