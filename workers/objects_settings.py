"""Settings of the memory of objects: where it is, how much is kept, what counts as one object."""

from __future__ import annotations

from pydantic import Field, SecretStr

from spectraq.workers.setting_keys import Section

MAX_RADIUS_ARCSEC = 3.0
"""Half a cell of the index of positions: what lies further apart may be two cells away."""


class ObjectsSettings(Section):
    """The memory of objects, which `worker.changes` has spectra compared with."""

    url: SecretStr | None = Field(
        None, description="Redis of the memory, which must evict nothing; none: that of redis.url"
    )
    kept: int = Field(3, ge=1, le=16, description="spectra of an object that are kept: the best")
    radius_arcsec: float = Field(
        1.5,
        gt=0,
        le=MAX_RADIUS_ARCSEC,
        description="spectra of other names that lie within this distance are of one object",
    )
