"""Everything that the programs emit, searched for the secrets that they were given."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from spectraq.schemas import codec
from spectraq.workers.local.stack import LocalStack
from spectraq.workers.transport.connection import administrator
from spectraq.workers.transport.rights import ROLES
from spectraq.workers.transport.rights import grant as give
from spectraq.workers.transport.sender import Sender
from tests.support.feed import PROCESS, numbered
from tests.support.securekafka import PASSWORDS
from tests.support.worker_log import events, joined, wait_for

REDIS = "r3dis-s3cret"
QUERY = "qu3ry-s3cret"
FRAGMENT = "fr4gment-s3cret"
SIGNING = "s1gning-s3cret"
TOKEN = "t0ken-s3cret"
REGISTRY = "reg1stry-s3cret"
COMMANDS = (
    ("config",),
    ("config", "--json"),
    ("check",),
    ("status",),
    ("dlq", "list"),
    ("show", "nobody"),
    ("topics", "list"),
    ("topics", "acls", "worker", "User:worker"),
)


@pytest.fixture
def environment(feed: Any, stack: LocalStack) -> dict[str, str]:
    """The settings of a worker with every secret there is; Redis knows no such password."""
    address = stack.redis_url.replace("redis://", f"redis://somebody:{REDIS}@")
    feed.redis_url = f"{address}?password={QUERY}#{FRAGMENT}"
    settings = feed.settings_as("worker")
    grant(feed, settings)
    sections = feed.sections_as("worker")
    sections["redis"]["signing_key"] = SIGNING
    sections["log"] = {"level": "debug"}
    sections["web"] = {"token": TOKEN}
    return {
        f"SPECTRAQ_{section}__{key}".upper(): str(value)
        for section, values in sections.items()
        for key, value in values.items()
    } | {"SPECTRAQ_KAFKA__SCHEMA_REGISTRY__TOKEN": REGISTRY}


def grant(feed: Any, settings: Any) -> None:
    """Let the worker work and look."""
    with administrator(feed.settings().kafka) as client:
        for role in ("worker", "web"):
            give(client, "User:worker", ROLES[role](settings))


def search(emitted: str, where: str) -> None:
    """Fail where a secret shows, plain or as wires and addresses encode it."""
    for secret in (PASSWORDS["worker"], REDIS, QUERY, FRAGMENT, SIGNING, TOKEN, REGISTRY):
        plain = secret.encode()
        shapes = [secret, quote(secret), plain.hex(), plain.hex(" ")]
        # in the middle of something longer, base64 has one of three shapes
        shapes += [base64.b64encode(b"x" * n + plain).decode()[4:-4] for n in range(3)]
        for shape in shapes:
            assert shape not in emitted, f"{where} shows {secret} as {shape}"


def test_no_command_shows_a_secret(environment: dict[str, str], tmp_path: Path) -> None:
    spectraq = str(Path(sys.executable).parent / "spectraq")
    for command in COMMANDS:
        done = subprocess.run(
            [spectraq, *command],
            env={**os.environ, **environment},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        # what the client logs may hold one, in a line of JSON
        assert not any(line.startswith("Traceback") for line in done.stderr.splitlines()), done.stderr
        assert done.stdout + done.stderr, f"{command} says nothing"
        search(done.stdout + done.stderr, " ".join(command))


def test_no_log_metric_or_message_of_a_worker_shows_a_secret_even_when_it_fails(
    feed: Any, environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, str(PROCESS)],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    try:
        wait_for("the worker to join", lambda: joined(log))
        with Sender(feed.settings()) as publisher:
            for i in range(20):
                publisher.send(feed.settings().topics.spectra, b"a", codec.encode(numbered(i)))
            publisher.send(feed.settings().topics.spectra, b"b", b"no spectrum")
        wait_for("the answers", lambda: feed.count("redshifts") == 20 and feed.count("dead_letters") == 1)
        url = next(event["url"] for event in events(log) if event["event"] == "health_listens")
        metrics = urllib.request.urlopen(f"{url}/metrics").read().decode()
        assert "spectraq_" in metrics
    finally:
        process.terminate()
        printed, _ = process.communicate(timeout=60)
    assert any(event["event"] == "cache_failed" for event in events(log)), "Redis let the wrong password in"
    everything = [("the log", log.read_text()), ("stdout", printed), ("the metrics", metrics)]
    everything += [
        (kind, str(message)) for kind in ("redshifts", "dead_letters") for message in feed.read(kind)
    ]
    for where, emitted in everything:
        search(emitted, where)


def test_a_traceback_of_a_failure_shows_no_secret(environment: dict[str, str], tmp_path: Path) -> None:
    code = (
        "from spectraq.workers.settings import load_settings\n"
        "settings = load_settings()\n"
        "from spectraq.workers import cache\n"
        "from spectraq.workers.operations import log\n"
        "print(settings, repr(settings.kafka), settings.model_dump_json())\n"
        "log.configure(settings.log)\n"
        "import structlog\n"
        "address = settings.redis.url.get_secret_value()\n"
        "try:\n"
        "    raise ConnectionError(f'{address} does not answer')\n"
        "except ConnectionError as error:\n"
        "    structlog.get_logger().exception('it_failed', error=error, where=[address])\n"
        "raise RuntimeError(settings)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "RuntimeError" in done.stderr
    search(done.stdout + done.stderr, "the traceback")
