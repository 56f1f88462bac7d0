"""As many cores as a container may use, not as many as its machine has."""

import os
from pathlib import Path

import pytest

from spectraq.models.processes import cpus

HAS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, HAS),
        ({"cpu.max": "max 100000\n"}, HAS),
        ({"cpu.max": "100000 100000\n"}, 1),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "150000 100000\n"}, min(2, HAS)),
        ({"cpu.max": "99900000 100000\n"}, HAS),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, HAS),
        ({"cpu.max": "nonsense\n"}, HAS),
    ],
)
def test_cores_are_those_of_the_affinity_and_the_quota(
    files: dict[str, str], expected: int, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cpus.available(tmp_path) == expected
