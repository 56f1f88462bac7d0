"""What a person says of a spectrum, beside what the networks said."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from spectraq.schemas.message import Message
from spectraq.schemas.spectrum import SpectrumId

Quality = Annotated[int, Field(ge=0, le=4)]
"""As in visual inspection: 0 nothing to be said, 1 a guess, 2 possible, 3 probable, 4 certain."""


OfFlag = Literal["", "nothing", "instrument", "interesting"]
"""What a person says of an anomaly flag; empty where they say nothing of it."""


class Verdict(Message):
    """One person's judgement of one spectrum; a later one of the same person replaces it."""

    verdict_id: str
    spectrum_id: SpectrumId
    spectrum_digest: str  # sha256 in hex of the pixels that were looked at; empty where they were not kept
    spectype: Literal["GALAXY", "QSO", "STAR", "UNKNOWN"]
    z: Annotated[float, Field(ge=-0.1, le=20, allow_inf_nan=False)]
    quality: Quality
    comment: Annotated[str, Field(max_length=2000)]
    author: Annotated[str, Field(min_length=1, max_length=100)]
    time_ms: int  # since 1970, UTC
    machine_spectype: str
    machine_z: float
    ensemble_digest: str
    anomaly: OfFlag = ""
