"""An archive in a folder of the test's, and sinks that fill it."""

from __future__ import annotations

import os
import resource
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from spectraq.schemas import codec
from spectraq.schemas.message import Message
from tests.support.commandline import SPECTRAQ
from tests.support.feed import Feed
from tests.support.results import results


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@pytest.fixture
def publish(feed: Feed) -> Callable[[Iterable[int]], dict[str, int]]:
    """Publish the results of numbered spectra; returns how many there are of each table."""

    def put(numbers: Iterable[int]) -> dict[str, int]:
        messages: dict[str, list[tuple[bytes, bytes]]] = defaultdict(list)
        for number in numbers:
            for table, message in results(number):
                messages[table].append(framed(message))
        for table, of_table in messages.items():
            feed.publish(of_table, to=table)
        return {table: len(of_table) for table, of_table in messages.items()}

    return put


@pytest.fixture
def sink(feed: Feed, processes: list[Any], tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start a sink as a process; what is given are settings of the archive.

    With `largest_file` it can't write larger files, as on a disk that is full.
    """

    def start(
        folder: Path | str, *arguments: str, largest_file: int | None = None, **archive: Any
    ) -> subprocess.Popen[str]:
        def limit() -> None:
            if largest_file is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY))

        settings = {"group_id": f"{feed.name}-archive"} | archive
        environment = {f"SPECTRAQ_ARCHIVE__{key}".upper(): str(value) for key, value in settings.items()}
        with (tmp_path / "sinks.log").open("a") as log:
            process = subprocess.Popen(
                [SPECTRAQ, "sink", str(folder), *arguments],
                env={**os.environ, **feed.environment(), **environment},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                preexec_fn=limit,
            )
        processes.append(process)
        return process

    return start


def framed(message: Message) -> tuple[bytes, bytes]:
    """Key and value of a message as they are published."""
    key = getattr(message, "spectrum_id", "survey")
    return key.encode(), codec.encode(message)
