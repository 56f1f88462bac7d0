"""The tables of docs/wire.md as the schemas and enumerations say them."""

import importlib.util
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

from spectraq.schemas.deadletter import DeadLetterReason
from spectraq.schemas.registry import RECORDS, newest
from spectraq.schemas.zwarn import ZWarn

RESULTS = ("Classification", "Redshift", "Anomaly", "ModelSpectrum", "Measurement", "Change")


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
    rows = [(f"`{reason.value}`", reason.advice) for reason in DeadLetterReason]
    table: str = pages.markdown(("reason", "what to do"), rows)
    return table


def zwarn_table() -> str:
    """Bit, name and the comment beside it in the source."""
    lines = inspect.getsource(ZWarn).splitlines()
    comments = {line.split()[0]: line.split("# ")[1] for line in lines if " = 1 << " in line}
    rows = [
        (str(int(bit)), f"`{bit.names[0]}`", "no" if bit.trusted else "yes", comments[str(bit.name)])
        for bit in ZWarn
    ]
    table: str = pages.markdown(("bit", "name", "do not trust", "when"), rows)
    return table


def _common() -> list[dict[str, Any]]:
    """The fields that every result begins with."""
    documents = [schema.document["fields"] for name in RESULTS if (schema := newest(name))]
    common = []
    for fields in zip(*documents, strict=False):
        if any(field != fields[0] for field in fields):
            break
        common.append(fields[0])
    return common[: [field["name"] for field in common].index("zwarn_names") + 1]


def _table(fields: list[dict[str, Any]]) -> str:
    rows = []
    for field in fields:
        meaning, unit = pages.described(field)
        rows.append((f"`{field['name']}`", pages.type_of(field["type"], linked=False), unit, meaning))
    table: str = pages.markdown(("field", "type", "unit", "meaning"), rows)
    return table


def _pages() -> ModuleType:
    """The module that writes the schemas' pages of the site; it is no part of a package."""
    path = Path(__file__).parents[2] / "docs" / "site" / "schema_pages.py"
    spec = importlib.util.spec_from_file_location("schema_pages", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pages = _pages()
records = pages.records
