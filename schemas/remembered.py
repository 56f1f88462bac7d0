"""A spectrum as it is remembered, to be compared with later ones of its object."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from spectraq.schemas.message import Bytes, Message

ObjectName = Annotated[str, Field(min_length=1, max_length=200)]


class RememberedSpectrum(Message):
    """One of the best spectra of an object: its pixels as they came, and what was answered."""

    object: ObjectName
    name: Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")]  # of this spectrum within the object
    spectrum_id: str
    spectrum_digest: str  # sha256 in hex of the pixels
    ensemble_digest: str | None = None  # that answered it; None where it came from a file, as of what follows
    ensemble_version: str | None = None
    classification_id: str | None = None
    redshift_id: str | None = None
    anomaly_id: str | None = None
    survey: str | None = None
    target_id: str | None = None
    ra: float | None = None  # deg, ICRS
    dec: float | None = None  # deg, ICRS
    mjd: float | None = None  # day, UTC
    exposure: str | None = None
    snr: float  # median of flux over noise
    spectype: str | None = None
    subtype: str | None = None
    z: float | None = None
    zerr: float | None = None
    zwarn: int | None = None
    remembered_us: int  # since 1970, UTC: what was remembered before may be compared with what came after
    spectrum: Bytes  # a framed Spectrum

    @property
    def key(self) -> bytes:
        """Key of the message: of each spectrum its own, so that no writer replaces another's."""
        return message_key(self.object, self.name)


def message_key(object_name: str, name: str) -> bytes:
    """Return the key under which a spectrum of an object is on the topic."""
    return f"{object_name}/{name}".encode()
