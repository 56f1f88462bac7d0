"""Nights on the tests' own stack, and on one that a test may break."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from spectraq.workers.local.stack import LocalStack
from tests.support.feed import Feed


@pytest.fixture
def feed(stack: LocalStack) -> Feed:
    """Fresh topics."""
    return Feed(stack.bootstrap_servers, stack.redis_url)


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that a test starts; whatever is left of them is killed."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def own_stack(stack: LocalStack) -> Iterator[LocalStack]:
    """A stack that a test may break."""
    with LocalStack(stack.data) as running:
        yield running
