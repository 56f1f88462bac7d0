"""The sink on a real Kafka: each message is in the tables once, whatever dies."""

from __future__ import annotations

import random
import resource
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from spectraq.schemas.results import Redshift
from spectraq.workers.archive import sink as sink_module
from spectraq.workers.archive.in_hand import Written
from spectraq.workers.archive.pending import Pending
from spectraq.workers.archive.sink import run
from spectraq.workers.archive.table import ArchiveTable
from spectraq.workers.errors import DeliveryError
from spectraq.workers.settings import Settings, load_settings
from tests.support.feed import Feed
from tests.support.results import results
from tests.workers.archive.conftest import framed

Start = Callable[..., subprocess.Popen[str]]
Publish = Callable[..., dict[str, int]]


def settings_of(feed: Feed, **archive: Any) -> Settings:
    return load_settings(**feed.sections(), archive={"group_id": f"{feed.name}-archive"} | archive)


def drain(feed: Feed, folder: Path, **archive: Any) -> Written:
    """Run a sink in this process until the topics are drained."""
    return run(settings_of(feed, **archive), str(folder), threading.Event(), until_drained=True)


def ids(folder: Path, table: str = "redshifts", column: str = "result_id") -> Counter[Any]:
    rows = DeltaTable(str(folder / table)).to_pyarrow_table(columns=[column])
    return Counter(rows.column(column).to_pylist())


def test_every_result_and_letter_is_a_row_of_its_table_with_its_night_and_its_place(
    feed: Feed, folder: Path, publish: Publish
) -> None:
    counts = publish(range(300))
    written = drain(feed, folder)
    assert written == Written(rows=sum(counts.values()))
    assert {table: len(ids(folder, table, "kafka_offset")) > 0 for table in counts} == dict.fromkeys(
        counts, True
    )
    rows = DeltaTable(str(folder / "redshifts")).to_pyarrow_table().to_pylist()
    by_id = {row["spectrum_id"]: row for row in rows}
    assert len(rows) == len(by_id) == 300
    for number in (0, 17, 299):
        redshift = next(message for table, message in results(number) if table == "redshifts")
        assert isinstance(redshift, Redshift) and redshift.mjd is not None
        row = by_id[redshift.spectrum_id]
        assert (row["z"], row["zerr"], row["spectype"]) == (redshift.z, redshift.zerr, redshift.spectype)
        assert row["candidates"] == [candidate.model_dump() for candidate in redshift.candidates]
        assert row["spectrum_digest"] == redshift.provenance.spectrum_digest
        assert (row["night"].toordinal() - 678576) == int(redshift.mjd)  # MJD 0 is day 678576 of the calendar
        assert row["healpix_29"] >> 50 == row["healpix_cell"]


