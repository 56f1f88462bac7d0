"""Messages of other minor versions, older and newer, are read."""

import copy
import io
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
import pytest

from spectraq.schemas import codec, registry
from spectraq.schemas.codec import DecodeError
from spectraq.schemas.deadletter import DeadLetterReason
from spectraq.schemas.filtered import Filtered
from spectraq.schemas.message import Message, Part
from tests.support.wire_examples import one_of_each, spectrum
from tests.support.wire_tables import records


def written(document: dict[str, Any], number: int, values: dict[str, Any]) -> bytes:
    body = io.BytesIO(struct.pack(">bI", 0, number))
    body.seek(5)
    fastavro.schemaless_writer(body, document, values)
    return body.getvalue()


def document_of(record: str) -> dict[str, Any]:
    found = registry.newest(record)
    assert found is not None
    return copy.deepcopy(found.document)


@pytest.mark.parametrize("message", one_of_each(), ids=lambda message: type(message).__name__)
def test_of_a_newer_minor_version_what_is_known_is_read(message: Message) -> None:
    document = document_of(type(message).__name__)
    document["fields"].append({"name": "seeing", "type": ["null", "double"], "default": None})
    number = document["spectraq.id"] + 1
    body = written(document, number, message.avro_values() | {"seeing": 1.2})
    assert codec.decode(body, expect=type(message)) == message


def test_a_newer_minor_version_may_be_truncated_too() -> None:
    body = codec.encode(spectrum())
    newer = struct.pack(">bI", 0, 10107) + body[5:]
    with pytest.raises(DecodeError) as caught:
        codec.decode(newer[:-1])
    assert caught.value.reason is DeadLetterReason.TRUNCATED


@pytest.fixture
def without_fiber(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A registry in which `fiber` came only with Spectrum 1.1; gives the document of 1.0."""
    newer = document_of("Spectrum") | {"spectraq.id": 10101, "spectraq.version": "1.1"}
    older = document_of("Spectrum")
    assert older["fields"].pop()["name"] == "fiber"
    (tmp_path / "Spectrum").mkdir()
    for version, document in (("1.0", older), ("1.1", newer)):
        (tmp_path / "Spectrum" / f"{version}.avsc").write_text(json.dumps(document))
    known = {schema.id: schema for schema in registry.read_schemas(tmp_path)}
    monkeypatch.setattr(registry, "schemas", lambda: known)
    _forget()
    yield older
    _forget()


def _forget() -> None:
    registry.newest.cache_clear()
    registry.written_with.cache_clear()


def test_of_an_older_minor_version_what_is_missing_has_its_default(without_fiber: dict[str, Any]) -> None:
    values = spectrum(fiber="0123").avro_values()
    del values["fiber"]
    assert codec.decode(written(without_fiber, 10100, values)) == spectrum(fiber=None)
    assert codec.encode(spectrum())[:5] == struct.pack(">bI", 0, 10101)


def _parts(kind: type[Part]) -> Iterator[type[Part]]:
    for sub in kind.__subclasses__():
        yield sub
        yield from _parts(sub)


def test_models_and_schemas_have_the_same_fields_in_the_same_order() -> None:
    models = {kind.__name__: kind for kind in _parts(Part) if kind is not Filtered}  # is JSON alone
    seen = set()
    for message in one_of_each():
        for record in records(document_of(type(message).__name__)):
            if record["name"] != "Header":  # a pair in memory
                names = [field["name"] for field in record["fields"]]
                assert names == list(models[record["name"]].model_fields), record["name"]
            seen.add(record["name"])
    assert seen == set(models) - {"Message", "Result"} | {"Header"}
