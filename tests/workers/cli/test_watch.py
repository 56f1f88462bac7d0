"""What `spectraq watch` makes of messages on the topic of spectra."""

from __future__ import annotations

from spectraq.schemas import codec
from spectraq.schemas.registry import newest
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.cli.watch import decode
from spectraq.workers.contract.writer_schemas import WriterSchemas
from spectraq.workers.settings import KafkaSettings
from spectraq.workers.transport.messages import Record
from tests.support.feed import numbered
from tests.support.written_bodies import WAYS


def record(body: bytes) -> Record:
    return Record("spectra", 0, 0, b"key", body, (), 0)


def test_a_spectrum_is_watched_in_every_way_that_a_worker_reads() -> None:
    for way, written in WAYS.items():
        message = decode(record(written(numbered(7))), ("spectra",))
        assert isinstance(message, Spectrum) and message.digest == numbered(7).digest, way
    assert str(decode(record(b"nothing"), ("spectra",))).startswith("undecodable: ")


def test_a_spectrum_with_a_registrys_number_is_watched_or_the_reason_is_said() -> None:
    body, ours = codec.encode(numbered(7), 57), newest("Spectrum")
    assert ours is not None
    known = WriterSchemas(KafkaSettings(schema_ids={57: f"Spectrum/{ours.version}"}))
    assert decode(record(body), ("spectra",), known) == numbered(7)
    away = WriterSchemas(KafkaSettings(schema_registry={"url": "http://127.0.0.1:1"}))
    assert "does not answer" in str(decode(record(body), ("spectra",), away))
    assert "57" in str(decode(record(body), ("spectra",)))
