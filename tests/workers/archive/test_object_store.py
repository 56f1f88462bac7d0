"""An archive in an object store: moto's server in the place of S3, as real as its conditional writes are."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from spectraq.workers.archive.storage import storage_options
from spectraq.workers.archive.table import ArchiveTable, RefusedError
from spectraq.workers.errors import DeliveryError, SettingsError
from spectraq.workers.settings import load_settings
from tests.support.commandline import CommandLine
from tests.support.feed import Feed

URL = "s3://survey/archive"
SECRET = "a-secret-that-nobody-prints"


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """Address of a store with one empty bucket."""
    server = ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": SECRET}
    boto3.client("s3", endpoint_url=address, region_name="us-east-1", **keys).create_bucket(Bucket="survey")
    yield address
    server.stop()


@pytest.fixture
def storage_file(store: str, tmp_path: Path) -> Path:
    """Where a Secret would be mounted."""
    path = tmp_path / "storage.toml"
    path.write_text(
        f'AWS_ENDPOINT_URL = "{store}"\nAWS_ALLOW_HTTP = "true"\nAWS_REGION = "us-east-1"\n'
        f'AWS_ACCESS_KEY_ID = "key"\nAWS_SECRET_ACCESS_KEY = "{SECRET}"\n'
    )
    return path


def test_a_sink_writes_to_a_store_and_a_query_reads_it_and_neither_shows_its_secret(
    feed: Feed,
    publish: Callable[..., dict[str, int]],
    sink: Callable[..., subprocess.Popen[str]],
    offline: CommandLine,
    storage_file: Path,
    tmp_path: Path,
) -> None:
    counts = publish(range(50))
    process = sink(URL, "--until-drained", storage_file=storage_file)
    printed, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert f"{sum(counts.values())} rows" in printed
    ask = CommandLine(
        offline.environment | {"SPECTRAQ_ARCHIVE__STORAGE_FILE": str(storage_file)}, offline.folder
    )
    answer = ask(
        "query",
        "SELECT count(*) AS n, count(DISTINCT result_id) AS names FROM redshifts",
        "--archive",
        URL,
        "--format",
        "csv",
    )
    assert answer.stdout.split() == ["n,names", "50,50"]
    assert SECRET not in (tmp_path / "sinks.log").read_text() + printed + answer.stdout + answer.stderr


def test_two_sinks_at_one_store_lose_no_commit_and_overwrite_none(storage_file: Path) -> None:
    commits, moved = 4, {}
    options = storage_options(load_settings(archive={"storage_file": storage_file}).archive)

    def write(partition: int) -> None:
        table = ArchiveTable("s3://survey/two", "redshifts", "night", options)
        source = ("topic", partition)
        for offset in range(1, commits + 1):
            table.refresh()
            table.next_offset(source)
            table.append([], {source: offset})
        moved[partition] = table

    ArchiveTable("s3://survey/two", "redshifts", "night", options)
    pair = [threading.Thread(target=write, args=(partition,)) for partition in (0, 1)]
    for thread in pair:
        thread.start()
    for thread in pair:
        thread.join()
    for table in moved.values():
        table.refresh()
    one, other = moved[0], moved[1]
    assert [one.next_offset(("topic", partition)) for partition in (0, 1)] == [commits, commits]
    assert other.next_offset(("topic", 0)) == commits
    other.append([], {("topic", 0): commits + 1})
    with pytest.raises(RefusedError):
        one.append([], {("topic", 0): commits + 2})


def test_a_store_that_refuses_is_named_and_its_secret_is_not(storage_file: Path) -> None:
    options = storage_options(load_settings(archive={"storage_file": storage_file}).archive)
    with pytest.raises((SettingsError, DeliveryError)) as refused:
        ArchiveTable("s3://no-such-bucket/archive", "redshifts", "night", options)
    assert "s3://no-such-bucket/archive" in str(refused.value)
    assert SECRET not in str(refused.value)
