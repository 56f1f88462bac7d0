"""Spectra a second through a loop of nothing but Kafka: read, decode, encode three results, write, commit.

What a worker can't be faster than with the same client, when networks and everything that a worker guards
against take no time.
"""

from __future__ import annotations

import time
import uuid

from kafka import KafkaConsumer, KafkaProducer
from throughput import CANNED

from spectraq.schemas import codec
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.contract.convert import Subject, messages
from spectraq.workers.local.stack import LocalStack
from spectraq.workers.settings import load_settings
from spectraq.workers.topic_settings import Topics
from spectraq.workers.transport.topics import ensure_topics

AT_ONCE = 64


class Nobody:
    """What results say of the networks."""

    digest, version = "0" * 64, "0"


def bare_rate(stack: LocalStack, bodies: list[tuple[bytes, bytes]]) -> float:
    """Return spectra a second of one loop over a backlog, joining the group included."""
    name = uuid.uuid4().hex[:8]
    settings = load_settings(
        kafka={"bootstrap_servers": stack.bootstrap_servers, "group_id": name},
        topics={kind: f"{name}.{kind}" for kind in Topics.kinds()},
    )
    ensure_topics(settings)
    producer = KafkaProducer(bootstrap_servers=stack.bootstrap_servers, batch_size=1 << 20, linger_ms=5)
    for key, value in bodies:
        producer.send(settings.topics.spectra, key=key, value=value)
    producer.flush()
    started = time.perf_counter()
    consumer = KafkaConsumer(
        settings.topics.spectra,
        bootstrap_servers=stack.bootstrap_servers,
        group_id=name,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_poll_records=AT_ONCE,
    )
    topics, done = settings.topics, 0
    while done < len(bodies):
        for records in consumer.poll(timeout_ms=1000).values():
            for record in records:
                spectrum = codec.decode(record.value, expect=Spectrum)
                results = messages(Subject.of(spectrum), CANNED, Nobody())
                for topic, message in (
                    (topics.classifications, results.classification),
                    (topics.redshifts, results.redshift),
                    (topics.anomalies, results.anomaly),
                ):
                    producer.send(topic, key=record.key, value=codec.encode(message))
            done += len(records)
        producer.flush()
        consumer.commit()
    seconds = time.perf_counter() - started
    consumer.close()
    producer.close()
    return len(bodies) / seconds
