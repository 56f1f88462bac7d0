"""Faults that really happen, to worker processes on real Kafka and Redis; every spectrum is accounted for.

The networks answer at once with a function of the pixels: what is tested is that nothing is lost on the way.
"""

from __future__ import annotations

import itertools
import random
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from spectraq.workers.transport.epoch import Epoch
from spectraq.workers.transport.messages import Outgoing
from spectraq.workers.transport.producer import ExactlyOnce
from tests.support.accounts import LONG, account
from tests.support.feed import Feed, numbered
from tests.support.worker_log import ended, events, joined, metric, wait_for

SPECTRA = 600
SECONDS = 0.004  # a spectrum
SLOWLY = 0.02  # on a busy machine too, the three kills come before the end of the stream
BATCH = 16


@LONG
def test_three_kills_in_the_middle_of_the_stream_lose_nothing(
    feed: Feed, delivery: str, processes: list[subprocess.Popen[str]], tmp_path: Path
) -> None:
    generator = random.Random(delivery)
    feed.redis_url = "redis://127.0.0.1:1/0"  # answers from the cache would be there at once
    options = {"delivery": delivery, "batch_spectra": BATCH}
    feed.publish(numbered(i) for i in range(SPECTRA))
    for attempt in range(3):
        log = tmp_path / f"{attempt}.log"
        processes.append(feed.worker("--seconds", str(SLOWLY), log=log, **options))
        wait_for("the worker to join", lambda log=log: joined(log))
        wait_for("the first results", lambda: feed.count("redshifts") > 0)
        time.sleep(generator.uniform(0.3, 1.0))
        processes[-1].kill()
        processes[-1].wait()
    done_before = len(feed.read("redshifts"))
    assert 0 < done_before < SPECTRA, "the kills were not in the middle of the stream"
    last = feed.worker("--until-drained", "--seconds", str(SECONDS), log=tmp_path / "last.log", **options)
    processes.append(last)
    assert " = published " in ended(last)
    print(f"{delivery}: {account(feed, SPECTRA, delivery)} duplicates after 3 kills")


@LONG
def test_sigterm_finishes_what_is_in_hand_and_the_next_worker_does_the_rest_without_a_duplicate(
    feed: Feed, delivery: str, processes: list[subprocess.Popen[str]], tmp_path: Path
) -> None:
    options = {"delivery": delivery, "batch_spectra": BATCH}
    feed.publish(numbered(i) for i in range(SPECTRA))
    log = tmp_path / "first.log"
    first = feed.worker("--seconds", str(SLOWLY), log=log, **options)
    processes.append(first)
    wait_for("the worker to join", lambda: joined(log))
    wait_for("the first results", lambda: feed.count("redshifts") > 0)
    first.send_signal(signal.SIGTERM)
    told = time.monotonic()
    assert "given back 0" in ended(first)
    assert time.monotonic() - told < 15  # in hand are six batches at most, of a third of a second each
    assert 0 < len(feed.read("redshifts")) < SPECTRA, "SIGTERM did not come in the middle of the stream"
    second = feed.worker("--until-drained", log=tmp_path / "second.log", **options)
    processes.append(second)
    ended(second)
    assert account(feed, SPECTRA, delivery) == 0


def test_a_second_signal_ends_the_worker_at_once(
    feed: Feed, processes: list[subprocess.Popen[str]], tmp_path: Path
) -> None:
    feed.publish(numbered(i) for i in range(50))
    log = tmp_path / "worker.log"
    worker = feed.worker("--seconds", "1", log=log)
    processes.append(worker)
    wait_for("work in hand", lambda: metric(log, "spectraq_records_in_hand") > 0)
    worker.send_signal(signal.SIGTERM)
    wait_for("the worker to finish what it has", lambda: any(e["event"] == "stopping" for e in events(log)))
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=10) == 130  # in hand are fifty seconds of work


def two_workers(feed: Feed, processes: list[subprocess.Popen[str]], tmp_path: Path) -> None:
    """Start two workers, and wait until both have joined."""
    options = {"delivery": "exactly_once", "batch_spectra": BATCH}
    logs = [tmp_path / f"{n}.log" for n in range(2)]
    for n, log in enumerate(logs):
        slot = f"{feed.name}-{n}"
        processes.append(feed.worker("--seconds", str(SECONDS), log=log, **options, slot=slot))
    for log in logs:
        wait_for("both workers to join", lambda log=log: joined(log))


def test_what_a_killed_worker_held_goes_to_another_one(
    feed: Feed, processes: list[subprocess.Popen[str]], tmp_path: Path
) -> None:
    two_workers(feed, processes, tmp_path)
    feed.publish(numbered(i) for i in range(SPECTRA))
    time.sleep(0.7)
    processes[0].kill()
    killed = time.monotonic()
    wait_for("all redshifts", lambda: len(feed.read("redshifts")) == SPECTRA, 90)
    print(f"all answered {time.monotonic() - killed:.1f} s after the kill; the session is 6 s")
    processes[1].send_signal(signal.SIGTERM)
    ended(processes[1])
    assert account(feed, SPECTRA, "exactly_once") == 0


def test_a_zombie_that_comes_back_publishes_nothing_twice(
    feed: Feed, processes: list[subprocess.Popen[str]], tmp_path: Path
) -> None:
    feed.kafka_options = {"max_poll_interval_s": 7.0}
    two_workers(feed, processes, tmp_path)
    feed.publish(numbered(i) for i in range(SPECTRA))
    time.sleep(0.5)
    processes[0].send_signal(signal.SIGSTOP)
    time.sleep(8)  # longer than the session, and than the time between two polls
    processes[0].send_signal(signal.SIGCONT)
    wait_for("all redshifts", lambda: len(feed.read("redshifts")) == SPECTRA, 90)
    time.sleep(1)
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        ended(process)
    assert account(feed, SPECTRA, "exactly_once") == 0


def test_an_epoch_that_ends_while_a_batch_is_being_published_has_nothing_published_twice(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed.publish(numbered(i) for i in range(SPECTRA))
    epochs: list[Epoch] = []
    sends, send = itertools.count(), ExactlyOnce._send

    class Known(Epoch):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            epochs.append(self)

    def interrupted(self: ExactlyOnce, messages: Sequence[Outgoing]) -> None:
        send(self, messages)
        if next(sends) == 3:
            epochs[0].move("a commit failed beside it")
            time.sleep(2)  # offsets are not in the transaction yet: Kafka says where the group was before it

    monkeypatch.setattr("spectraq.workers.service.loop.Epoch", Known)
    monkeypatch.setattr(ExactlyOnce, "_send", interrupted)
    assert feed.work(delivery="exactly_once", batch_spectra=BATCH).balanced
    assert account(feed, SPECTRA, "exactly_once") == 0
