"""A reader of our topics that knows nothing of ours but the `.avsc` files: confluent-kafka and fastavro."""

from __future__ import annotations

import io
import json
import struct
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import confluent_kafka
import fastavro

AVSC = Path(__file__).parents[2] / "schemas" / "avro"
KINDS = ("classifications", "redshifts", "anomalies")
LAST_WORD_S = 60.0


@dataclass(frozen=True)
class Message:
    """One message, decoded."""

    key: bytes | None
    record: str  # name of its Avro record
    fields: dict[str, Any]
    headers: dict[str, bytes]
    partition: int
    offset: int
    timestamp_ms: int
    value: bytes  # as it came

    @property
    def bytes(self) -> tuple[bytes | None, bytes, tuple[tuple[str, bytes], ...]]:
        """All that a producer decides of it: key, value and headers."""
        return self.key, self.value, tuple(sorted(self.headers.items()))


def schemas() -> dict[int, Any]:
    """Every schema by the number that its file says."""
    documents = [json.loads(path.read_text()) for path in AVSC.glob("*/*.avsc")]
    return {
        document["spectraq.id"]: fastavro.parse_schema(document, named_schemas={}) for document in documents
    }


def read_all(bootstrap_servers: str, topic: str, isolation: str = "read_committed") -> list[Message]:
    """Read a topic from its beginning to where it ends now, as that isolation level sees it."""
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": f"foreign-{uuid.uuid4().hex}",
            "isolation.level": isolation,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 20,
        }
    )
    known = schemas()
    partitions = consumer.list_topics(topic, 10).topics[topic].partitions
    consumer.assign([confluent_kafka.TopicPartition(topic, number, 0) for number in partitions])
    open_ends = set(partitions)
    found = []
    deadline = time.monotonic() + LAST_WORD_S
    while open_ends:
        assert time.monotonic() < deadline, f"{topic}: no end of partitions {open_ends}"
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error():
            assert message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF, message.error()
            open_ends.discard(message.partition())
            continue
        found.append(_decoded(message, known))
    consumer.close()
    return found


def _decoded(message: Any, known: dict[int, Any]) -> Message:
    magic, number = struct.unpack_from(">bI", message.value())
    assert magic == 0
    schema = known[number]
    fields = fastavro.schemaless_reader(io.BytesIO(message.value()[5:]), schema, None)
    return Message(
        message.key(),
        schema["name"],
        fields,
        dict(message.headers() or []),
        message.partition(),
        message.offset(),
        message.timestamp()[1],
        message.value(),
    )
