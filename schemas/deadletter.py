"""What could not be analysed: the original bytes, where they came from, and why."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator

from spectraq.schemas.message import Bytes, Message


class DeadLetterReason(StrEnum):
    """Why a message is a dead letter; a stable code, with the sentence that helps."""

    UNDECODABLE = "undecodable"
    TRUNCATED = "truncated"
    UNKNOWN_SCHEMA = "unknown_schema"
    WRONG_SHAPE = "wrong_shape"
    TOO_LARGE = "too_large"
    EMPTY = "empty"
    TOMBSTONE = "tombstone"
    LENGTH_MISMATCH = "length_mismatch"
    BAD_WAVELENGTH = "bad_wavelength"
    NO_GOOD_PIXELS = "no_good_pixels"
    ANALYSIS_FAILED = "analysis_failed"
    CRASHES = "crashes"
    UNREADABLE_BATCH = "unreadable_batch"
    BATCH_TOO_LARGE = "batch_too_large"

    @property
    def advice(self) -> str:
        """What to do about it, in one sentence."""
        return _ADVICE[self]


_ADVICE = {
    DeadLetterReason.UNDECODABLE: "Send framed Avro, JSON, FITS or Arrow; something else writes to this"
    " topic.",
    DeadLetterReason.TRUNCATED: "The end is missing: look at the producer's size limits, then send it again.",
    DeadLetterReason.UNKNOWN_SCHEMA: "A Schema Registry gives numbers of its own: set"
    " kafka.schema_registry.url or say which they are in kafka.schema_ids, and replay; or frame with"
    " spectraq.id of the schema's file. If the producer is newer, upgrade the workers and replay.",
    DeadLetterReason.WRONG_SHAPE: "Compare it with the Spectrum schema; the letter names the field.",
    DeadLetterReason.TOO_LARGE: "Rebin it, or raise kafka.max_message_bytes or worker.max_pixels and replay.",
    DeadLetterReason.EMPTY: "There are no pixels: look at the extraction that made it.",
    DeadLetterReason.TOMBSTONE: "Nothing is lost: a message without a value deletes its key where topics are"
    " compacted, and a result is never deleted. Have the connector that sends them leave them out.",
    DeadLetterReason.LENGTH_MISMATCH: "Every array needs one value a pixel: look at the producer.",
    DeadLetterReason.BAD_WAVELENGTH: "Give wavelengths once: finite, positive, ascending, in angstrom.",
    DeadLetterReason.NO_GOOD_PIXELS: "Too few pixels are finite, unmasked and at 3600 to 10400 Å.",
    DeadLetterReason.CRASHES: "This is a fault of spectraq or of its machine: report it with the bytes.",
    DeadLetterReason.UNREADABLE_BATCH: "Look at the producer and the broker's disk, and send it again.",
    DeadLetterReason.BATCH_TOO_LARGE: "Raise kafka.max_batch_bytes, or send smaller batches.",
    DeadLetterReason.ANALYSIS_FAILED: "This is a fault of spectraq: report it, and replay after an upgrade.",
}


def _known_reason(value: Any) -> Any:
    # A letter of a later version must stay readable, so an unknown code stays as it is.
    return DeadLetterReason(value) if value in set(DeadLetterReason) else value


def _pairs(value: Any) -> Any:
    return [(h["name"], h["value"]) if isinstance(h, dict) else h for h in value]


class DeadLetter(Message):
    """One message that could not be analysed, or one batch of messages that could not be read."""

    reason: Annotated[DeadLetterReason | str, BeforeValidator(_known_reason)]
    message: str
    topic: str
    partition: int
    offset: int
    timestamp_ms: int  # of the original, since 1970 UTC
    key: Bytes | None = None
    value: Bytes
    headers: Annotated[tuple[tuple[str, Bytes], ...], BeforeValidator(_pairs)] = ()
    spectraq_version: str
    last_offset: int | None = None  # of a batch that could not be read
    cut: bool = False  # whether key, value or headers are not whole

    @property
    def advice(self) -> str:
        """What to do about it, in one sentence."""
        if isinstance(self.reason, DeadLetterReason):
            return self.reason.advice
        return "A newer spectraq wrote this letter: upgrade to read more."

    @property
    def place(self) -> str:
        """Partition and offset of the original, "0:12"; of a batch, those of all that it holds, "0:12-75"."""
        last = "" if self.last_offset in (None, self.offset) else f"-{self.last_offset}"
        return f"{self.partition}:{self.offset}{last}"

    def avro_values(self) -> dict[str, Any]:
        """Return the fields as an Avro writer wants them."""
        values = super().avro_values()
        values["headers"] = [{"name": name, "value": value} for name, value in self.headers]
        return values
