"""Pages of the schemas, from their `.avsc` files: every field of every version, and the file itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from spectraq.schemas.registry import RECORDS, Schema, newest, schemas

ROOT = Path(__file__).parents[2]

HEAD = """# Schemas

The records of the stream, as their Avro files have them. How they travel is on [the wire](wire.md).

| record | number | version | what |
| --- | --- | --- | --- |
"""


def write(folder: Path) -> None:
    """Write `schemas.md`, one page a record and the `.avsc` files into a folder."""
    rows = []
    for record in RECORDS:
        latest = newest(record)
        assert latest is not None
        rows.append(
            f"| [{record}]({record.lower()}.md) | {latest.id} | {latest.version} | {latest.document['doc']} |"
        )
        for version in versions(record):
            shutil.copy(
                ROOT / "schemas" / "avro" / record / f"{version.version}.avsc", folder / file_of(version)
            )
        (folder / f"{record.lower()}.md").write_text(page(latest))
    (folder / "schemas.md").write_text(HEAD + "\n".join(rows) + "\n")


def versions(record: str) -> list[Schema]:
    """Return all versions of a record, oldest first."""
    return sorted((s for s in schemas().values() if s.record == record), key=lambda s: s.id)


def file_of(schema: Schema) -> str:
    """Return the name of a version's file on the site."""
    return f"{schema.record}-{schema.version}.avsc"


def page(latest: Schema) -> str:
    """Return the page of one record."""
    since = {}
    for version in reversed(versions(latest.record)):
        since |= {field["name"]: version.version for field in version.document["fields"]}
    files = ", ".join(f"[{v.version}]({file_of(v)}) (number {v.id})" for v in versions(latest.record))
    parts = [f"# {latest.record}\n", f"{latest.document['doc']}\n", f"Versions: {files}.\n"]
    for record in records(latest.document):
        nested = record["name"] != latest.record
        parts.append(f"## {record['name']}\n" if nested else "")
        parts.append(f"{record['doc']}\n" if nested else "")
        parts.append(table(record["fields"], {} if nested else since))
    example = f"```json\n{json.dumps(latest.document, indent=2, ensure_ascii=False)}\n```\n"
    parts.append(f"## The file\n\n{example}")
    return "\n".join(part for part in parts if part)


def records(part: Any) -> Iterator[dict[str, Any]]:
    """Yield a record and the records inside it."""
    if isinstance(part, list):
        for branch in part:
            yield from records(branch)
    elif isinstance(part, dict) and part["type"] == "record":
        yield part
        for field in part["fields"]:
            yield from records(field["type"])
    elif isinstance(part, dict):
        yield from records(part.get("items", part.get("values")))


def table(fields: list[dict[str, Any]], since: dict[str, str]) -> str:
    """Return the table of a record's fields; columns in which nothing stands or differs are left out."""
    several = len(set(since.values())) > 1
    rows = []
    for field in fields:
        meaning, unit = described(field)
        row = {"field": f"`{field['name']}`", "type": type_of(field["type"]), "unit": unit}
        row["default"] = f"`{json.dumps(field['default'])}`" if "default" in field else ""
        row["since"] = since[field["name"]] if several else ""
        rows.append(row | {"meaning": meaning})
    columns = [column for column in rows[0] if any(row[column] for row in rows)]
    return markdown(columns, ([row[column] for column in columns] for row in rows)) + "\n"


def markdown(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown."""
    columns = list(columns)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *rows))


def described(field: dict[str, Any]) -> tuple[str, str]:
    """Return what a field means, and its unit, empty where it has none."""
    meaning, unit = field["doc"].removesuffix(".").split(" Unit: ")
    return meaning, "" if unit == "none" else unit


def type_of(part: Any, linked: bool = True) -> str:
    """Return an Avro type in words; with `linked` the name of a record leads to its table."""
    if isinstance(part, list):
        return " or ".join([*(type_of(branch, linked) for branch in part if branch != "null"), "null"])
    if isinstance(part, str):
        return part
    if part["type"] == "record":
        return f"[{part['name']}](#{part['name'].lower()})" if linked else str(part["name"])
    return f"{part['type']} of {type_of(part.get('items', part.get('values')), linked)}"
