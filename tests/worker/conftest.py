"""Fresh topics for each test of the worker, on a real broker."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from feed import Feed


@pytest.fixture
def feed(stack: Any) -> Iterator[Feed]:
    """Fresh topics."""
    yield Feed(stack.bootstrap_servers, stack.redis_url)


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    """Workers that must not outlive the test."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
