"""Partitions that belong to nobody, while every member of the group is well."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from tests.support.accounts import account
from tests.support.feed import Feed, numbered
from tests.support.worker_log import joined, wait_for

SPECTRA = 120
SESSION_S = 6.0


def test_partitions_that_a_kill_in_a_rebalance_leaves_to_nobody_are_read_again_within_the_session_and_5_s(
    feed: Feed, processes: list[subprocess.Popen[str]], tmp_path: Path
) -> None:
    slots = [f"{feed.name}-{n}" for n in range(2)]
    logs = [tmp_path / f"{n}.log" for n in range(2)]
    first = feed.worker("--dies-at", "after_partitions_are_revoked", log=logs[0], slot=slots[0])
    processes.append(first)
    wait_for("the first worker to join", lambda: joined(logs[0]))
    processes.append(feed.worker(log=logs[1], slot=slots[1]))
    assert first.wait(30) == -9, "no partition was revoked"
    killed = time.monotonic()
    processes.append(feed.worker(log=tmp_path / "again.log", slot=slots[0]))
    feed.publish(numbered(i) for i in range(SPECTRA))
    kinds = ("classifications", "redshifts", "anomalies")
    wait_for("all to be answered", lambda: all(feed.count(kind) >= SPECTRA for kind in kinds), 40)
    silent_s = time.monotonic() - killed
    print(f"all answered {silent_s:.1f} s after the kill; the session is {SESSION_S:.0f} s")
    assert silent_s < SESSION_S + 5
    account(feed, SPECTRA, "at_least_once")