def test_a_sink_that_is_killed_again_and_again_writes_each_message_once(
    feed: Feed, folder: Path, publish: Publish, sink: Start
) -> None:
    kills, spectra, chance = 3, 600, random.Random(1)
    feed.kafka_options = {"session_timeout_s": 2}  # a sink that is killed is in its group for so long
    step = spectra // kills
    wanted: Counter[str] = Counter()
    for kill in range(kills):
        wanted.update(publish(range(kill * step, (kill + 1) * step)))
        before = _files(folder)
        process = sink(folder, commit_rows=step // 5, commit_s=0.2)
        deadline = time.monotonic() + 60
        while _files(folder) == before and time.monotonic() < deadline:
            time.sleep(0.005)  # until it has begun to write a file or a commit
        time.sleep(chance.uniform(0, 0.4))
        process.kill()
        process.wait()
    drain(feed, folder)
    for table, many in wanted.items():
        column = "offset" if table == "dead_letters" else "result_id"
        found = ids(folder, table, column)
        assert (sum(found.values()), len(found)) == (many, many), table


def _files(folder: Path) -> int:
    return sum(1 for _ in folder.rglob("*.*"))


def test_sinks_of_one_group_share_the_partitions_and_write_each_message_once(
    feed: Feed, folder: Path, publish: Publish, sink: Start
) -> None:
    wanted = Counter(publish(range(400)))
    pair = [sink(folder, commit_rows=100, commit_s=0.2) for _ in range(2)]
    wanted.update(publish(range(400, 1200)))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if (folder / "redshifts").exists() and sum(ids(folder).values()) >= wanted["redshifts"]:
            break
        time.sleep(0.2)
    for process in pair:
        process.terminate()
    assert [process.wait(timeout=60) for process in pair] == [0, 0]
    drain(feed, folder)
    found = ids(folder)
    assert (sum(found.values()), len(found)) == (1200, 1200)


def test_whoever_lost_a_partition_unknowingly_writes_nothing_of_it(tmp_path: Path) -> None:
    storage: dict[str, str] = {}
    one, other = (ArchiveTable(str(tmp_path), "redshifts", "night", storage) for _ in range(2))
    mine, theirs = ("topic", 0), ("topic", 1)
    for table in (one, other):
        table.refresh()
        assert table.next_offset(mine) is None and table.next_offset(theirs) is None
    other.append([], {theirs: 10})
    one.append([], {mine: 5})  # takes in what the other wrote
    with pytest.raises(Exception, match="another sink has written partition 1"):
        one.append([], {theirs: 12})
    other.append([], {theirs: 20})
    with pytest.raises(Exception, match="oncurrent"):
        other_view = ArchiveTable(str(tmp_path), "redshifts", "night", storage)
        assert other_view.next_offset(theirs) == 20
        other.append([], {theirs: 30})
        other_view.append([], {theirs: 25})
    assert one.next_offset(mine) == 5


def test_a_copy_of_a_result_is_no_second_row_also_after_a_restart(
    feed: Feed, folder: Path, publish: Publish
) -> None:
    publish(range(200))
    publish(range(150, 200))
    first = drain(feed, folder)
    publish(range(100, 250))
    second = drain(feed, folder)
    assert first.duplicates == 50 * 4 and second.duplicates == 100 * 4
    found = ids(folder)
    assert (sum(found.values()), len(found)) == (250, 250)


def test_what_is_no_result_is_a_row_of_its_own_and_stops_nothing(
    feed: Feed, folder: Path, publish: Publish
) -> None:
    _, anomaly = list(results(1))[2]
    hostile = [
        (b"a", b"\x00\x00\x00\x75\x94 nothing of the kind"),
        (b"b", b""),
        (b"c", b'{"spectrum_id": "a spectrum"}'),
        (b"d", b"\xff" * 100_000),
        framed(anomaly),  # of another topic
    ]
    publish(range(20))
    feed.publish(hostile, to="redshifts")
    publish(range(20, 40))
    written = drain(feed, folder)
    assert written.unreadable == 5 and sum(ids(folder).values()) == 40
    rows = DeltaTable(str(folder / "unreadable")).to_pyarrow_table().to_pylist()
    assert {(row["key"], row["value_bytes"]) for row in rows} == {(key, len(value)) for key, value in hostile}
    assert max(len(row["value"]) for row in rows) == 65_536
    assert drain(feed, folder) == Written()


def test_a_table_of_an_older_minor_version_gains_columns(
    feed: Feed, folder: Path, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spectraq.schemas import registry
    from spectraq.workers.archive import columns

    def forget() -> None:
        columns.schema_of.cache_clear()
        columns.plain_schema_of.cache_clear()

    oldest = registry.schemas()[registry.schema_id("Anomaly", 1, 0)]
    with monkeypatch.context() as patch:
        patch.setattr(
            columns, "newest", lambda record: oldest if record == "Anomaly" else registry.newest(record)
        )
        forget()
        publish(range(10))
        drain(feed, folder)
    forget()
    assert "judgement" not in DeltaTable(str(folder / "anomalies")).to_pyarrow_dataset().schema.names
    publish(range(10, 20))
    drain(feed, folder)
    rows = DeltaTable(str(folder / "anomalies")).to_pyarrow_table(columns=["judgement"]).to_pylist()
    assert Counter(row["judgement"] for row in rows) == {None: 10, "alone": 10}


def test_a_commit_that_fails_is_tried_again_and_nothing_is_written_twice(
    feed: Feed, folder: Path, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = publish(range(100))
    append = ArchiveTable.append
    calls = Counter[str]()

    def failing(table: ArchiveTable, batches: Any, offsets: Any) -> None:
        calls[table.name] += 1
        if calls[table.name] == 1:
            raise DeliveryError("no room, before anything was written")
        append(table, batches, offsets)
        if calls[table.name] == 2:
            raise DeliveryError("no answer, after all was written")

    monkeypatch.setattr(ArchiveTable, "append", failing)
    monkeypatch.setattr(sink_module, "LONGEST_REST_S", 0.1)
    drain(feed, folder)
    for table, many in counts.items():
        assert len(ids(folder, table, "kafka_time")) <= sum(ids(folder, table, "kafka_time").values()) == many
        assert calls[table] >= 2


def test_on_a_disk_that_is_full_the_sink_waits_and_says_so_and_goes_on_when_there_is_room(
    feed: Feed, folder: Path, publish: Publish, sink: Start, tmp_path: Path
) -> None:
    publish(range(10))
    drain(feed, folder)
    publish(range(10, 300))
    process = sink(folder, "--until-drained", largest_file=8192, commit_s=0.1)
    deadline = time.monotonic() + 60
    while "sink_waits" not in (said := _log(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert "File too large" in said and str(folder) in said
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert process.wait(timeout=120) == 0
    found = ids(folder)
    assert (sum(found.values()), len(found)) == (300, 300)


def test_a_stop_writes_what_is_in_hand(
    feed: Feed, folder: Path, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(range(50))
    stop = threading.Event()
    add = Pending.add
    taken = Counter[str]()

    def counted(pending: Pending, rows: Any, offsets: Any) -> None:
        add(pending, rows, offsets)
        taken[pending.table.name] += len(rows)
        if taken["redshifts"] == 50:
            stop.set()

    monkeypatch.setattr(Pending, "add", counted)
    run(settings_of(feed, commit_s=3600), str(folder), stop)
    assert sum(ids(folder).values()) == 50


def _log(tmp_path: Path) -> str:
    return (tmp_path / "sinks.log").read_text()
