"""Which schema a message was written with: the `.avsc` files of `avro/`, by fixed number.

A schema's number is `record * 10000 + major * 100 + minor`, written in its file as "spectraq.id". Nobody
has to ask a server: the files are the registry, and each says its own number.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import fastavro
from fastavro.schema import SchemaParseException, UnknownType

RECORDS = {
    "Spectrum": 1,
    "Classification": 2,
    "Redshift": 3,
    "Anomaly": 4,
    "ModelSpectrum": 5,
    "DeadLetter": 6,
    "Verdict": 7,
    "Measurement": 8,
    "Change": 9,
    "RememberedSpectrum": 10,
}
"""Number of each record; never to be given to another one."""


@dataclass(frozen=True)
class Schema:
    """One version of one record."""

    record: str
    major: int
    minor: int
    document: dict[str, Any]  # as in the file
    parsed: Any  # as fastavro wants it; None where what is written with it is JSON

    @property
    def id(self) -> int:
        """Its number in the frame of a message."""
        return schema_id(self.record, self.major, self.minor)

    @property
    def version(self) -> str:
        """Major and minor version, "1.0"."""
        return f"{self.major}.{self.minor}"


def schema_id(record: str, major: int, minor: int) -> int:
    """Return the number that a message written with this schema carries."""
    return RECORDS[record] * 10_000 + major * 100 + minor


@cache
def schemas() -> dict[int, Schema]:
    """Return every schema that spectraq knows, by number."""
    return {schema.id: schema for schema in read_schemas(files("spectraq.schemas") / "avro")}


@cache
def newest(record: str, major: int | None = None) -> Schema | None:
    """Return the newest schema of a record (of one major version), the one that is written with."""
    versions = [s for s in schemas().values() if s.record == record and major in (None, s.major)]
    return max(versions, key=lambda schema: (schema.major, schema.minor), default=None)


@dataclass(frozen=True)
class Written:
    """How to read a message that carries a number."""

    schema: Schema  # to read the bytes with
    reader: Any = None  # parsed schema whose defaults fill what an older message lacks
    newer: bool = (
        False  # written with a minor version of the future: what follows the known fields is its own
    )
    foreign: bool = False  # with a schema that somebody else made


@cache
def written_with(number: int) -> Written | None:
    """Return how to read what was written with this schema, if it can be read at all.

    Within a major version fields are only ever added, at the end and with a default. So an older message is
    read with its own schema and completed, and of a newer one the known fields are read.
    """
    name = {number: name for name, number in RECORDS.items()}.get(number // 10_000)
    latest = newest(name, number // 100 % 100) if name else None
    if latest is None:
        return None
    if number >= latest.id:
        return Written(latest, newer=number > latest.id)
    older = schemas().get(number)
    return None if older is None else Written(older, reader=latest.parsed)


def read_schemas(folder: Traversable) -> Iterator[Schema]:
    """Read every `Record/major.minor.avsc` of a folder.

    Raises
    ------
    ValueError
        Naming the file that is no schema, and why.
    """
    for record in sorted(folder.iterdir(), key=lambda item: item.name):
        if record.is_dir():
            for file in sorted(record.iterdir(), key=lambda item: item.name):
                if file.name.endswith(".avsc"):
                    yield _read(record.name, file)


def _read(record: str, file: Traversable) -> Schema:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        major, minor = map(int, file.name.removesuffix(".avsc").split("."))
        parsed = fastavro.parse_schema(document, named_schemas={})
    except (ValueError, SchemaParseException, UnknownType) as error:
        raise ValueError(f"{record}/{file.name} is no schema: {error}") from error
    return Schema(record, major, minor, document, parsed)
