"""Under which name the object of a spectrum is remembered, and the spectrum within it."""

from __future__ import annotations

import hashlib
import json

from spectraq.schemas.spectrum import Spectrum
from spectraq.schemas.text import unprintable

MAX_NAME = 200
"""Characters and bytes of a name; a survey may write anything."""


def object_name(spectrum: Spectrum) -> str | None:
    """Return `survey:target_id`, or J and the position; None where a spectrum says neither.

    A name that is too long or can't be printed is replaced by its SHA-256.
    """
    target = (spectrum.target_id or "").strip()
    if target:
        name = f"{(spectrum.survey or '').lower()}:{target}"
        if unprintable(name) is None and len(name.encode()) <= MAX_NAME:
            return name
        return "sha256:" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    if spectrum.ra is None or spectrum.dec is None:
        return None
    return f"J{spectrum.ra % 360:09.5f}{spectrum.dec:+09.5f}"


def spectrum_name(spectrum_id: str, spectrum_digest: str) -> str:
    """Return the name of a spectrum within its object: the same id and pixels, the same name."""
    text = json.dumps([spectrum_id, spectrum_digest])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def object_id_of(name: str) -> str:
    """Return a name of bounded length and plain characters for an object of any name."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]
