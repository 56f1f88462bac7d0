"""ANTARES's client, which speaks to brokers with TLS and a password alone, reads what the relay writes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import ACLOperation, ACLResourcePatternType, ResourceType

from spectraq.workers.local.stack import LocalStack
from spectraq.workers.transport.connection import administrator
from spectraq.workers.transport.rights import Right, grant
from tests.support.broker_clients import N, answered, installed, relay_of, said
from tests.support.securekafka import PASSWORDS

PACKAGE = "antares-client[subscriptions]==2.0.2"
CLIENT = """
import json, sys
from antares_client import StreamingClient
options = {"bootstrap_server": sys.argv[1], "ssl_ca_location": sys.argv[4], "group": "me"}
with StreamingClient([sys.argv[2]], api_key="viewer", api_secret=sys.argv[5], **options) as client:
    for _ in range(int(sys.argv[3])):
        topic, locus = client.poll(timeout=60)
        print(json.dumps([locus.locus_id, locus.ra, locus.properties["spectraq_z"]]))
"""


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    """Relays that must not outlive the test."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.soak
def test_the_client_of_antares_reads_what_the_relay_writes(
    feed: Any, stack: LocalStack, tmp_path: Path, processes: list[subprocess.Popen[str]]
) -> None:
    z = answered(feed)
    read = ACLOperation.READ
    rights = [
        Right(read, ResourceType.TOPIC, "client.", ACLResourcePatternType.PREFIXED, "reads results"),
        Right(read, ResourceType.GROUP, "me", ACLResourcePatternType.LITERAL, "keeps its place"),
    ]
    with administrator(feed.settings().kafka) as client:
        grant(client, "User:viewer", rights)
    python = installed(stack, "antares", PACKAGE, "fastavro")
    topic = relay_of(feed, tmp_path, processes)("antares", python, prefix="client.")
    server = f"127.0.0.1:{feed.kafka.secure_port}"
    words = (server, topic, str(N), str(feed.kafka.ca_file), PASSWORDS["viewer"])
    loci = said(python, CLIENT, *words)
    assert {name: redshift for name, _, redshift in loci} == z
    assert sorted(ra for _, ra, _ in loci) == [10.0, 11.0, 12.0, 13.0]
