"""What all tests share: real spectra when they are there, real Kafka and Redis, a clean environment."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from spectraq.workers.local.stack import LocalStack
from spectraq.workers.settings import load_settings

ROOT = Path(__file__).parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own settings must not decide what a test finds."""
    for name in os.environ:
        if name.startswith("SPECTRAQ_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real spectra and templates beside the checkout."""
    if not (SHARED_DATA / "spectra" / "INDEX.csv").exists():
        message = f"no real spectra beside the checkout ({SHARED_DATA.relative_to(ROOT.parent)})"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return SHARED_DATA


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalStack]:
    """Real Kafka and real Redis, for all tests of a run."""
    with LocalStack(load_settings().local.data) as running:
        yield running


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """Whatever a test does to logs is undone."""
    root = logging.getLogger()
    handlers, level, config = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**config)
