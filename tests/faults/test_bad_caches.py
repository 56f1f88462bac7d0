"""A cache that is full, or talks nonsense, costs no answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from spectraq.workers.local.stack import LocalStack
from tests.support.feed import Feed
from tests.support.night import Night
from tests.support.worker_log import metric

SPECTRA = 300
RATE = 150


@pytest.fixture
def nonsense() -> Iterator[str]:
    """The address of something that takes connections and is no Redis."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=babble, args=(connection,), daemon=True).start()

    threading.Thread(target=answer, daemon=True).start()
    yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
    listener.close()


def babble(connection: socket.socket) -> None:
    """Answer whatever is said with bytes that mean nothing."""
    try:
        while connection.recv(1 << 16):
            connection.sendall(b"$99999999999\r\n\xff\x00:-0\r\n*7\r\n" * 50)
    except OSError:
        pass
    finally:
        connection.close()


def test_a_cache_that_answers_garbage_costs_no_answer(
    stack: LocalStack, nonsense: str, tmp_path: Path
) -> None:
    feed = Feed(stack.bootstrap_servers, nonsense)
    with Night(feed, tmp_path, workers=1, delivery="exactly_once", batch_spectra=16) as night:
        night.feed_at(RATE, SPECTRA)
        found = night.accounts()
        assert metric(night.log(0), "spectraq_cache_failures_total") > 0
    found.check("exactly_once")
    assert found.once == SPECTRA


@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lfu"])
def test_a_cache_that_is_full_costs_no_answer(own_stack: LocalStack, policy: str, tmp_path: Path) -> None:
    with Redis.from_url(own_stack.redis_url) as client:
        client.config_set("maxmemory-policy", policy)
        client.config_set("maxmemory", str(client.info("memory")["used_memory"] + (320 << 10)))
        feed = Feed(own_stack.bootstrap_servers, own_stack.redis_url)
        with Night(feed, tmp_path, workers=1, delivery="exactly_once", batch_spectra=16) as night:
            night.feed_at(RATE, SPECTRA)
            found = night.accounts()
            failures = metric(night.log(0), "spectraq_cache_failures_total")
        stats = client.info("stats")
    found.check("exactly_once")
    assert found.once == SPECTRA
    if policy == "noeviction":
        assert failures > 0, "Redis was not full"
    else:
        assert stats["evicted_keys"] > 0, "Redis was not full"
