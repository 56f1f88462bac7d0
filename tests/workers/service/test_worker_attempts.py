"""What a worker that lives leaves written beside the committed offsets, on the real broker."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import pytest
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition

from spectraq.models.answer import NOTHING_EXTRA, Answer, Extra
from spectraq.models.observation import Observation
from spectraq.workers.errors import AnalysisError, DeliveryError
from spectraq.workers.service.crash_suspects import Suspects
from spectraq.workers.service.loop import run
from spectraq.workers.transport.crash_marks import Attempts
from spectraq.workers.transport.offsets import Offsets
from spectraq.workers.transport.producer import Producer
from tests.support.accounts import MODES
from tests.support.feed import Feed, numbered
from tests.support.plumbing import Plumbing
from tests.support.worker_log import wait_for

OTHERS = Attempts(together=frozenset({"aaaaaaaa", "bbbbbbbb"}))
"""Two that began and got nowhere: what follows is tried one by one."""

ANALYSIS_S = 4.0
NEW, UNANSWERED, UNREAD = 70_101, 70_102, 70_103
"""Spectra that no other test uses: an answer from the cache takes no time."""


class Broken(Plumbing):
    """Networks that fail whatever they are given."""

    def analyze(self, observations: Sequence[Observation], extra: Extra = NOTHING_EXTRA) -> list[Answer]:
        """Fail."""
        raise RuntimeError("the device is gone")


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
        committed = (client.committed(partition, metadata=True) for partition in partitions)
        return [Attempts.parse(at.metadata) for at in committed if at is not None]


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


@MODES
def test_networks_that_fail_on_everything_leave_no_name_beside_the_offsets(feed: Feed, delivery: str) -> None:
    feed.publish([numbered(UNANSWERED)])
    suspect(feed)
    for _ in range(2):
        with pytest.raises(AnalysisError):
            run(feed.settings(delivery=delivery), Broken(), threading.Event())
        assert set(written(feed)) == {OTHERS}
    assert feed.count("dead_letters") == 0


def test_a_worker_that_stops_before_it_reads_what_it_began_on_takes_its_name_back(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed.publish([numbered(UNREAD)])
    stop = threading.Event()
    begin_on = Suspects.begin_on

    def begin_and_stop(suspects: Suspects, packed: Offsets) -> list[TopicPartition]:
        suspected = begin_on(suspects, packed)
        if suspects.together:
            assert any(at.together for at in written(feed))
            stop.set()
        return suspected

    monkeypatch.setattr(Suspects, "begin_on", begin_and_stop)
    run(feed.settings(), Plumbing(), stop)
    assert stop.is_set()
    assert set(written(feed)) == {Attempts()}
