"""How many CPU cores are this process's to use."""

from __future__ import annotations

import os
from pathlib import Path

CONTROL = Path("/sys/fs/cgroup")
"""Where Linux says what a container may use."""


def available(control: Path = CONTROL) -> int:
    """Return how many cores the process's affinity and its container's quota allow, at least one."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(min(count, _quota(control) or count), 1)


def _quota(control: Path) -> int | None:
    """Return the whole cores of the quota, rounded up; None where there is none."""
    version_2, version_1 = control / "cpu.max", control / "cpu"  # the two versions of control groups
    try:
        if version_2.exists():
            quota, period = version_2.read_text().split()
        else:
            quota, period = ((version_1 / f"cpu.cfs_{what}_us").read_text() for what in ("quota", "period"))
        return -(-int(quota) // int(period)) if int(quota) > 0 else None
    except (OSError, ValueError):  # "max", or no control groups here
        return None
