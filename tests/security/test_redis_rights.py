"""TLS, passwords and rights of Redis, on a real server that asks for all three."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
import trustme
from redis import Redis
from redis.exceptions import ConnectionError as NotThereError
from redis.exceptions import NoPermissionError

from spectraq.workers.cache.guarded_redis import GuardedRedis
from spectraq.workers.cache.keys import stream_key
from spectraq.workers.cache.server_version import ask
from spectraq.workers.cache.stream_reference import StreamReference
from spectraq.workers.contract.convert import Subject
from spectraq.workers.local.ports import choosing, free_port
from spectraq.workers.local.stack import LocalStack
from spectraq.workers.settings import RedisSettings
from spectraq.workers.transport.messages import Record
from tests.support.feed import Feed, numbered
from tests.support.plumbing import Plumbing
from tests.support.shared_faults import N_PLATE, plate_of

SPECTRA = 20
PASSWORD = "red1s-s3cret"
SERVER = shutil.which("redis-server")
ACL = Path(__file__).parents[2] / "deploy" / "redis" / "users.acl"


@dataclass(frozen=True)
class Guarded:
    """A server, and where its authority is."""

    port: int
    ca_file: Path

    def url(self, password: str = PASSWORD, ca_file: Path | None = None) -> str:
        """The address for a worker."""
        return f"rediss://spectraq:{password}@127.0.0.1:{self.port}/0?ssl_ca_certs={ca_file or self.ca_file}"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A server that takes TLS alone, and knows one user with the rights of a worker."""
    if SERVER is None:
        reason = "needs a redis-server built with TLS, such as Debian's package redis-server"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    folder = tmp_path_factory.mktemp("redis")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    (folder / "users.acl").write_text(ACL.read_text().replace("PASSWORD", PASSWORD))
    pem = str(folder / "server.pem")
    with choosing():
        port = free_port()
        options = {
            "port": "0",
            "tls-port": str(port),
            "tls-cert-file": pem,
            "tls-key-file": pem,
            "tls-ca-cert-file": str(folder / "ca.pem"),
            "tls-auth-clients": "no",
            "aclfile": str(folder / "users.acl"),
            "save": "",
            "dir": str(folder),
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen([SERVER, *words], stdout=log)
        server = Guarded(port, folder / "ca.pem")
        _wait(server, process, folder / "log")
    yield server
    process.terminate()
    process.wait(10)


def _wait(server: Guarded, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 20
    with Redis.from_url(server.url()) as client:
        while True:
            try:
                client.get("spectraq:none")
                return
            except NotThereError:
                assert process.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)


def answered(feed: Feed, url: str) -> tuple[Any, list[Any]]:
    """Run a worker over what is in the topic; its balance, and what it said of the cache."""
    feed.redis_url = url
    with structlog.testing.capture_logs() as logs:
        balance = feed.work()
    return balance, [entry for entry in logs if entry["event"] == "cache_failed"]


@pytest.fixture
def feed(stack: LocalStack) -> Feed:
    """Topics of one test."""
    return Feed(stack.bootstrap_servers, stack.redis_url)


def test_a_cache_over_tls_with_a_password_and_the_rights_of_a_worker_serves_it(
    feed: Feed, guarded: Guarded
) -> None:
    feed.publish(numbered(i) for i in range(SPECTRA))
    first, failures = answered(feed, guarded.url())
    assert (first.published, first.cached, failures) == (SPECTRA, 0, [])
    feed.publish(numbered(i) for i in range(SPECTRA))
    again, failures = answered(feed, guarded.url())
    assert (again.cached, failures) == (SPECTRA, [])


def test_the_rights_of_a_worker_let_thresholds_follow_the_stream_and_let_the_server_say_who_it_is(
    feed: Feed, guarded: Guarded
) -> None:
    feed.redis_url = guarded.url()
    feed.publish(numbered(i) for i in range(SPECTRA))
    with structlog.testing.capture_logs() as logs:
        feed.work(Plumbing(f"teaching-{feed.name}", teaches=True))
    assert [entry for entry in logs if entry["event"] == "cache_failed"] == []
    with Redis.from_url(guarded.url()) as client:
        assert client.hgetall(stream_key(f"teaching-{feed.name}"))
        assert ask(client).name in ("redis", "valkey")


def test_the_rights_of_a_worker_let_objects_be_remembered_and_forgotten(feed: Feed, guarded: Guarded) -> None:
    feed.redis_url = guarded.url()
    feed.publish(
        numbered(i).model_copy(update={"target_id": feed.name, "ra": 10.0, "dec": -5.0, "mjd": 50000.0 + i})
        for i in range(5)
    )
    with structlog.testing.capture_logs() as logs:
        feed.work(changes=True)
    assert [entry for entry in logs if entry["event"] == "cache_failed"] == []
    assert feed.count("changes") == 4


def test_the_rights_of_a_worker_let_a_fault_that_a_plate_shares_be_told(guarded: Guarded) -> None:
    redis = GuardedRedis(RedisSettings(url=guarded.url(), timeout_s=5))
    stream = StreamReference(redis, "rights")
    told: list[str] = []
    with structlog.testing.capture_logs() as logs:
        for first in (0, 64):
            answers = plate_of(2.0, seed=first)
            subjects = [Subject(str(i), "d", "sdss", plate="1-5-1") for i in range(N_PLATE)]
            records = [Record("t", 0, first + i, None, b"", (), 0) for i in range(N_PLATE)]
            judged = stream.judge(answers, ["sdss"] * N_PLATE, records, subjects)
            stream.learn(answers, ["sdss"] * N_PLATE, subjects)
            told += [fault.name for answer in judged for fault in answer.anomaly_reported]
    redis.close()
    assert told == ["1-5-1"] and [entry for entry in logs if entry["event"] == "cache_failed"] == []


@pytest.mark.parametrize("fault", ["password", "authority"])
def test_a_cache_that_can_not_be_trusted_costs_no_answer_and_shows_no_password(
    feed: Feed, guarded: Guarded, fault: str, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    url = guarded.url("gue55ed-wr0ng") if fault == "password" else guarded.url(ca_file=other)
    feed.publish(numbered(i) for i in range(SPECTRA))
    balance, failures = answered(feed, url)
    assert (balance.published, balance.balanced) == (SPECTRA, True)
    assert failures
    assert "gue55ed" not in str(failures)
    assert PASSWORD not in str(failures)


def test_the_worker_of_redis_may_touch_no_other_key_and_no_setting(guarded: Guarded) -> None:
    with Redis.from_url(guarded.url()) as client:
        for forbidden in (
            lambda: client.set("somebody-else", "x"),
            lambda: client.keys("*"),
            lambda: client.flushall(),
            lambda: client.config_get("*"),
        ):
            with pytest.raises(NoPermissionError):
                forbidden()
