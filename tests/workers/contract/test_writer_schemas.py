"""Spectra whose schema has the number or the GUID of a registry, or one that the settings know."""

from __future__ import annotations

import io
import json
import ssl
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
import pytest
import trustme
from confluent_kafka.schema_registry import (
    Schema,
    SchemaRegistryClient,
    header_schema_id_serializer,
)
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from spectraq.schemas import codec
from spectraq.schemas.deadletter import DeadLetterReason
from spectraq.schemas.foreign import GROUPS, written_by
from spectraq.schemas.registry import newest
from spectraq.schemas.registry import schemas as all_schemas
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.contract.spectrum_body import spectrum_of
from spectraq.workers.contract.writer_schemas import WriterSchemas
from spectraq.workers.settings import KafkaSettings
from spectraq.workers.transport import schema_registry
from spectraq.workers.transport.registry_requests import RegistryAwayError
from tests.support.feed import numbered
from tests.support.registry import StandIn

OURS = newest("Spectrum")
assert OURS is not None
OURS_TEXT = json.dumps(OURS.document)
NEWEST = f"Spectrum/{OURS.version}"
(FIRST,) = (s for s in all_schemas().values() if (s.record, s.version) == ("Spectrum", "1.0"))
EXPOSURE = {"type": "record", "name": "Exposure", "fields": [{"name": "seconds", "type": "float"}]}
SURVEY: dict[str, Any] = {
    "type": "record",
    "name": "org.survey.Spectrum",
    "fields": [
        {"name": "exposure", "type": EXPOSURE},
        {"name": "wavelength", "type": "bytes"},
        {"name": "flux", "type": "bytes"},
        {"name": "band", "type": {"type": "enum", "name": "Band", "symbols": ["B", "R"]}},
        {"name": "ra", "type": "float"},
        {"name": "spectrum_id", "type": "string"},
    ],
}
"""What another program may call a spectrum: other fields, in another order, of narrower types."""


@pytest.fixture
def registry() -> Iterator[StandIn]:
    with StandIn() as stand_in:
        yield stand_in


def schemas(registry: StandIn | None = None, ids: Any = None, **options: Any) -> WriterSchemas:
    """What a worker with these settings knows."""
    asked = {} if registry is None else {"url": registry.url, "timeout_s": 2.0, **options}
    return WriterSchemas(KafkaSettings(schema_ids=ids or {}, schema_registry=asked))


def framed(values: dict[str, Any], schema: Any, number: int) -> bytes:
    body = io.BytesIO(struct.pack(">bI", 0, number))
    body.seek(5)
    fastavro.schemaless_writer(body, fastavro.parse_schema(schema), values)
    return body.getvalue()


def of_the_survey(spectrum: Spectrum) -> dict[str, Any]:
    values = spectrum.avro_values()
    return {
        "exposure": {"seconds": 900.0},
        "band": "R",
        "ra": 30.5,
        **{name: values[name] for name in ("wavelength", "flux", "spectrum_id")},
    }


def read(body: bytes, known: WriterSchemas, *headers: tuple[str, bytes]) -> Spectrum:
    known.begin_turn()
    return spectrum_of(body, headers, b"key", schemas=known)


def refused(body: bytes, known: WriterSchemas, *headers: tuple[str, bytes]) -> tuple[DeadLetterReason, str]:
    with pytest.raises(codec.DecodeError) as caught:
        read(body, known, *headers)
    return caught.value.reason, str(caught.value)


def test_a_number_that_the_settings_name_is_read_without_a_registry() -> None:
    body = codec.encode(numbered(1), 57)
    assert read(body, schemas(ids={"57": NEWEST})) == numbered(1)
    reason, said = refused(body, schemas())
    assert reason is DeadLetterReason.UNKNOWN_SCHEMA and "57" in said
    assert "kafka.schema_registry.url" in reason.advice and "kafka.schema_ids" in reason.advice


def test_the_case_of_a_registrys_number_is_read_with_a_mapping(shared_data: Path) -> None:
    case = shared_data.parent / "cases/stream-bodies/registry-57.bin"
    if not case.is_file():
        pytest.skip("the cases are not in ../shared")
    assert read(case.read_bytes(), schemas(ids={57: "Spectrum/1.0"})).spectrum_id == "registry-57"


