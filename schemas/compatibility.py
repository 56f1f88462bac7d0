"""Whether the schemas may be released: anybody who reads a topic today must still read it tomorrow.

The rule is FORWARD_TRANSITIVE, made a little stricter so that it needs no registry: within a major version a
record only ever gains fields, at its end and with a default, and nothing else of it changes but its docs. So
what the newest version writes is read with every released older schema, even by a reader that has never seen
the newest one, and what older versions wrote is read with the newest. Anything else is a new major version.

A file that was released is never edited: `avro/RELEASED` lists each with its SHA-256, in the format of
`sha256sum --check`.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
from fastavro.utils import generate_many

from spectraq.schemas.registry import RECORDS, Schema, read_schemas, schema_id

AVRO = Path(__file__).parent / "avro"
RELEASED = "RELEASED"
SAMPLES = 20
"""Random records to try; the rule above is what proves, these show that fastavro sees it the same way."""

UNIT = re.compile(r"Unit: ([^ ].*)\.$")


def problems(folder: Path = AVRO) -> list[str]:
    """List what forbids a release of the schemas in a folder, one line each; empty is good."""
    released = _released(folder)
    found = list(_edited(folder, released))
    try:
        versions = list(read_schemas(folder))
    except ValueError as error:
        return [*found, str(error)]
    for schema in versions:
        found += _labels(schema)
    for older, newer in itertools.product(versions, versions):
        same_line = (older.record, older.major) == (newer.record, newer.major)
        if same_line and older.minor < newer.minor and _path(older) in released:
            found += compare(older, newer)
    return found


def compare(older: Schema, newer: Schema) -> list[str]:
    """List what keeps readers of an older schema from reading messages of a newer one, and the reverse."""
    where = f"{newer.record} {newer.version}, compared with {older.version}"
    found = [f"{where}: {change}" for change in _grown(older.document, newer.document)]
    return found or [f"{where}: {failure}" for failure in _unreadable(older, newer)]


def main() -> int:
    """Print the problems on standard error; exit code 1 where there are any."""
    found = problems()
    for line in found:
        sys.stderr.write(f"schemas: {line}\n")
    return 1 if found else 0


def _path(schema: Schema) -> str:
    return f"{schema.record}/{schema.version}.avsc"


def _released(folder: Path) -> dict[str, str]:
    lines = (folder / RELEASED).read_text().splitlines()
    return {path: digest for digest, path in (line.split(maxsplit=1) for line in lines if line)}


def _edited(folder: Path, released: dict[str, str]) -> Iterator[str]:
    for path, digest in released.items():
        file = folder / path
        if not file.is_file():
            yield f"{path} was released and is gone: put it back"
        elif hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            yield f"{path} was released and then edited: put it back, and make a new version of it"


def _labels(schema: Schema) -> Iterator[str]:
    """Check what a schema says of itself, and that it says what each field means."""
    document, where = schema.document, f"{schema.record} {schema.version}"
    if schema.record not in RECORDS:
        yield f"{where}: the record has no number; give it one in schemas/registry.py"
        return
    labels = {
        "name": schema.record,
        "namespace": "spectraq",
        "spectraq.id": schema_id(schema.record, schema.major, schema.minor),
        "spectraq.version": schema.version,
    }
    for label, wanted in labels.items():
        if document.get(label) != wanted:
            yield f"{where}: {label} is {document.get(label)!r} and must be {wanted!r}"
    for path, field in _fields(document, ""):
        if _unit(field) is None:
            yield f"{where}: the doc of {path} must end with its unit: 'Unit: angstrom.', 'Unit: none.'"


def _fields(part: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Walk over every field of a schema, nested ones with a dotted path."""
    if isinstance(part, list):
        for branch in part:
            yield from _fields(branch, path)
    elif isinstance(part, dict) and part["type"] == "record":
        for field in part["fields"]:
            here = f"{path}.{field['name']}".lstrip(".")
            yield here, field
            yield from _fields(field["type"], here)
    elif isinstance(part, dict):
        yield from _fields(part.get("items", part.get("values")), path)


