"""Take a person's verdict from the page, and publish it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from schemas.spectrum import Spectrum, SpectrumId
from schemas.verdict import Quality, Verdict
from workers.errors import UnreachableError
from workers.settings import Settings
from workers.transport.publisher import Publisher
from workers.transport.topics import list_topics
from workers.web.entry import Entry


class Said(BaseModel):
    """What the page sends; who, when and of which answer is added here."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    spectrum_id: SpectrumId
    spectype: Annotated[str, Field(pattern="^(GALAXY|QSO|STAR|UNKNOWN)$")]
    z: Annotated[float, Field(ge=-0.1, le=20, allow_inf_nan=False)]
    quality: Quality
    comment: Annotated[str, Field(max_length=2000)] = ""
    author: Annotated[str, Field(min_length=1, max_length=100)]

    def verdict(self, entry: Entry, spectrum: Spectrum | None) -> Verdict:
        """Return the message: what was said, and what it was said of."""
        results = entry.results()
        provenance: dict[str, str] = next((found["provenance"] for found in results.values()), {})
        return Verdict(
            **self.model_dump(),
            verdict_id=str(uuid.uuid4()),
            spectrum_digest=spectrum.digest if spectrum else provenance.get("spectrum_digest", ""),
            time_ms=int(time.time() * 1000),
            machine_spectype=entry.row.spectype,
            machine_z=entry.row.z,
            ensemble_digest=provenance.get("ensemble_digest", ""),
        )


def publisher(settings: Settings) -> Callable[[Verdict], None]:
    """Return what publishes a verdict and waits until it is acknowledged."""
    topic = settings.topics.verdicts

    def publish(verdict: Verdict) -> None:
        if not any(found.name == topic and found.partitions for found in list_topics(settings)):
            raise UnreachableError(f"Kafka has no topic {topic}; make it with `spectraq topics create`")
        with Publisher(settings) as sending:
            sending.publish(verdict, verdict.spectrum_id, topic)

    return publish
