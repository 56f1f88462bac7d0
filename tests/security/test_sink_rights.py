"""A sink with its rights and no more writes, and with one less says which."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import structlog

from spectraq.workers.archive.sink import run
from spectraq.workers.transport.rights import ROLES
from tests.security.test_kafka_rights import stop_when_refused
from tests.support.feed import numbered
from tests.support.securekafka import give

SPECTRA = 5


def test_a_sink_with_its_rights_and_no_more_writes_and_with_one_less_says_which(
    feed: Any, tmp_path: Path
) -> None:
    settings = feed.settings_as("sink")
    rights = ROLES["sink"](settings)
    feed.publish(numbered(i) for i in range(SPECTRA))
    feed.work()
    give(feed, "sink", rights)
    written = run(settings, str(tmp_path / "archive"), threading.Event(), until_drained=True)
    assert written.rows == SPECTRA * len(feed.kinds)
    group = next(right for right in rights if right.name == settings.archive.group_id)
    give(feed, "sink", [right for right in rights if right is not group])
    stop = threading.Event()
    with structlog.testing.capture_logs() as logs:
        waiting = threading.Thread(target=stop_when_refused, args=(stop, logs))
        waiting.start()
        run(settings, str(tmp_path / "archive"), stop)
        waiting.join()
    said = "".join(map(str, logs))
    assert "uthoriz" in said and group.name in said