def _grown(older: dict[str, Any], newer: dict[str, Any]) -> Iterator[str]:
    """Name what changed in a record other than docs and fields added at its end with a default."""
    n = len(older["fields"])
    yield from _changed(older, newer | {"fields": newer["fields"][:n]}, "")
    before = {field["name"] for field in older["fields"]}
    for field in newer["fields"][n:]:
        if field["name"] not in before and "default" not in field:
            yield f"the new field {field['name']} has no default, so older messages can't be read"


def _changed(older: Any, newer: Any, path: str) -> Iterator[str]:
    """Name every difference between two types, docs and defaults aside."""
    if _kind(older) != _kind(newer):
        yield f"{path or 'the record'} changed its type from {_kind(older)} to {_kind(newer)}"
    elif isinstance(older, list):
        for one, other in zip(older, newer, strict=True):
            yield from _changed(one, other, path)
    elif isinstance(older, dict) and older["type"] == "record":
        yield from _changed_fields(older["fields"], newer["fields"], path)
    elif isinstance(older, dict):
        inner = "items" if older["type"] == "array" else "values"
        yield from _changed(older.get(inner), newer.get(inner), path)


def _changed_fields(older: list[Any], newer: list[Any], path: str) -> Iterator[str]:
    before, after = ({field["name"]: field for field in fields} for fields in (older, newer))
    prefix = f"{path}." if path else ""
    gone = [name for name in before if name not in after]
    added = [name for name in after if name not in before]
    for name in gone:
        yield f"{prefix}{name} is gone: a field is neither removed nor renamed nor moved"
    for name in added:
        yield f"{prefix}{name} is new, and not at the end of the message's own record"
    if not gone and not added and list(before) != list(after):
        yield f"the fields of {path or 'the record'} changed their order"
    for name in before.keys() & after.keys():
        yield from _changed(before[name]["type"], after[name]["type"], prefix + name)
        one, other = _unit(before[name]), _unit(after[name])
        if one != other:
            yield f"{prefix}{name} changed its unit from {one} to {other}"


def _unit(field: dict[str, Any]) -> str | None:
    match = UNIT.search(field.get("doc", ""))
    return match and match[1]


def _kind(part: Any) -> str:
    """Name a type as far as its own level says it."""
    if isinstance(part, list):
        return " or ".join(_kind(branch) for branch in part)
    if not isinstance(part, dict):
        return str(part)
    own = {key: part[key] for key in ("name", "symbols", "size", "logicalType") if key in part}
    return " ".join([part["type"], *(str(value) for value in own.values())])


def _unreadable(older: Schema, newer: Schema) -> Iterator[str]:
    """Write random records with one schema and read them with the other, with and without its help."""
    for values in generate_many(newer.parsed, SAMPLES):
        body = _written(newer, values)
        expected = {field["name"]: values[field["name"]] for field in older.document["fields"]}
        try:
            resolved = fastavro.schemaless_reader(io.BytesIO(body), newer.parsed, older.parsed)
            prefix = fastavro.schemaless_reader(io.BytesIO(body), older.parsed, None)
        except Exception as error:  # fastavro has no one class for what it can't read
            yield f"its messages can't be read: {error}"
            return
        if not resolved == prefix == expected:
            yield "its messages are read with other values than were written"
            return
    for values in generate_many(older.parsed, SAMPLES):
        try:
            fastavro.schemaless_reader(io.BytesIO(_written(older, values)), older.parsed, newer.parsed)
        except Exception as error:
            yield f"it can't read the messages of {older.version}: {error}"
            return


def _written(schema: Schema, values: Any) -> bytes:
    body = io.BytesIO()
    fastavro.schemaless_writer(body, schema.parsed, values)
    return body.getvalue()