def test_the_case_of_a_registrys_number_is_read_with_a_registry(shared_data: Path, registry: StandIn) -> None:
    case = shared_data.parent / "cases/stream-bodies/registry-57.bin"
    if not case.is_file():
        pytest.skip("the cases are not in ../shared")
    registry.add(json.dumps(FIRST.document), 57)
    assert read(case.read_bytes(), schemas(registry)).spectrum_id == "registry-57"


def test_the_schema_of_another_writer_is_resolved_by_avros_rules(registry: StandIn) -> None:
    number = registry.add(SURVEY)
    came = read(framed(of_the_survey(numbered(3)), SURVEY, number), schemas(registry))
    assert (came.digest, came.spectrum_id, came.ra) == (numbered(3).digest, "spectrum-3", 30.5)


@pytest.mark.parametrize("written", ["int", ["null", "long"], EXPOSURE], ids=["number", "or null", "record"])
@pytest.mark.parametrize("group", sorted(GROUPS))
def test_a_group_that_a_survey_writes_in_its_own_way_costs_no_spectrum(group: str, written: Any) -> None:
    fields = [{"name": group, "type": written}, *SURVEY["fields"][1:]]
    survey = {**SURVEY, "fields": fields}
    values = of_the_survey(numbered(3)) | {group: {"seconds": 9.0} if written is EXPOSURE else 3655}
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(survey), values)
    came = codec.read_avro(body.getvalue(), written_by(survey))
    assert isinstance(came, Spectrum)
    assert (came.spectrum_id, getattr(came, group)) == ("spectrum-3", None)


@pytest.mark.parametrize("own_schema", [True, False], ids=["ours", "the survey's"])
def test_what_confluents_serializer_writes_is_read_by_number_and_by_guid(
    registry: StandIn, own_schema: bool
) -> None:
    client = SchemaRegistryClient({"url": registry.url})
    spectrum = numbered(4)
    values = spectrum.avro_values() if own_schema else of_the_survey(spectrum)
    text = OURS_TEXT if own_schema else json.dumps(SURVEY)
    context = SerializationContext("spectra", MessageField.VALUE, headers=[])
    in_frame = AvroSerializer(client, text)
    in_header = AvroSerializer(client, text, conf={"schema.id.serializer": header_schema_id_serializer})
    known = schemas(registry)
    assert read(in_frame(values, context), known).digest == spectrum.digest
    body = in_header(values, context)
    (header,) = context.headers
    assert header[0] == "__value_schema_id" and len(header[1]) == 17
    assert read(body, known, header).digest == spectrum.digest
    guid = str(registry.guid(1))
    if own_schema:
        assert read(body, schemas(ids={guid: NEWEST}), header) == spectrum
    reason, said = refused(body, schemas(), header)
    assert reason is DeadLetterReason.UNKNOWN_SCHEMA and guid in said


def test_a_schema_that_refers_to_others_is_read_with_them(registry: StandIn) -> None:
    client = SchemaRegistryClient({"url": registry.url})
    exposure = EXPOSURE | {"namespace": "org.survey"}
    client.register_schema("exposure", Schema(json.dumps(exposure), "AVRO"))
    outer = json.loads(json.dumps(SURVEY))
    outer["fields"][0]["type"] = "org.survey.Exposure"
    reference = {"name": "org.survey.Exposure", "subject": "exposure", "version": 1}
    number = registry.add(outer, references=[reference])
    body = framed(of_the_survey(numbered(5)), SURVEY, number)
    assert read(body, schemas(registry)).digest == numbered(5).digest


def test_a_schema_whose_references_are_not_there_is_a_dead_letter(registry: StandIn) -> None:
    reference = {"name": "org.survey.Exposure", "subject": "nowhere", "version": 1}
    number = registry.add(SURVEY, references=[reference])
    reason, said = refused(framed(of_the_survey(numbered(5)), SURVEY, number), schemas(registry))
    assert reason is DeadLetterReason.UNKNOWN_SCHEMA and "can't be had" in said


