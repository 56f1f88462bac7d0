"""Partitions that nobody reads: who notices, who acts, and how often."""

from __future__ import annotations

import itertools
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from kafka import TopicPartition

from spectraq.workers.operations.metrics import Metrics
from spectraq.workers.service.ownership import NEXT_S, SETTLED_S, Ownership
from spectraq.workers.settings import load_settings
from spectraq.workers.transport.groupwatch import Look
from spectraq.workers.transport.lag import GroupOwners, PartitionLag
from tests.support.feed import Feed
from tests.support.stranger import Stranger
from tests.support.worker_log import events, metric, wait_for

TOPIC = "spectra"


def asked(log: Path, path: str) -> str:
    """What a worker says of itself, well or not."""
    url = next(event["url"] for event in events(log) if event["event"] == "health_listens")
    try:
        with urllib.request.urlopen(f"{url}/{path}", timeout=10) as response:
            return str(response.read().decode())
    except urllib.error.HTTPError as error:
        return str(error.read().decode())


def test_a_worker_names_the_partitions_that_nobody_reads_and_has_them_shared_out_until_somebody_does(
    feed: Feed, processes: list[subprocess.Popen[str]], tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    with Stranger(feed.settings(), {1, 2}) as stranger:
        processes.append(feed.worker(log=log))
        wait_for("the worker to notice", lambda: "partitions_ownerless" in log.read_text(), 30)
        wait_for("it to join again", lambda: metric(log, "spectraq_rejoins_total") > 0, 30)
        sentence = "reading and publishing; group: nobody reads partitions 1, 2\n"
        wait_for("it to say so", lambda: asked(log, "readyz") == sentence, 30)
        assert metric(log, 'spectraq_partition_ownerless{partition="1"}') == 1
        assert metric(log, 'spectraq_partition_ownerless{partition="0"}') == 0
        stranger.assignor.left_out = set()
        wait_for("all to be read", lambda: asked(log, "readyz") == "reading and publishing\n", 30)
        assert metric(log, 'spectraq_partition_ownerless{partition="1"}') == 0
        wait_for("the group's lag", lambda: 'spectraq_group_lag{partition="3"}' in asked(log, "metrics"), 30)


@dataclass
class Member:
    """A group as one of its members sees it; time passes as the test says."""

    slot: str
    slots: tuple[str, ...] = ("a", "b", "c")
    owners: dict[int, str | None] = field(default_factory=dict)
    generation: int = 1
    state: str = "Stable"
    assignment: set[TopicPartition] = field(default_factory=set)
    joined: bool = True
    asked: list[float] = field(default_factory=list)
    now: float = 0.0
    latest: Look | None = None

    def __post_init__(self) -> None:
        self.now = time.monotonic() + 1
        settings = load_settings(worker={"slot": self.slot}, topics={"spectra": TOPIC})
        self.metrics = Metrics()
        consumer: Any = self
        self.ownership = Ownership(consumer, consumer, settings, self.metrics)

    @property
    def membership(self) -> SimpleNamespace:
        """As a consumer has it."""
        return SimpleNamespace(generation_id=self.generation)

    def join_again(self, reason: str) -> None:
        """Note when."""
        self.asked.append(self.now)

    def look_soon(self) -> None:
        """The test looks."""

    def revive(self) -> None:
        """Nothing is stuck."""

    def sees(self, seconds: float, step: float = 0.5) -> list[float]:
        """Let time pass; gives when the member asked for another rebalance, from the beginning."""
        begun = self.now
        self.asked = []
        while self.now < begun + seconds:
            owners = {TopicPartition(TOPIC, number): slot for number, slot in self.owners.items()}
            lags = {
                partition: PartitionLag(partition.partition, 0, 7, 5, slot)
                for partition, slot in owners.items()
            }
            self.latest = Look(self.now, GroupOwners(self.state, self.slots, owners), lags)
            self.ownership.look()
            self.now += step
        return [asked - begun for asked in self.asked]


def test_the_first_of_a_group_acts_once_a_rebalance_should_be_over_and_the_others_after_one_another() -> None:
    first = {slot: Member(slot, owners={0: "a", 1: None}).sees(12)[0] for slot in "bc"}
    first["a"] = Member("a", owners={0: None, 1: "b"}).sees(12)[0]
    assert first == {"a": SETTLED_S, "b": SETTLED_S + NEXT_S, "c": SETTLED_S + 2 * NEXT_S}


def test_asking_again_that_is_of_no_use_is_done_more_and_more_seldom_and_once_a_minute_at_last() -> None:
    asked = Member("a", slots=("a",), owners={0: None}).sees(600)
    pauses = [round(after - before, 1) for before, after in itertools.pairwise(asked)]
    assert pauses[:4] == [4.5, 8.5, 16.5, 32.5]
    assert set(pauses[4:]) == {64.5}


def test_who_asks_is_waited_for_by_the_others() -> None:
    member = Member("b", owners={0: None})
    assert member.sees(SETTLED_S + 1) == []
    member.generation += 1  # another one asked, and that was of no use
    assert member.sees(2 * SETTLED_S + NEXT_S) == []
    assert len(member.sees(2.0)) == 1


def test_nobody_asks_while_a_rebalance_is_under_way_or_partitions_have_only_just_been_given_away() -> None:
    assert Member("a", owners={0: None}, state="PreparingRebalance").sees(60) == []
    member = Member("a", owners={0: None})
    for _ in range(10):
        assert member.sees(SETTLED_S - 0.5) == []
        member.owners[0] = None if member.owners[0] else "a"
        member.assignment = {TopicPartition(TOPIC, 0)} if member.owners[0] else set()


def test_a_partition_that_is_ours_by_kafkas_account_and_that_we_do_not_read_is_nobodys() -> None:
    member = Member("c", owners={0: "a", 1: "c"})
    assert member.sees(SETTLED_S + 1) == [SETTLED_S]
    assert member.ownership.look() == "nobody reads partition 1"


def test_lag_of_every_partition_is_told_and_forgotten_where_kafka_does_not_say_for_long() -> None:
    member = Member("b", owners={0: "a", 1: None})
    member.sees(1)
    assert b'spectraq_group_lag{partition="1"} 2.0' in member.metrics.text()
    member.now -= 3600
    member.sees(0.5)
    member.latest = None
    member.ownership.look()
    assert b"spectraq_group_lag{" not in member.metrics.text()
