"""The relay of the page on brokers, and the clients of Fink and Lasair, on real Kafka."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import confluent_kafka
import fastavro
import pytest

from spectraq.workers.local.stack import LocalStack
from tests.support.broker_clients import N, Relay, answered, installed, relay_of, said
from tests.support.feed import Feed

FINK = """
import json, sys
from fink_client.consumer import AlertConsumer
config = {"bootstrap.servers": sys.argv[1], "group.id": "me"}
with AlertConsumer([sys.argv[2]], config, survey="lsst") as consumer:
    for _ in range(int(sys.argv[3])):
        topic, record, key = consumer.poll(timeout=60)
        print(json.dumps([record["spectrum_id"], record["z"]]))
"""
LASAIR = """
import json, sys
from lasair import lasair_consumer
consumer = lasair_consumer(sys.argv[1], "me", sys.argv[2])
for _ in range(int(sys.argv[3])):
    record = json.loads(consumer.poll(timeout=60).value())
    print(json.dumps([record["objectId"], record["z"]]))
"""


@pytest.fixture
def relay(feed: Feed, tmp_path: Path, processes: list[subprocess.Popen[str]]) -> Relay:
    return relay_of(feed, tmp_path, processes)


def messages(feed: Feed, topic: str) -> Iterator[Any]:
    """What confluent-kafka's consumer gets of a topic, asked as those clients do."""
    config = {"bootstrap.servers": feed.bootstrap_servers, "group.id": "me", "auto.offset.reset": "earliest"}
    consumer = confluent_kafka.Consumer(config)
    consumer.subscribe([topic])
    for _ in range(N):
        message = consumer.poll(60)
        assert message is not None and message.error() is None
        yield message
    consumer.close()


def test_consumers_written_as_those_of_the_brokers_read_what_the_relay_writes(
    feed: Feed, relay: Relay
) -> None:
    z = answered(feed)
    topics = relay("fink"), relay("lasair")
    read = {}
    for message in messages(feed, topics[0]):
        schema = fastavro.parse_schema(json.loads(message.key()))
        record = fastavro.schemaless_reader(io.BytesIO(message.value()), schema, None)
        assert isinstance(record, dict)
        read[record["spectrum_id"]] = record["z"]
    assert read == z and len(z) == N
    objects = [json.loads(message.value()) for message in messages(feed, topics[1])]
    assert {found["objectId"]: found["z"] for found in objects} == z


@pytest.mark.soak
def test_the_clients_of_fink_and_lasair_read_what_the_relay_writes(
    feed: Feed, relay: Relay, stack: LocalStack
) -> None:
    z = answered(feed)
    python = installed(stack, "fink-lasair", "fink-client==12.3.0", "lasair==0.1.4")
    for form, text in (("fink", FINK), ("lasair", LASAIR)):
        assert dict(said(python, text, feed.bootstrap_servers, relay(form), str(N))) == z
