"""Avro that was written with a schema of somebody else's, read as ours by Avro's rules of schema resolution.

A writer's schema comes with the bytes, in a container file, or from a registry. What may be read with it is
said before a byte is read: the record has the name of ours, and each field of ours is there, of a type that
Avro lets become ours, or has a default. Fields that ours lacks are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import fastavro

from spectraq.schemas.codec import DecodeError
from spectraq.schemas.deadletter import DeadLetterReason
from spectraq.schemas.registry import Schema, Written, newest, schemas, written_with

BECOMES = {
    "int": {"int", "long", "float", "double"},
    "long": {"long", "float", "double"},
    "float": {"float", "double"},
    "string": {"string", "bytes"},
    "bytes": {"bytes", "string"},
}
"""Types that a written type may be read as (Avro 1.12, Schema Resolution); any may be read as itself."""
GROUPS = {"exposure", "plate", "fiber"}
"""Fields that only say what a spectrum has in common with others: of another type, as numbers and records
are, they are left out as a survey's own fields are, and the spectrum is read without them."""


def written_by(document: Any, record: str = "Spectrum", named: Sequence[Any] = ()) -> Written:
    """Return how to read what was written with this schema as a record of ours.

    Parameters
    ----------
    document
        The writer's schema, as JSON gives it.
    record
        Ours.
    named
        Schemas of types that it names without defining them, each after those that it names itself.

    Raises
    ------
    DecodeError
        Where it is no schema, or its records are not of this kind.
    """
    for ours in schemas().values():
        if ours.record == record and ours.document == document:
            found = written_with(ours.id)
            assert found is not None
            return found
    latest = newest(record)
    assert latest is not None
    known: dict[str, Any] = {}
    try:
        for other in named:
            fastavro.parse_schema(other, named_schemas=known)
        parsed = fastavro.parse_schema(document, named_schemas=known)
    except Exception as error:  # fastavro raises whatever the first senseless word leads to
        said = f"the writer's schema is none of Avro's: {type(error).__name__}"
        raise DecodeError(DeadLetterReason.UNDECODABLE, said) from None
    reader = _without_groups_of_other_types(parsed, latest.parsed)
    difference = _difference(parsed, reader)
    if difference:
        said = f"{difference}, so that it can't be read as a {record} {latest.version}"
        raise DecodeError(DeadLetterReason.WRONG_SHAPE, said)
    return Written(Schema(record, 0, 0, {}, parsed), reader=reader, foreign=True)


def _difference(writer: Any, reader: Any) -> str:
    """Return what keeps records of one schema from being read as those of the other, or an empty string."""
    if not isinstance(writer, dict) or writer.get("type") != "record":
        return f"the writer's schema is {_name(writer)}, no record"
    name = writer["name"]
    if name.rpartition(".")[2] != reader["name"].rpartition(".")[2]:
        return f"the writer's schema is that of a record {name}"
    there = {field["name"]: field["type"] for field in writer["fields"]}
    for field in reader["fields"]:
        if field["name"] not in there:
            if "default" not in field:
                return f"the writer's schema of {name} has no field {field['name']}"
        elif branch := _unreadable(there[field["name"]], field["type"]):
            wanted = " or ".join(sorted(map(_name, _branches(field["type"]))))
            return (
                f"the field {field['name']} of the writer's schema of {name} may be {branch},"
                f" and only {wanted} is taken"
            )
    return ""


def _unreadable(written: Any, wanted: Any) -> str:
    """Return what a written type may be that can't be read as the wanted one, or an empty string."""
    taken = set(map(_name, _branches(wanted)))
    branches = map(_name, _branches(written))
    return next((branch for branch in branches if not BECOMES.get(branch, {branch}) & taken), "")


def _without_groups_of_other_types(writer: Any, reader: Any) -> Any:
    """Return the reader's schema without those of GROUPS that the writer has of another type."""
    if not isinstance(writer, dict) or writer.get("type") != "record":
        return reader
    there = {field["name"]: field["type"] for field in writer["fields"]}
    kept = [
        field
        for field in reader["fields"]
        if not (field["name"] in GROUPS & there.keys() and _unreadable(there[field["name"]], field["type"]))
    ]
    return reader if len(kept) == len(reader["fields"]) else {**reader, "fields": kept}


def _branches(schema: Any) -> list[Any]:
    return schema if isinstance(schema, list) else [schema]


def _name(schema: Any) -> str:
    """Return the name of a type."""
    if isinstance(schema, dict):
        return _name(schema.get("name", schema["type"]))
    return "a union" if isinstance(schema, list) else str(schema)
