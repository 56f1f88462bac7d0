"""Take a person's verdict from the page, and publish it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from spectraq.schemas.spectrum import SpectrumId
from spectraq.schemas.text import escaped
from spectraq.schemas.verdict import OfFlag, Quality, Verdict
from spectraq.workers.errors import UnreachableError
from spectraq.workers.settings import Settings
from spectraq.workers.transport.sender import Sender
from spectraq.workers.transport.topics import list_topics
from spectraq.workers.web.night.entry import Entry

LINE = 300
"""Characters of a refusal."""


class NotSaidError(ValueError):
    """A body that is no verdict; `status` is that of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(escaped(message)[:LINE])
        self.status = status


class Said(BaseModel):
    """What the page sends; who, when and of which answer is added here."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    spectrum_id: SpectrumId
    digest: Annotated[str, Field(max_length=64)] = ""  # of the pixels looked at; empty: those answered last
    spectype: Annotated[str, Field(pattern="^(GALAXY|QSO|STAR|UNKNOWN)$")]
    z: Annotated[float, Field(ge=-0.1, le=20, allow_inf_nan=False)]
    quality: Quality
    comment: Annotated[str, Field(max_length=2000)] = ""
    author: Annotated[str, Field(min_length=1, max_length=100)]
    anomaly: OfFlag = ""

    @classmethod
    def read(cls, body: bytes) -> Said:
        """Read it from strict JSON: no NaN, no half of a character, no depth.

        Raises
        ------
        NotSaidError
            Where it is none, saying why in one line.
        """
        try:
            return cls.model_validate(from_json(body, allow_inf_nan=False))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            where = ".".join(map(str, first["loc"])) or "the verdict"
            raise NotSaidError(422, f"{where}: {first['msg']}") from None
        except ValueError as error:
            raise NotSaidError(400, f"no JSON: {error}") from None

    def verdict(self, entry: Entry) -> Verdict:
        """Return the message: what was said, and what it was said of."""
        results = entry.results()
        provenance: dict[str, str] = next((result["provenance"] for result in results.values()), {})
        return Verdict(
            **self.model_dump(exclude={"digest"}),
            verdict_id=str(uuid.uuid4()),
            spectrum_digest=entry.row.digest,
            time_ms=int(time.time() * 1000),
            machine_spectype=entry.row.spectype,
            machine_z=entry.row.z,
            ensemble_digest=provenance.get("ensemble_digest", ""),
        )


def publisher(settings: Settings) -> Callable[[Verdict], None]:
    """Return what publishes a verdict and waits until it is acknowledged."""
    topic = settings.topics.verdicts

    def publish(verdict: Verdict) -> None:
        if not any(listed.name == topic and listed.partitions for listed in list_topics(settings)):
            raise UnreachableError(f"Kafka has no topic {topic}; make it with `spectraq topics create`")
        with Sender(settings) as sending:
            sending.publish(verdict, verdict.spectrum_id, topic)

    return publish
