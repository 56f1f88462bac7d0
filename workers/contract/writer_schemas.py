"""Which schema a spectrum was written with, when it comes with the number or GUID that a registry gave it.

What the settings say of a number counts first, then the numbers of ours, then the registry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from uuid import UUID

from spectraq.schemas.codec import FRAME, MAGIC, DecodeError
from spectraq.schemas.deadletter import DeadLetterReason
from spectraq.schemas.foreign import written_by
from spectraq.schemas.registry import Schema, Written, schema_id, written_with
from spectraq.workers.settings import KafkaSettings
from spectraq.workers.transport.schema_registry import Key, Registered, SchemaRegistry

HEADER = "__value_schema_id"
"""Where Confluent's clients put a schema's GUID, and then no frame before the record."""

GUID_MAGIC = 1
GUID_BYTES = 16
RECORD = "Spectrum"


class WriterSchemas:
    """Says how to read what carries a number or a GUID.

    Parameters
    ----------
    kafka
        The settings; without them only the numbers of ours are known.
    failed
        Called each time that the registry does not answer.
    """

    def __init__(self, kafka: KafkaSettings | None = None, failed: Callable[[], None] = lambda: None) -> None:
        self._said: dict[Key, str] = {} if kafka is None else dict(kafka.schema_ids)
        asked = kafka is not None and kafka.schema_registry.url is not None
        self._registry = SchemaRegistry(kafka.schema_registry, failed) if kafka and asked else None
        self._readings: dict[Key, tuple[Registered, Written | DecodeError]] = {}
        self._ours: set[int] = set()  # numbers of ours that are none of another schema in the registry

    @property
    def trouble(self) -> str:
        """Why the registry can't be asked, or an empty string."""
        return "" if self._registry is None else self._registry.trouble

    def begin_turn(self) -> None:
        """Give what is read now its time for schemas."""
        if self._registry is not None:
            self._registry.begin_turn()

    def known(self) -> bool:
        """Return whether reading may go on: where the registry was away, once it has told what was asked."""
        return self._registry is None or self._registry.answers()

    def of_number(self, number: int) -> Written | None:
        """Return how to read what has this number in its frame; None where nobody knows it.

        Raises
        ------
        DecodeError
            Where it is a schema of something else.
        RegistryAwayError
            Where the registry has to be asked, and does not answer.
        """
        if number in self._said:
            return _named(self._said[number])
        ours = written_with(number)
        if self._registry is None or number in self._ours:
            return ours
        if ours is None:
            return self._read(number)
        schema = self._registry.schema(number)
        if schema is not None and schema.document != ours.schema.document:
            raise DecodeError(
                DeadLetterReason.UNKNOWN_SCHEMA,
                f"the number {number} is {ours.schema.record} {ours.schema.version} of spectraq and another"
                " schema in the registry: say which in kafka.schema_ids",
            )
        self._ours.add(number)
        return ours

    def of_headers(self, headers: Iterable[tuple[str, bytes]]) -> Written | None:
        """Return how to read a body without a frame; None where no header says what it was written with.

        Raises
        ------
        DecodeError
            Where a header says it, and nobody knows that schema, or it is one of something else.
        RegistryAwayError
            Where the registry has to be asked, and does not answer.
        """
        key = _said_key(next((value for name, value in headers if name == HEADER), None))
        if key is None:
            return None
        found = self.of_number(key) if isinstance(key, int) else self._of_guid(key)
        if found is None:
            said = f"nobody knows the schema {key} of the header {HEADER}"
            raise DecodeError(DeadLetterReason.UNKNOWN_SCHEMA, said)
        return found

    def _of_guid(self, guid: UUID) -> Written | None:
        if guid in self._said:
            return _named(self._said[guid])
        return None if self._registry is None else self._read(guid)

    def _read(self, key: Key) -> Written | None:
        """Ask the registry, and make a reading of what it says, once."""
        assert self._registry is not None
        schema = self._registry.schema(key)
        if schema is None:
            self._readings.pop(key, None)
            return None
        kept = self._readings.get(key)
        if kept is None or kept[0] is not schema:
            if len(self._readings) >= MOST_READINGS:
                self._readings.clear()
            kept = self._readings[key] = schema, _reading(key, schema)
        if isinstance(kept[1], DecodeError):
            raise kept[1]
        return kept[1]


MOST_READINGS = 1000

OURS = WriterSchemas()
"""Knows the numbers of ours, and no others."""


def _reading(key: Key, schema: Registered) -> Written | DecodeError:
    if schema.fault:
        said = f"the registry's schema {key}: {schema.fault}"
        return DecodeError(DeadLetterReason.UNKNOWN_SCHEMA, said)
    if schema.kind == "JSON":
        return Written(Schema(RECORD, 0, 0, {}, None), foreign=True)
    if schema.kind != "AVRO":
        said = f"the registry's schema {key} is one of {schema.kind}; Avro and JSON are read"
        return DecodeError(DeadLetterReason.UNDECODABLE, said)
    try:
        return written_by(schema.document, RECORD, schema.named)
    except DecodeError as error:
        return DecodeError(error.reason, f"the registry's schema {key}: {error}")


def _said_key(value: bytes | None) -> Key | None:
    """Return what the header says: a GUID, or a number as a frame has it."""
    if value is None:
        return None
    if len(value) == 1 + GUID_BYTES and value[0] == GUID_MAGIC:
        return UUID(bytes=bytes(value[1:]))
    if len(value) == FRAME.size and value[0] == MAGIC:
        return int(FRAME.unpack(value)[1])
    raise DecodeError(DeadLetterReason.UNDECODABLE, f"the header {HEADER} is neither a GUID nor a number")


def _named(name: str) -> Written | None:
    """Return how to read a schema of ours by its name, such as Spectrum/1.0."""
    record, _, version = name.partition("/")
    major, _, minor = version.partition(".")
    return written_with(schema_id(record, int(major), int(minor)))
