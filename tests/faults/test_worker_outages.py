"""Kafka and Redis going away under a working worker.

The networks answer with a function of the pixels: what is tested is that nothing is lost and nothing waits.
"""

from __future__ import annotations

import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spectraq.workers.local.redis import Redis
from spectraq.workers.local.stack import LocalStack
from spectraq.workers.operations.health import Health
from spectraq.workers.operations.metrics import Metrics
from spectraq.workers.service.ledger import Balance
from spectraq.workers.service.loop import run
from tests.support.accounts import MODES, account
from tests.support.feed import Feed, numbered
from tests.support.plumbing import Plumbing
from tests.support.worker_log import ended, events, joined, wait_for

SPECTRA = 600


@pytest.fixture
def own_stack(stack: LocalStack) -> Iterator[LocalStack]:
    """A stack that a test may break."""
    with LocalStack(stack.data) as running:
        yield running


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Redis]:
    """A Redis that a test may break."""
    redis = Redis(tmp_path)
    redis.start()
    yield redis
    redis.child.thaw()
    redis.stop()


def readiness(log: Path) -> tuple[int, str]:
    """What /readyz of a worker says."""
    url = next(e["url"] for e in events(log) if e["event"] == "health_listens")
    try:
        with urllib.request.urlopen(url + "/readyz", timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.soak
@MODES
@pytest.mark.parametrize("fault", ["killed", "frozen"])
def test_while_kafka_is_away_the_worker_waits_and_says_so_and_then_goes_on_where_it_was(
    own_stack: LocalStack,
    delivery: str,
    fault: str,
    processes: list[subprocess.Popen[str]],
    tmp_path: Path,
) -> None:
    feed = Feed(own_stack.bootstrap_servers, own_stack.redis_url)
    feed.publish(numbered(i) for i in range(SPECTRA))
    log = tmp_path / "worker.log"
    worker = feed.worker("--seconds", "0.004", log=log, delivery=delivery, batch_spectra=16)
    processes.append(worker)
    wait_for("the worker to join", lambda: joined(log))
    wait_for("readiness", lambda: readiness(log)[0] == 200)
    time.sleep(0.4)
    kafka = own_stack.kafka
    if fault == "killed":
        kafka.kill()
        wait_for("unreadiness", lambda: readiness(log)[0] == 503, 40)
        kafka.start()
    else:
        kafka.child.freeze()
        time.sleep(7)  # longer than the session
        kafka.child.thaw()
    back = time.monotonic()
    wait_for("all redshifts", lambda: feed.count("redshifts") >= SPECTRA, 60)
    print(f"{delivery}, {fault}: all answered {time.monotonic() - back:.1f} s after Kafka was back")
    assert worker.poll() is None, "the worker did not live through it"
    worker.send_signal(signal.SIGTERM)
    ended(worker)
    account(feed, SPECTRA, delivery)


def stream(feed: Feed, redis: Redis, metrics: Metrics, breaking: Any) -> Balance:
    """Work through 600 spectra while `breaking` happens in the middle; gives the ledger."""
    feed.publish(numbered(i) for i in range(SPECTRA))
    settings = feed.settings(batch_spectra=16, max_wait_s=0.01)
    redis_settings = settings.redis.model_copy(update={"url": secret(redis.url)})
    settings = settings.model_copy(update={"redis": redis_settings})
    found: list[Balance] = []
    networks = Plumbing(digest=feed.name, seconds=0.002)

    def work() -> None:
        found.append(
            run(
                settings,
                networks,
                threading.Event(),
                until_drained=True,
                metrics=metrics,
                health=Health(metrics),
            )
        )

    worker = threading.Thread(target=work)
    worker.start()
    wait_for("the middle of the stream", lambda: networks.analysed > SPECTRA / 3)
    assert networks.analysed < SPECTRA
    breaking()
    worker.join(60)
    return found[0]


def secret(text: str) -> Any:
    """A setting that is not printed."""
    from pydantic import SecretStr

    return SecretStr(text)


@pytest.mark.parametrize("fault", ["killed", "frozen"])
def test_redis_gone_in_the_middle_changes_no_answer(feed: Feed, own_redis: Redis, fault: str) -> None:
    stream_without_redis(feed, own_redis, fault)


@pytest.mark.soak
@pytest.mark.parametrize("fault", ["killed", "frozen"])
def test_redis_gone_in_the_middle_makes_no_batch_wait_for_more_than_its_timeout(
    feed: Feed, own_redis: Redis, fault: str
) -> None:
    text = stream_without_redis(feed, own_redis, fault)
    for stage in ("look_up", "keep"):
        batches = sample(text, f'spectraq_stage_seconds_count{{stage="{stage}"}}')
        quick = sample(text, f'spectraq_stage_seconds_bucket{{le="0.25",stage="{stage}"}}')
        assert batches > 20
        assert quick == batches, f"{batches - quick} batches waited for the cache for longer than 0.25 s"


def stream_without_redis(feed: Feed, own_redis: Redis, fault: str) -> str:
    """Lose Redis in the middle of a stream, check every answer, and give the worker's metrics."""
    metrics = Metrics()
    breaking = own_redis.child.kill if fault == "killed" else own_redis.child.freeze
    balance = stream(feed, own_redis, metrics, breaking)
    assert balance.published == SPECTRA
    assert account(feed, SPECTRA, "at_least_once") == 0
    text = metrics.text().decode()
    failures = next(line for line in text.splitlines() if line.startswith("spectraq_cache_failures_total"))
    assert float(failures.split()[1]) > 0, "the cache did not fail"
    return text


def sample(text: str, name: str) -> float:
    """The value of one sample of a metrics page."""
    return next(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))
