"""What the tests of faults share: how to wait, what a worker said, and the account of every spectrum."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from foreign import KINDS, Message

MODES = pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
LONG = pytest.mark.parametrize(
    "delivery", [pytest.param("at_least_once", marks=pytest.mark.soak), "exactly_once"]
)
"""Both modes, for what takes half a minute; the mode that fails in more ways is tried each time."""


def events(log: Path) -> list[dict[str, Any]]:
    """What a worker has logged."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [json.loads(line) for line in lines if line.startswith("{")]


def wait_for(what: str, happened: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait, but not for ever."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"waited {seconds} s for: {what}"
        time.sleep(0.02)


def joined(log: Path) -> bool:
    """Whether the worker of this log has got partitions."""
    assert "Traceback" not in log.read_text(), log.read_text()
    return any(e["event"] == "epoch_moved" and e["reason"] == "partitions assigned" for e in events(log))


def metric(log: Path, name: str) -> float:
    """What a worker's /metrics says of a metric without labels; zero where it says nothing."""
    urls = [e["url"] for e in events(log) if e["event"] == "health_listens"]
    if not urls:
        return 0.0
    try:
        with urllib.request.urlopen(urls[-1] + "/metrics", timeout=10) as response:
            text = response.read().decode()
    except OSError:
        return 0.0  # that worker has ended
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(name + " "))


def ended(process: subprocess.Popen[str], seconds: float = 60.0) -> str:
    """Wait for a worker to end well; gives what it printed."""
    printed, _ = process.communicate(timeout=seconds)
    assert process.returncode == 0
    return printed


def account(feed: Any, spectra: int, delivery: str) -> int:
    """Check that every spectrum has its results, none twice where that is promised; gives the duplicates."""
    wanted = {f"spectrum-{i}" for i in range(spectra)}
    duplicates = 0
    for kind in KINDS:
        messages = feed.read(kind)
        found = Counter(m.fields["spectrum_id"] for m in messages)
        assert set(found) == wanted, f"{kind}: lost {sorted(wanted - set(found))[:5]}"
        duplicates += len(messages) - spectra
        if delivery == "exactly_once":
            assert set(found.values()) == {1}, f"{kind}: twice {[k for k, n in found.items() if n > 1][:5]}"
        assert recognisable(messages), f"{kind}: a duplicate has not the bytes of the first"
    return duplicates


def recognisable(messages: list[Message]) -> bool:
    """Whether what comes again has key, value and headers of the first, to the last byte."""
    first: dict[str, Message] = {}
    return all(first.setdefault(m.fields["spectrum_id"], m).bytes == m.bytes for m in messages)
