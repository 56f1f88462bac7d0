"""A sink that is killed while results come, from workers that are killed, too."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake import DeltaTable

from spectraq.workers.archive.sink import run
from spectraq.workers.settings import load_settings
from tests.support.accounts import MODES
from tests.support.feed import Feed
from tests.support.night import Night
from tests.support.worker_log import wait_for

KILLS = 20
RATE = 60
ENDLESS = 10**6
"""Spectra that are fed at most: until the last kill is over."""
SESSION_S = 3.0
"""Who is killed is in its group for so long, and nobody else gets its partitions."""


@pytest.mark.soak
@pytest.mark.timeout(1800)
@MODES
def test_a_sink_that_is_killed_twenty_times_while_results_come_writes_each_once(
    feed: Feed, folder: Path, sink: Callable[..., subprocess.Popen[str]], delivery: str, tmp_path: Path
) -> None:
    feed.kafka_options["session_timeout_s"] = SESSION_S
    chance = random.Random(5)
    with Night(feed, tmp_path, workers=2, seed=5, delivery=delivery, batch_spectra=16) as night:
        night.feed_at(RATE, ENDLESS)
        for kill in range(KILLS):
            before = _assignments(tmp_path)
            process = sink(folder, commit_rows=400, commit_s=0.3)
            wait_for("the sink's partitions", lambda before=before: _assignments(tmp_path) > before)
            if kill % 2:
                time.sleep(chance.uniform(0, 3))
            else:
                _wait_for_a_file(folder)
                time.sleep(chance.uniform(0, 0.2))
            process.kill()
            process.wait()
            if kill % 4 == 3:
                night.kill()
        night.end_feed()
        accounts = night.accounts(within_s=600)
    accounts.check(delivery)
    settings = load_settings(**feed.sections(), archive={"group_id": f"{feed.name}-archive"})
    rest = run(settings, str(folder), threading.Event(), until_drained=True)
    print(
        f"{delivery}: {KILLS} kills of the sink, {night.happened['kill -9']} of workers;"
        f" left for the end: {rest}"
    )
    for kind in feed.kinds:
        _compare(feed, folder, kind)


def _compare(feed: Feed, folder: Path, kind: str) -> None:
    """Compare the results on a topic with the rows of its table."""
    published = Counter(message.fields["result_id"] for message in feed.read(kind))
    table = DeltaTable(str(folder / kind))
    rows = Counter(table.to_pyarrow_table(columns=["result_id"]).column("result_id").to_pylist())
    files = set(map(str, (folder / kind).rglob("night=*/*.parquet")))
    print(
        f"{kind}: {sum(published.values())} messages of {len(published)} results, {sum(rows.values())} rows,"
        f" {max(rows.values())} at most of one; {len(files)} files, {len(files) - len(table.file_uris())} of"
        " commits that a kill prevented"
    )
    assert set(rows) == set(published)
    assert set(rows.values()) == {1}


def _assignments(tmp_path: Path) -> int:
    """How often sinks have got partitions."""
    log = tmp_path / "sinks.log"
    return log.read_text().count("partitions assigned") if log.exists() else 0


def _wait_for_a_file(folder: Path) -> None:
    """Return when the sink has begun to write a file or a commit, or does not within half a minute."""
    before = sum(1 for _ in folder.rglob("*.*"))
    deadline = time.monotonic() + 30
    while sum(1 for _ in folder.rglob("*.*")) == before and time.monotonic() < deadline:
        time.sleep(0.005)
