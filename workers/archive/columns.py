"""The columns of each table: the fields of the newest schema of its record, flat, and their origin."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from spectraq.schemas.deadletter import DeadLetter
from spectraq.schemas.message import Message
from spectraq.schemas.registry import newest
from spectraq.schemas.results import Anomaly, Classification, Measurement, ModelSpectrum, Redshift
from spectraq.workers.archive.places import cell_of, healpix_indices, night_of
from spectraq.workers.transport.messages import Record

KINDS: dict[str, type[Message]] = {
    "classifications": Classification,
    "redshifts": Redshift,
    "anomalies": Anomaly,
    "measurements": Measurement,
    "models": ModelSpectrum,
    "dead_letters": DeadLetter,
}
"""What each table holds; tables have the names of the settings of their topics."""

UNREADABLE = "unreadable"
"""The table of what stands on the topics of results and is no result."""

CLASSES = ("GALAXY", "QSO", "STAR")
KEPT_BYTES = 64 << 10
"""Of a message that is no result."""

_UNIT = re.compile(r"\s*Unit: (?P<unit>.*)\.$")
_SIMPLE = {
    "string": pa.string(),
    "double": pa.float64(),
    "float": pa.float32(),
    "int": pa.int32(),
    "long": pa.int64(),
    "boolean": pa.bool_(),
    "bytes": pa.binary(),
}
_PIXELS = pa.list_(pa.float32())

_ORIGIN = (
    ("night", pa.date32(), "UTC date of the exposure; where mjd is not known, of the message"),
    ("kafka_partition", pa.int32(), "partition of the message"),
    ("kafka_offset", pa.int64(), "offset of the message"),
    ("kafka_time", pa.timestamp("us", tz="UTC"), "timestamp of the message"),
)
_OF_POSITIONS = (
    ("healpix_29", pa.int64(), "pixel of ra and dec in HEALPix of order 29, nested"),
    ("healpix_cell", pa.int32(), "pixel of ra and dec in HEALPix of order 4, nested"),
)
_ADDED: dict[type[Message], tuple[tuple[str, pa.DataType, str], ...]] = {
    Classification: (
        ("probability", pa.float64(), "calibrated probability of spectype"),
        *((f"p_{name.lower()}", pa.float64(), f"calibrated probability of {name}") for name in CLASSES),
    )
}
_OF_UNREADABLE = (
    ("topic", pa.string(), "topic of the message"),
    ("reason", pa.string(), "why it is no result, a code as of dead letters"),
    ("message", pa.string(), "what is wrong, in one line"),
    ("key", pa.binary(), "its key"),
    ("value", pa.binary(), f"its body, the first {KEPT_BYTES} bytes"),
    ("value_bytes", pa.int64(), "how long its body is"),
)


@cache
def schema_of(table: str) -> pa.Schema:
    """Return the columns of a table, with what is said of each as `comment` and its unit as `unit`.

    Parameters
    ----------
    table
        A key of `KINDS`, or `UNREADABLE`.
    """
    if table == UNREADABLE:
        return pa.schema([_field(*column) for column in (*_ORIGIN, *_OF_UNREADABLE)])
    kind = KINDS[table]
    schema = newest(kind.__name__)
    assert schema is not None
    fields = [_field(*column) for column in _ORIGIN]
    for avro in schema.document["fields"]:
        inside = avro["type"]["fields"] if avro["name"] == "provenance" else [avro]
        fields += [_field(part["name"], _arrow(part["type"], kind), part.get("doc", "")) for part in inside]
    added = (*(_OF_POSITIONS if "ra" in kind.model_fields else ()), *_ADDED.get(kind, ()))
    return pa.schema(fields + [_field(*column) for column in added])


@cache
def plain_schema_of(table: str) -> pa.Schema:
    """Return the columns of a table without what is said of them.

    Rows are written so: words of another version would keep their columns from being merged.
    """
    return pa.schema([field.remove_metadata() for field in schema_of(table)])


def _field(name: str, kind: pa.DataType, doc: str) -> pa.Field:
    unit = _UNIT.search(doc)
    said = {"comment": _UNIT.sub("", doc)}
    if unit and unit["unit"] not in ("none", "1"):
        said["unit"] = unit["unit"]
    # nullable all: what an older version wrote, or another sink will write, has no value there
    return pa.field(name, kind, metadata=said)


def _arrow(avro: Any, kind: type[Message]) -> pa.DataType:
    if isinstance(avro, list):
        (inside,) = [branch for branch in avro if branch != "null"]
        return _arrow(inside, kind)
    if isinstance(avro, dict) and avro["type"] == "array":
        return pa.list_(_arrow(avro["items"], kind))
    if isinstance(avro, dict) and avro["type"] == "map":
        return pa.map_(pa.string(), _arrow(avro["values"], kind))
    if isinstance(avro, dict) and avro["type"] == "record":
        return pa.struct([pa.field(part["name"], _arrow(part["type"], kind)) for part in avro["fields"]])
    name = avro["type"] if isinstance(avro, dict) else avro
    return _PIXELS if name == "bytes" and kind is ModelSpectrum else _SIMPLE[name]


def row_of(record: Record, message: Message) -> dict[str, Any]:
    """Return a message as a row, with what `batch_of` adds left out."""
    values = message.avro_values()
    if "provenance" in values:
        values |= values.pop("provenance")
    if isinstance(message, DeadLetter):
        values["reason"] = str(message.reason)
        night = night_of(None, message.timestamp_ms if message.timestamp_ms >= 0 else record.timestamp_ms)
    else:
        night = night_of(values["mjd"], record.timestamp_ms)
    if isinstance(message, Classification):
        given = message.class_probability
        values |= {f"p_{name.lower()}": given.get(name) for name in CLASSES}
        values["probability"] = given.get(message.spectype)
    return values | _origin(record) | {"night": night}


def row_of_unreadable(record: Record, reason: str, why: str) -> dict[str, Any]:
    """Return what is no result as a row of the table `UNREADABLE`."""
    return _origin(record) | {
        "night": night_of(None, record.timestamp_ms),
        "topic": record.topic,
        "reason": reason,
        "message": why,
        "key": record.key,
        "value": record.value[:KEPT_BYTES],
        "value_bytes": len(record.value),
    }


def _origin(record: Record) -> dict[str, Any]:
    return {
        "kafka_partition": record.partition,
        "kafka_offset": record.offset,
        "kafka_time": record.timestamp_ms * 1000 if record.timestamp_ms >= 0 else None,
    }


def batch_of(table: str, rows: Sequence[dict[str, Any]]) -> pa.RecordBatch:
    """Return rows as columns of a table, in the order of `schema_of`."""
    schema = plain_schema_of(table)
    columns = {name: [row.get(name) for row in rows] for name in schema.names}
    if "healpix_29" in columns:
        columns["healpix_29"] = healpix_indices(columns["ra"], columns["dec"])
        columns["healpix_cell"] = [cell_of(index) for index in columns["healpix_29"]]
    arrays = [_array(columns[field.name], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_map(kind):
        values = [None if value is None else list(value.items()) for value in values]
    return pa.array([_with_numbers(value, kind) for value in values], kind)


def _with_numbers(value: Any, kind: pa.DataType) -> Any:
    """Return a value with the pixels in it as arrays."""
    if kind == _PIXELS:
        return None if value is None else np.frombuffer(value, "<f4")
    if value is not None and pa.types.is_list(kind) and pa.types.is_struct(kind.value_type):
        pixels = [field.name for field in kind.value_type if field.type == _PIXELS]
        return [item | {name: np.frombuffer(item[name], "<f4") for name in pixels} for item in value]
    return value
