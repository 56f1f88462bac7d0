"""What the tables of some surveys leave to their documentation: units, scales, axes, and whose they are.

ESO Phase 3 (Science Data Products Standard), Subaru's PFS, Euclid's SIR combined spectra (Data Product
Description Document, FITS_DEF sir.combinedSpectra), SDSS-V's mwmStar and mwmVisit (data model of astra),
HST's and JWST's extracted spectra (COS and STIS Data Handbooks; JWST documentation, "DQ flags"),
DEEP2's spec1d.
"""

from __future__ import annotations

import re
from typing import Any

from spectraq.workers.readers import fitstable
from spectraq.workers.readers.keywords import number, text, value, whole
from spectraq.workers.readers.quality import BAD_BITS
from spectraq.workers.readers.source import Source

_SDSS_FLUX = "1e-17 erg / (s cm2 Angstrom)"
_EUCLID_FLUX = "erg / (s cm2 Angstrom)"
_EUCLID_BAD = 1 | ~63
"""Bits of a mask that say that a pixel must not be used: the first, and those from 64 on."""
_COMBINED = re.compile(r"(\d+)_COMBINED1D_SIGNAL")


_DO_NOT_USE = 1
"""JWST's first bit of a DQ; the others say what befell pixels that may well be used."""


def units(hdu: Any, names: dict[str, str], written: dict[str, Any]) -> dict[str, Any]:
    """Return the units of a table's columns, by lower-case name: as written, else as documented."""
    documented: dict[str, str] = {}
    if {"lambda", "fluxvariance"} <= set(names):  # PFS
        documented = {"lambda": "nm", "flux": "nJy", "fluxvariance": "nJy2"}
    elif _is_mwm(names):
        documented = {"flux": _SDSS_FLUX, "wavelength": "Angstrom"}
    elif "signal" in names and (scale := number(value(hdu.header, "FSCALE"))):  # Euclid
        # What is written is the unit of the numbers times FSCALE.
        return written | {
            "wavelength": written.get("wavelength") or "Angstrom",
            "signal": f"{scale} {_EUCLID_FLUX}",
            "var": f"{scale**2} ({_EUCLID_FLUX})**2",
        }
    return documented | {name: unit for name, unit in written.items() if unit}


def header(source: Source, place: int, names: dict[str, str]) -> dict[str, Any]:
    """Return what is known beside a table's own header, by lower-case keyword.

    Parameters
    ----------
    source
        The file.
    place
        Number of the table's HDU.
    names
        Its columns.
    """
    hdu = source.hdus[place]
    said: dict[str, Any] = {}
    for count, own in enumerate(hdu.columns.names, 1):
        if own.lower() in ("wave", "wavelength") and "obs.atmos" in str(
            value(hdu.header, f"TUCD{count}") or ""
        ):
            said["medium"] = "air"  # ESO: measured in the atmosphere
    if _is_mwm(names):
        said["medium"] = "vacuum"
        start, step = number(value(hdu.header, "CRVAL")), number(value(hdu.header, "CDELT"))
        if "wavelength" not in names and start is not None and step is not None:
            said |= {"coeff0": start, "coeff1": step}
    bits = (
        _DO_NOT_USE if value(source.hdus[0].header, "TELESCOP") == "JWST" else value(hdu.header, "SDQFLAGS")
    )
    if "dq" in names and (counted := whole(bits)):  # SDQFLAGS: HST's serious ones
        said[BAD_BITS] = counted
    if _COMBINED.fullmatch(hdu.name) and place > 0:
        said |= _euclid_object(source, place)
    return said


def are_segments(names: dict[str, str]) -> bool:
    """Return whether the rows of a table are parts of one spectrum, as the segments of COS are."""
    return {"segment", "nelem", "wavelength", "flux"} <= set(names)


def left_out(names: list[str]) -> list[str]:
    """Return which of a file's tables hold what others of its tables hold, too: exposures, extractions."""
    combined = {match[1] for name in names if (match := _COMBINED.fullmatch(name))}
    exposures = (re.fullmatch(r"(\d+)_DITH1D_\d+_SIGNAL", name) for name in names)
    again = [name for name in names if name.upper().startswith("HORNE")]  # DEEP2: of the same objects
    doubled = again if len(again) < len(names) else []
    return [match[0] for match in exposures if match and match[1] in combined] + doubled


def ignored_quality(names: dict[str, str]) -> tuple[str, ...]:
    """Return the columns of quality that are not to be followed, by the documentation.

    SDSS-V's ivar is zero where a pixel must not be used; its flags warn of others too.
    """
    return ("pixel_flags",) if _is_mwm(names) else ()


def _is_mwm(names: dict[str, str]) -> bool:
    return {"sdss_id", "flux", "ivar"} <= set(names)


def _euclid_object(source: Source, place: int) -> dict[str, Any]:
    """Name and position of an object, which stand in the extension `N_META` before its spectra."""
    match = _COMBINED.fullmatch(source.hdus[place].name)
    wanted = f"{match[1]}_META" if match else ""
    meta = next((hdu for hdu in source.hdus[:place] if hdu.name == wanted), source.hdus[place])
    said = fitstable.header(meta)
    name = text(said.get("obj_id"))
    return {
        "ra": said.get("ra_obj"), "dec": said.get("dec_obj"), "object": name, "medium": "vacuum",
        BAD_BITS: _EUCLID_BAD,
    }  # fmt: skip
