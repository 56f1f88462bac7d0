"""A stream whose spectra and results have the numbers of a Schema Registry, on real Kafka.

The registry is a stand-in of Confluent's interface, so that it can be away; the long tests ask a real one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from spectraq.schemas import codec
from spectraq.schemas.deadletter import DeadLetter
from spectraq.workers.contract.framing import register_schemas
from spectraq.workers.errors import SpectraqError
from spectraq.workers.operations.health import Health
from spectraq.workers.operations.metrics import Metrics
from spectraq.workers.service.ledger import Balance
from spectraq.workers.service.loop import run
from spectraq.workers.transport.follower import Follower
from spectraq.workers.transport.messages import Record
from tests.support.feed import Feed, numbered
from tests.support.plumbing import Plumbing
from tests.support.registry import StandIn
from tests.support.worker_log import wait_for
from tests.workers.contract.test_writer_schemas import SURVEY, framed, of_the_survey

SPECTRA = 40


@pytest.fixture
def registry() -> Iterator[StandIn]:
    with StandIn() as stand_in:
        yield stand_in


@contextmanager
def working(feed: Feed, health: Health, ledger: list[Balance]) -> Iterator[None]:
    """A worker beside the test, which ends with it."""
    stop = threading.Event()
    settings = feed.settings(delivery="exactly_once", stall_s=1.5, max_wait_s=0.01)

    def work() -> None:
        ledger.append(run(settings, Plumbing(), stop, metrics=health.metrics, health=health))

    worker = threading.Thread(target=work)
    worker.start()
    try:
        wait_for("readiness", lambda: health.readiness()[0])
        yield
    finally:
        stop.set()
        worker.join(30)


def every(feed: Feed, kind: str) -> list[Record]:
    """What is on a topic, by a reader of ours."""
    records: list[Record] = []
    with Follower(feed.settings(), [getattr(feed.settings().topics, kind)], from_beginning=True) as follower:
        while not follower.drained():
            records += follower.poll(0.2)
    return records


def test_while_the_registry_is_away_the_worker_waits_and_says_so_and_then_answers_all_in_the_registrys_frames(
    feed: Feed, registry: StandIn
) -> None:
    feed.kafka_options["schema_registry"] = {"url": registry.url, "timeout_s": 1.0, "frame_results": True}
    with pytest.raises(SpectraqError, match="`spectraq topics create` registers"):
        run(feed.settings(), Plumbing(), threading.Event(), until_drained=True)
    register_schemas(feed.settings())
    number = registry.add(SURVEY)
    health, ledger = Health(Metrics()), list[Balance]()
    with working(feed, health, ledger):
        registry.answer = 503
        feed.publish(
            (b"%d" % i, framed(of_the_survey(numbered(i)), SURVEY, number if i else 9999))
            for i in range(SPECTRA)
        )
        wait_for("word of it", lambda: "answers 503" in health.readiness()[1])
        time.sleep(4.0)  # longer than two stalls are let be
        assert not health.readiness()[0] and feed.count("dead_letters") == 0 and not ledger
        registry.answer = 0
        wait_for("the rest", lambda: len(every(feed, "redshifts")) == SPECTRA - 1)
        wait_for("readiness", lambda: health.readiness()[0])
    assert ledger[0].balanced and ledger[0].published == SPECTRA - 1
    assert health.metrics.schema_registry_failures._value.get() > 1
    assert health.metrics.resubscriptions._value.get() == 0
    (letter,) = every(feed, "dead_letters")
    letters = codec.decode(letter.value, letter.headers, expect=DeadLetter)
    assert letters.reason == "unknown_schema" and "9999" in letters.message
    confluent = AvroDeserializer(SchemaRegistryClient({"url": registry.url}))
    for kind in ("classifications", "redshifts", "anomalies", "dead_letters"):
        for record in every(feed, kind):
            fields: Any = confluent(record.value, SerializationContext(record.topic, MessageField.VALUE))
            ours = codec.decode(record.value, record.headers)
            assert fields.get("result_id") == getattr(ours, "result_id", None)
            assert codec.decode(codec.own_frame(record.value, record.headers)) == ours
