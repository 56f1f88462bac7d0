"""Urgent spectra go first, whatever the lag is, and leave room for the others."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from spectraq.workers.service.urgent_allowance import Allowance
from tests.support.accounts import LONG
from tests.support.feed import Feed, numbered
from tests.support.foreign import Message
from tests.support.worker_log import ended, joined, wait_for

SPECTRA = 1500
URGENT = 60
SECONDS = 0.004  # a spectrum
FIRST_URGENT = 100_000


def order(feed: Feed) -> list[bool]:
    """Of each result, in the order of time, whether it is of an urgent spectrum."""

    def number(message: Message) -> int:
        return int(message.fields["spectrum_id"].rpartition("-")[2])

    messages = sorted(feed.read("redshifts"), key=lambda message: message.timestamp_ms)
    return [number(message) >= FIRST_URGENT for message in messages]


@LONG
def test_urgent_spectra_are_answered_before_a_lag_that_was_there_first(
    feed: Feed, delivery: str, processes: list[subprocess.Popen[str]], tmp_path: Path
) -> None:
    feed.with_priority()
    feed.publish(numbered(i) for i in range(SPECTRA))
    log = tmp_path / "log"
    options = {"delivery": delivery, "batch_spectra": 16, "priority_rate": 1000}
    worker = feed.worker("--until-drained", "--seconds", str(SECONDS), log=log, **options)
    processes.append(worker)
    wait_for("the worker to join", lambda: joined(log))
    feed.publish((numbered(FIRST_URGENT + i) for i in range(URGENT)), to="priority")
    assert " = published " in ended(worker)
    urgent = order(feed)
    assert (len(urgent), sum(urgent)) == (SPECTRA + URGENT, URGENT)
    last = max(i for i, is_urgent in enumerate(urgent) if is_urgent)
    assert last < SPECTRA / 2, f"{SPECTRA - last} others waited behind the last urgent one"


def test_more_urgent_spectra_than_are_allowed_let_the_others_go_on(
    feed: Feed, processes: list[subprocess.Popen[str]], tmp_path: Path
) -> None:
    feed.with_priority()
    feed.publish((numbered(FIRST_URGENT + i) for i in range(URGENT)), to="priority")
    feed.publish(numbered(i) for i in range(SPECTRA))
    options = {"batch_spectra": 16, "priority_rate": 10}
    worker = feed.worker("--until-drained", "--seconds", str(SECONDS), log=tmp_path / "log", **options)
    processes.append(worker)
    assert " = published " in ended(worker)
    urgent = order(feed)
    assert (len(urgent), sum(urgent)) == (SPECTRA + URGENT, URGENT)
    last = max(i for i, is_urgent in enumerate(urgent) if is_urgent)
    between = last + 1 - URGENT
    assert between > URGENT, "the others waited for all urgent ones"


@pytest.mark.parametrize("rate", [2.0, 50.0])
def test_an_allowance_is_its_rate_over_any_time(rate: float) -> None:
    now = 0.0
    allowance = Allowance(rate, clock=lambda: now)
    taken, step = 0, max(1, int(rate / 5))
    for tick in range(1000):
        now = tick * 0.1
        if allowance.open:
            allowance.take(step)
            taken += step
    assert abs(taken - 100 * rate) <= rate + step + 1


def test_no_limit_is_always_open() -> None:
    allowance = Allowance(0.0)
    allowance.take(10**6)
    assert allowance.open