def test_json_with_a_registrys_number_is_read(registry: StandIn) -> None:
    number = registry.add('{"type": "object"}', kind="JSON")
    body = struct.pack(">bI", 0, number) + json.dumps(numbered(6).to_json_dict()).encode()
    assert read(body, schemas(registry)).digest == numbered(6).digest


FLOATS = {"type": "array", "items": "float"}
WRONG: dict[str, tuple[Any, str, str]] = {
    "an alert": ({"type": "record", "name": "lsst.alert", "fields": []}, "AVRO", "a record lsst.alert"),
    "no flux": (SURVEY | {"fields": SURVEY["fields"][-1:]}, "AVRO", "has no field flux"),
    "flux in an array": (
        SURVEY
        | {"fields": [{"name": "flux", "type": {"type": "array", "items": "float"}}, *SURVEY["fields"][5:]]},
        "AVRO",
        "flux of the writer's schema of org.survey.Spectrum may be array",
    ),
    "no record": ("string", "AVRO", "is string, no record"),
    "no schema": ({"type": "nonsense"}, "AVRO", "none of Avro's"),
    "Protobuf": ("message Spectrum {}", "PROTOBUF", "one of PROTOBUF; Avro and JSON are read"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_schema_of_something_else_is_a_dead_letter_that_says_of_what(registry: StandIn, name: str) -> None:
    schema, kind, said = WRONG[name]
    number = registry.add(schema, kind=kind)
    known = schemas(registry)
    for _ in range(2):
        assert said in refused(struct.pack(">bI", 0, number) + bytes(20), known)[1]
    assert len(registry.asked) == 1


def test_a_number_that_the_registry_does_not_know_is_a_dead_letter_and_asked_for_again_later(
    registry: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, body = schemas(registry), codec.encode(numbered(1), 57)
    for _ in range(3):
        assert refused(body, known)[0] is DeadLetterReason.UNKNOWN_SCHEMA
    assert len(registry.asked) == 1
    registry.add(OURS_TEXT, 57)
    monkeypatch.setattr(schema_registry, "UNKNOWN_S", -1.0)
    refused(codec.encode(numbered(1), 58), known)
    known._registry._known[57] = (None, 0.0)  # type: ignore[union-attr]
    assert read(body, known) == numbered(1)


def test_one_schema_is_asked_for_once_however_many_messages_have_it(registry: StandIn) -> None:
    number = registry.add(SURVEY)
    known = schemas(registry)
    for i in range(20):
        read(framed(of_the_survey(numbered(i)), SURVEY, number), known)
    assert len(registry.asked) == 1


def test_no_more_schemas_are_kept_than_so_many(registry: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_registry, "MOST_SCHEMAS", 3)
    known = schemas(registry)
    for number in range(100, 120):
        refused(codec.encode(numbered(1), number), known)
    assert known._registry is not None and len(known._registry._known) == 3


def test_a_number_of_ours_that_is_another_schema_in_the_registry_is_not_guessed_at(registry: StandIn) -> None:
    registry.add(SURVEY, OURS.id)
    body = codec.encode(numbered(1))
    reason, said = refused(body, schemas(registry))
    assert reason is DeadLetterReason.UNKNOWN_SCHEMA and "kafka.schema_ids" in said
    assert read(body, schemas(registry, {OURS.id: NEWEST})) == numbered(1)
    assert read(body, schemas(registry), *codec.headers(numbered(1))) == numbered(1)


def test_what_has_a_number_of_ours_is_read_on_while_the_registry_is_away(registry: StandIn) -> None:
    known = schemas(registry)
    assert read(codec.encode(numbered(1)), known) == numbered(1)
    registry.answer = 503
    assert read(codec.encode(numbered(2)), known) == numbered(2)
    assert len(registry.asked) == 1


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 429, 500, 502, 503])
def test_a_registry_that_does_not_do_its_work_makes_no_dead_letter(registry: StandIn, status: int) -> None:
    registry.add(OURS_TEXT, 57)
    registry.answer, registry.leads_to = status, "http://127.0.0.1:1/elsewhere"
    known = schemas(registry)
    with pytest.raises(RegistryAwayError, match=f"answers {status}"):
        read(codec.encode(numbered(1), 57), known)
    assert str(status) in known.trouble
    registry.answer, asked = 0, len(registry.asked)
    with pytest.raises(RegistryAwayError):
        read(codec.encode(numbered(1), 57), known)
    assert len(registry.asked) == asked, "it was asked again at once"
    while not known.known():
        pass
    assert read(codec.encode(numbered(1), 57), known) == numbered(1) and known.trouble == ""


def test_an_address_where_there_is_no_registry_makes_no_dead_letter(registry: StandIn) -> None:
    registry.answer = 404
    with pytest.raises(RegistryAwayError, match="there is no Schema Registry"):
        read(codec.encode(numbered(1), 57), schemas(registry))


def test_a_registry_that_is_slow_or_gone_takes_no_longer_than_was_said(registry: StandIn) -> None:
    registry.wait_s = 0.5
    known = schemas(registry, timeout_s=0.2)
    with pytest.raises(RegistryAwayError, match=r"does not answer: .*(timed out|timeout_s)"):
        read(codec.encode(numbered(1), 57), known)
    gone = WriterSchemas(KafkaSettings(schema_registry={"url": "http://127.0.0.1:1"}))
    with pytest.raises(RegistryAwayError, match="refused"):
        read(codec.encode(numbered(1), 57), gone)


def test_what_is_no_answer_of_a_registry_makes_no_dead_letter(
    registry: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for said in ([1], {"schema": 5}, {}, "text"):
        monkeypatch.setattr(registry, "respond", lambda *_, said=said: (200, said))
        with pytest.raises(RegistryAwayError, match="without a schema"):
            read(codec.encode(numbered(1), 57), schemas(registry))


def test_no_request_goes_anywhere_but_to_the_address_of_the_settings(
    registry: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StandIn() as elsewhere:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, elsewhere.url)
        registry.add(OURS_TEXT, 57)
        assert read(codec.encode(numbered(1), 57), schemas(registry)) == numbered(1)
        registry.answer, registry.leads_to = 302, f"{elsewhere.url}/schemas/ids/58"
        with pytest.raises(RegistryAwayError, match="not followed"):
            read(codec.encode(numbered(1), 58), schemas(registry))
        assert elsewhere.asked == []


@pytest.mark.parametrize(
    ("said", "demanded"),
    [
        ({"username": "reader", "password": "s3cret"}, "Basic cmVhZGVyOnMzY3JldA=="),
        ({"token": "t0ken"}, "Bearer t0ken"),
    ],
)
def test_a_registry_is_told_who_asks(registry: StandIn, said: dict[str, str], demanded: str) -> None:
    registry.demands = demanded
    registry.add(OURS_TEXT, 57)
    body = codec.encode(numbered(1), 57)
    assert read(body, schemas(registry, **said)) == numbered(1)
    with pytest.raises(RegistryAwayError, match=r"401: look at kafka\.schema_registry\.username") as caught:
        read(body, schemas(registry))
    assert "s3cret" not in str(caught.value)


def test_a_registry_behind_tls_is_trusted_by_its_authority_and_shown_a_certificate(tmp_path: Path) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    for name, ca in (("ca", authority), ("other", stranger)):
        ca.cert_pem.write_to_path(str(tmp_path / name))
    mine = authority.issue_cert("worker@example.org")
    mine.private_key_pem.write_to_path(str(tmp_path / "key"))
    mine.cert_chain_pems[0].write_to_path(str(tmp_path / "cert"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    body = codec.encode(numbered(1), 57)
    with StandIn(tls=context) as registry:
        registry.add(OURS_TEXT, 57)
        shown = {"ssl_certfile": str(tmp_path / "cert"), "ssl_keyfile": str(tmp_path / "key")}
        assert read(body, schemas(registry, ssl_cafile=str(tmp_path / "ca"), **shown)) == numbered(1)
        for wrong in (
            {"ssl_cafile": str(tmp_path / "other"), **shown},
            {"ssl_cafile": str(tmp_path / "ca")},
            {},
        ):
            with pytest.raises(RegistryAwayError):
                read(body, schemas(registry, **wrong))
