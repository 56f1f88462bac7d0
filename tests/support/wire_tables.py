"""The tables of docs/wire.md as the schemas and enumerations say them."""

import inspect
from collections.abc import Iterator
from typing import Any

from spectraq.schemas.deadletter import DeadLetterReason
from spectraq.schemas.registry import RECORDS, newest
from spectraq.schemas.zwarn import ZWarn

RESULTS = ("Classification", "Redshift", "Anomaly", "ModelSpectrum", "Measurement")


def record_tables() -> dict[str, str]:
    """One table a record, nested ones too; what all results begin with is a table of its own, "Result"."""
    tables = {}
    for name in RECORDS:
        schema = newest(name)
        assert schema is not None
        for record in records(schema.document):
            fields = record["fields"]
            if name in RESULTS and record["name"] == name:
                tables["Result"] = _table(fields[: len(_common())])
                fields = fields[len(_common()) :]
            tables[record["name"]] = _table(fields)
    return tables


def reasons_table() -> str:
    rows = [f"| `{reason.value}` | {reason.advice} |" for reason in DeadLetterReason]
    return "\n".join(["| reason | what to do |", "| --- | --- |", *rows])


def zwarn_table() -> str:
    """Bit, name and the comment beside it in the source."""
    lines = inspect.getsource(ZWarn).splitlines()
    comments = {line.split()[0]: line.split("# ")[1] for line in lines if " = 1 << " in line}
    rows = [
        f"| {int(bit)} | `{bit.names[0]}` | {'no' if bit.trusted else 'yes'} | {comments[str(bit.name)]} |"
        for bit in ZWarn
    ]
    return "\n".join(["| bit | name | do not trust | when |", "| --- | --- | --- | --- |", *rows])


def _common() -> list[dict[str, Any]]:
    """The fields that every result begins with."""
    documents = [schema.document["fields"] for name in RESULTS if (schema := newest(name))]
    common = []
    for fields in zip(*documents, strict=False):
        if any(field != fields[0] for field in fields):
            break
        common.append(fields[0])
    return common[: [field["name"] for field in common].index("zwarn_names") + 1]


def records(part: Any) -> Iterator[dict[str, Any]]:
    """Yield a record of a schema and the records inside it."""
    if isinstance(part, dict) and part["type"] == "record":
        yield part
        for field in part["fields"]:
            yield from records(field["type"])
    elif isinstance(part, dict):
        yield from records(part.get("items", part.get("values")))


def _table(fields: list[dict[str, Any]]) -> str:
    rows = []
    for field in fields:
        meaning, unit = field["doc"].removesuffix(".").split(" Unit: ")
        unit = "" if unit == "none" else unit
        rows.append(f"| `{field['name']}` | {_type(field['type'])} | {unit} | {meaning} |")
    return "\n".join(["| field | type | unit | meaning |", "| --- | --- | --- | --- |", *rows])


def _type(part: Any) -> str:
    if isinstance(part, list):
        return " or ".join(_type(branch) for branch in part if branch != "null") + " or null"
    if isinstance(part, str):
        return part
    if part["type"] == "record":
        return str(part["name"])
    return f"{part['type']} of {_type(part.get('items', part.get('values')))}"
