"""CloudEvents headers, binary mode (Kafka protocol binding, version 1.0)."""

from __future__ import annotations

from collections.abc import Iterable

from spectraq.schemas.deadletter import DeadLetter
from spectraq.schemas.message import Message
from spectraq.schemas.results import Result
from spectraq.schemas.spectrum import Spectrum
from spectraq.schemas.verdict import Verdict

AVRO = "application/avro"
SOURCE = "/spectraq"

HEADERS: tuple[tuple[str, bytes], ...] = (
    ("ce_specversion", b"1.0"),
    ("ce_source", SOURCE.encode()),
    ("content-type", AVRO.encode()),
)
"""The headers that are the same for every message that spectraq writes."""


def headers(message: Message) -> list[tuple[str, bytes]]:
    """Return the headers of a message: what it is and which one, to be known without decoding it."""
    return [
        *HEADERS,
        ("ce_type", f"spectraq.{type(message).__name__}".encode()),
        ("ce_id", _identity(message).encode()),
    ]


def content_type(pairs: Iterable[tuple[str, bytes]]) -> str:
    """Return the content type among headers, lower case and without parameters; empty where there is none."""
    for name, value in pairs:
        if name.lower() == "content-type" and value is not None:
            return value.decode("latin-1").partition(";")[0].strip().lower()
    return ""


def _identity(message: Message) -> str:
    if isinstance(message, Result):
        return message.result_id
    if isinstance(message, Verdict):
        return message.verdict_id
    if isinstance(message, Spectrum):
        return f"{message.spectrum_id}/{message.digest}"
    if isinstance(message, DeadLetter):
        return f"{message.topic}/{message.partition}/{message.offset}"
    raise TypeError(f"{type(message).__name__} does not travel alone")
