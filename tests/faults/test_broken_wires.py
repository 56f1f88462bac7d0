"""Connections that are cut, slow, or silent, between workers and a broker that is well."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from spectraq.workers.local import jars
from spectraq.workers.local.ports import choosing
from spectraq.workers.local.stack import LocalStack
from spectraq.workers.settings import load_settings
from tests.support.accounts import LONG
from tests.support.feed import Feed
from tests.support.night import Night
from tests.support.wire import WiredKafka
from tests.support.worker_log import metric, wait_for

SPECTRA = 1200
RATE = 150


class WiredFeed(Feed):
    """A feed that is near the broker, and workers at the far end of a wire."""

    far: str = ""

    def environment(self, **worker: object) -> dict[str, str]:
        """The settings of a worker process."""
        return super().environment(**worker) | {"SPECTRAQ_KAFKA__BOOTSTRAP_SERVERS": self.far}


@pytest.fixture(scope="module")
def wired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WiredKafka]:
    """A broker behind a wire."""
    distribution = jars.fetch(load_settings().local.data)
    with choosing():
        kafka = WiredKafka(distribution, tmp_path_factory.mktemp("wired"))
        kafka.start()
    yield kafka
    kafka.stop()


@pytest.fixture
def feed(wired: WiredKafka, stack: LocalStack) -> WiredFeed:
    """Fresh topics on it."""
    made = WiredFeed(wired.bootstrap_servers, stack.redis_url)
    made.far = wired.wired_servers
    return made


@LONG
def test_a_wire_that_is_cut_slow_and_silent_loses_nothing(
    feed: WiredFeed, wired: WiredKafka, delivery: str, tmp_path: Path
) -> None:
    wire = wired.wire
    with Night(feed, tmp_path, workers=2, seed=5, delivery=delivery, batch_spectra=16) as night:
        night.feed_at(RATE, SPECTRA)
        for _ in range(3):
            night.wait(0.3, 1.0)
            wait_for("somebody to use the wire", lambda: wire.cut() > 0)
            night.happened["cut"] += 1
        wire.delay_s = 0.1
        night.wait(2.0, 3.0)
        wire.delay_s = 0.0
        night.happened["slow"] += 1
        wire.silence(True)
        night.wait(7.0, 8.0)  # longer than the session
        wire.silence(False)
        night.happened["silent"] += 1
        found = night.accounts()
    found.check(delivery)
    assert found.once + found.twice == SPECTRA


@LONG
def test_a_disk_that_is_full_loses_nothing(own_stack: LocalStack, delivery: str, tmp_path: Path) -> None:
    feed = Feed(own_stack.bootstrap_servers, own_stack.redis_url)
    with Night(feed, tmp_path, workers=1, seed=6, delivery=delivery, batch_spectra=16) as night:
        night.feed_at(RATE, SPECTRA)
        wait_for("the middle of the stream", lambda: feed.count("redshifts") > 100)
        broker = own_stack.kafka.child.process.pid
        unlimited = resource.prlimit(broker, resource.RLIMIT_FSIZE)
        # a file that may not grow is to a broker what a full disk is: writing fails
        resource.prlimit(broker, resource.RLIMIT_FSIZE, (64 << 10, unlimited[1]))
        wait_for("trouble", lambda: not alive(broker) or trouble(night), 60)
        own_stack.kafka.kill()
        own_stack.kafka.start()
        night.happened["disk full"] += 1
        found = night.accounts()
    found.check(delivery)
    assert found.once + found.twice == SPECTRA


def alive(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def trouble(night: Night) -> bool:
    """Whether the worker says that it can't publish."""
    return metric(night.log(0), "spectraq_publish_failures_total") > 0
