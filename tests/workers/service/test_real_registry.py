"""Programs of others through a real Schema Registry and real Kafka, both ways: JavaScript and Python."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from spectraq.workers.contract.framing import register_schemas
from spectraq.workers.local.stack import LocalStack
from tests.support.apicurio import Apicurio
from tests.support.feed import Feed, numbered
from tests.workers.contract.test_writer_schemas import OURS_TEXT, SURVEY, of_the_survey

CLIENT = Path(__file__).parents[2] / "support" / "registry_client.mjs"
PACKAGES = ("@kafkajs/confluent-schema-registry@4.1.0", "kafkajs@2.2.4")
N = 20


@pytest.fixture
def registry(stack: LocalStack) -> Iterator[Apicurio]:
    with Apicurio(stack.data) as running:
        yield running


@pytest.fixture
def javascript(stack: LocalStack) -> Path:
    """The program, where its packages are."""
    missing = [name for name in ("node", "npm") if shutil.which(name) is None]
    if missing and os.environ.get("CI") != "true":
        pytest.skip(f"{' and '.join(missing)} not installed")
    folder = stack.data / "registry-client"
    folder.mkdir(exist_ok=True)
    if not (folder / "node_modules" / "kafkajs").is_dir():
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", *PACKAGES], cwd=folder, check=True)
    return Path(shutil.copy(CLIENT, folder))


def run(program: Path, *words: str, said: str = "") -> list[str]:
    done = subprocess.run(
        ["node", str(program), *words], input=said, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


@pytest.mark.soak
def test_programs_in_other_languages_send_spectra_and_read_results_through_a_real_registry(
    feed: Feed, registry: Apicurio, javascript: Path, tmp_path: Path
) -> None:
    feed.kafka_options["schema_registry"] = {"url": registry.url, "frame_results": True}
    topics = feed.settings().topics
    first = [subject.number for subject in register_schemas(feed.settings())]
    assert first == [subject.number for subject in register_schemas(feed.settings())]

    schema = tmp_path / "survey.avsc"
    schema.write_text(json.dumps(SURVEY))
    lines = [json.dumps(_as_text(of_the_survey(numbered(i)))) for i in range(N)]
    run(
        javascript,
        "produce",
        feed.bootstrap_servers,
        registry.url,
        topics.spectra,
        str(schema),
        said="\n".join(lines),
    )

    client = SchemaRegistryClient({"url": registry.url})
    write = AvroSerializer(client, OURS_TEXT)
    producer = Producer({"bootstrap.servers": feed.bootstrap_servers})
    for i in range(N, 2 * N):
        body = write(numbered(i).avro_values(), SerializationContext(topics.spectra, MessageField.VALUE))
        producer.produce(topics.spectra, body, b"%d" % i)
    producer.flush()

    balance = feed.work(delivery="exactly_once")
    assert (balance.published, balance.dead_lettered) == (2 * N, 0)
    read = run(javascript, "consume", feed.bootstrap_servers, registry.url, topics.redshifts, str(2 * N))
    found = {row["spectrum_id"]: row["z"] for row in map(json.loads, read)}
    assert found.keys() == {f"spectrum-{i}" for i in range(2 * N)}
    assert len(set(found.values())) > N


def _as_text(values: dict[str, Any]) -> dict[str, Any]:
    """Bytes as base64."""
    return {
        name: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for name, value in values.items()
    }
