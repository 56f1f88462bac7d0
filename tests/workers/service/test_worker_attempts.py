"""What a worker that lives leaves written beside the committed offsets, on the real broker."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition

from spectraq.workers.errors import DeliveryError
from spectraq.workers.service.loop import run
from spectraq.workers.transport.crash_marks import Attempts
from spectraq.workers.transport.producer import Producer
from tests.support.feed import Feed, numbered
from tests.support.plumbing import Plumbing
from tests.support.worker_log import wait_for

OTHERS = Attempts(together=frozenset({"aaaaaaaa", "bbbbbbbb"}))
"""Two that began and got nowhere: what follows is tried one by one."""

ANALYSIS_S = 4.0
NEW = 70_101
"""A spectrum that no other test uses: an answer from the cache takes no time."""


@contextmanager
def looking(feed: Feed) -> Iterator[tuple[KafkaConsumer, list[TopicPartition]]]:
    """A client that is no member of the group and sees its offsets, and the partitions of the spectra."""
    settings = feed.settings()
    with closing(
        KafkaConsumer(
            bootstrap_servers=feed.bootstrap_servers,
            group_id=settings.kafka.group_id,
            enable_auto_commit=False,
        )
    ) as client:
        topic = settings.topics.spectra
        yield client, [TopicPartition(topic, number) for number in client.partitions_for_topic(topic)]


def suspect(feed: Feed) -> None:
    """Write that others began at the beginning of every partition."""
    with looking(feed) as (client, partitions):
        client.assign(partitions)
        client.commit({p: OffsetAndMetadata(0, str(OTHERS), -1) for p in partitions})


def written(feed: Feed) -> list[Attempts]:
    """What stands beside the committed offsets."""
    with looking(feed) as (client, partitions):
        return [Attempts.parse(client.committed(p, metadata=True).metadata) for p in partitions]


@contextmanager
def working(feed: Feed, networks: Plumbing, **worker: Any) -> Iterator[None]:
    """Have a worker work in this process, and stop it."""
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(feed.settings(**worker), networks, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()


def test_a_worker_that_stops_while_its_results_are_refused_takes_its_attempt_back(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed.publish([numbered(0)])
    suspect(feed)
    refused: list[Attempts] = []

    def refuse(*_: object) -> None:
        refused.extend(at for at in written(feed) if at.alone)
        raise DeliveryError("refused")

    monkeypatch.setattr(Producer, "_send", refuse)
    with working(feed, Plumbing()):
        wait_for("results that are refused", lambda: len(refused) >= 3)
    assert {len(at.alone) for at in refused} == {1}, "the attempts of one process count more than once"
    assert set(written(feed)) == {OTHERS}


def test_a_rebalance_waits_for_the_spectrum_that_is_tried_alone(feed: Feed) -> None:
    feed.publish([numbered(NEW)])
    suspect(feed)
    first, second = Plumbing(seconds=ANALYSIS_S), Plumbing()
    with working(feed, first):
        wait_for("an attempt", lambda: any(at.alone for at in written(feed)))
        with working(feed, second, slot="second"):
            wait_for("the answer", lambda: feed.count("redshifts") == 1)
    assert (first.analysed, second.analysed) == (1, 0)
