"""CloudEvents (Kafka protocol binding, version 1.0): headers of binary mode, and whole events in JSON."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Any

from spectraq.schemas.deadletter import DeadLetter
from spectraq.schemas.message import Message
from spectraq.schemas.registry import RECORDS, newest, schema_id
from spectraq.schemas.remembered import RememberedSpectrum
from spectraq.schemas.results import Result
from spectraq.schemas.spectrum import Spectrum
from spectraq.schemas.verdict import Verdict

AVRO = "application/avro"
STRUCTURED = "application/cloudevents+json"
DATASCHEMA = "ce_dataschema"
SCHEMA_NAME = re.compile(rb"urn:spectraq:([A-Za-z]+)/(\d{1,2})\.(\d{1,2})")
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
        schema_header(message),
    ]


def schema_header(message: Message) -> tuple[str, bytes]:
    """Return the header that says which schema of ours wrote a message, whatever its frame says."""
    schema = newest(type(message).__name__)
    assert schema is not None
    return DATASCHEMA, f"urn:spectraq:{schema.record}/{schema.version}".encode()


def number_said(pairs: Iterable[tuple[str, bytes]]) -> int | None:
    """Return the number of the schema of ours that headers name; None where they name none."""
    for name, value in pairs:
        match = SCHEMA_NAME.fullmatch(value) if name == DATASCHEMA and value is not None else None
        if match is not None and match[1].decode() in RECORDS:
            return schema_id(match[1].decode(), int(match[2]), int(match[3]))
    return None


def event_data(event: dict[str, Any]) -> dict[str, Any] | bytes:
    """Return what an event in structured mode is about: an object of JSON, or bytes.

    Raises
    ------
    ValueError
        Saying what is wrong with it.
    """
    data, text = event.get("data"), event.get("data_base64")
    if isinstance(text, str) and data is None:
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("its data_base64 is not base64") from None
    if isinstance(data, dict) and text is None:
        return data
    raise ValueError("it needs either data, an object of JSON with a spectrum's fields, or data_base64")


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
    if isinstance(message, RememberedSpectrum):
        return f"{message.object}/{message.name}"
    if isinstance(message, DeadLetter):
        return f"{message.topic}/{message.partition}/{message.offset}"
    raise TypeError(f"{type(message).__name__} does not travel alone")
