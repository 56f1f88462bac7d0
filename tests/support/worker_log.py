"""What a worker process has said so far: its log, its metrics, and what it printed at its end."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any


def events(log: Path) -> list[dict[str, Any]]:
    """What a worker has logged, up to its last whole line: what is being written can be read in part."""
    lines = log.read_text().splitlines(keepends=True) if log.exists() else []
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]


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
