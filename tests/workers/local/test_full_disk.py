"""What the local stack and the commands that write say on a disk that is full, read-only or not theirs."""

from __future__ import annotations

import errno
import gc
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.errors import DeliveryError
from spectraq.workers.local.stack import LocalStack
from spectraq.workers.operations.disk import explained, whole
from spectraq.workers.settings import load_settings
from spectraq.workers.transport.sender import Sender

SPECTRAQ = Path(sys.executable).parent / "spectraq"
ROWS = 400
PIXELS = 4000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mounts a file system of so many MiB, with Kafka's jars in reach."""
    mounted: list[Path] = []

    def mount(mib: int, *options: str) -> Path:
        folder = tmp_path / f"disk-{len(mounted)}"
        folder.mkdir()
        wanted = ",".join((f"size={mib}m", *options))
        command = ["mount", "-t", "tmpfs", "-o", wanted, "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            message = f"a small file system can't be mounted here: {done.stderr.strip()}"
            if os.environ.get("CI") == "true":
                pytest.fail(message)
            pytest.skip(message)
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


def with_jars(folder: Path) -> Path:
    """Let Kafka's jars be found where they lie already."""
    for there in load_settings().local.data.glob("kafka-*"):
        (folder / there.name).symlink_to(there)
    return folder


def fill(folder: Path) -> None:
    """Write until nothing more fits."""
    with (folder / "ballast").open("wb", buffering=0) as ballast, pytest.raises(OSError, match="space"):
        while True:
            ballast.write(bytes(1 << 16))


def spectraq(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SPECTRAQ, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
        **options,  # type: ignore[call-overload]
    )


def only_line(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a command ended with, for which its exit code is 1."""
    assert done.returncode == 1, done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("Fetching Apache Kafka")]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("spectraq: error: ")
    return lines[0]


def write_spectra(path: Path, rows: int = ROWS) -> Path:
    """Noise, which no codec makes smaller."""
    rng = np.random.default_rng(1)
    table = {
        "spectrum_id": [f"row-{i}" for i in range(rows)],
        "wavelength_vac": np.tile(np.linspace(4000.0, 9000.0, PIXELS), (rows, 1)),
        "flux": rng.normal(size=(rows, PIXELS)).astype(np.float32),
        "ivar": rng.uniform(1, 2, size=(rows, PIXELS)).astype(np.float32),
    }
    Table(table).write(path)
    return path


def test_up_on_a_full_disk_says_so_in_one_line(small_disk: Callable[..., Path]) -> None:
    folder = with_jars(small_disk(3))
    fill(folder)
    line = only_line(spectraq("up", "--data", folder, "--", "true"))
    assert str(folder) in line and "disk" in line and "full" in line and "--data" in line


def test_up_on_a_read_only_disk_says_so_in_one_line(small_disk: Callable[..., Path]) -> None:
    line = only_line(spectraq("up", "--data", small_disk(1, "ro") / "spectraq", "--", "true"))
    assert "read-only" in line and "--data" in line


def test_up_where_a_file_is_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        line = only_line(spectraq("up", "--data", folder, "--", "true"))
        assert str(tmp_path / "file") in line and "a file where a folder is needed" in line


def test_up_takes_a_folder_by_its_relative_name(tmp_path: Path) -> None:
    with_jars(tmp_path)
    assert spectraq("up", "--data", ".", "--", "true", cwd=tmp_path).returncode == 0


def test_a_disk_that_gets_full_ends_publish_and_up_in_a_line_each(
    small_disk: Callable[..., Path], tmp_path: Path
) -> None:
    folder = with_jars(small_disk(6))
    file = write_spectra(tmp_path / "spectra.fits")
    environment = {**os.environ, "SPECTRAQ_KAFKA__CALL_TIMEOUT_S": "5"}
    # `exec`: a `sleep` that outlives its shell holds the pipes that are read to their end
    command = f"spectraq publish {file} 2> {tmp_path}/said; echo $? > {tmp_path}/code; exec sleep 60"
    line = only_line(spectraq("up", "--data", folder, "--", "sh", "-c", command, env=environment))
    assert f"the disk of {folder}" in line and "--data" in line
    assert (tmp_path / "code").read_text().strip() == "1"
    lines = (tmp_path / "said").read_text().splitlines()
    (said,) = (line for line in lines if not line.startswith("spectraq: note: "))
    assert said.startswith("spectraq: error: ") and "did not take a message" in said
    assert " arrived" in said and "send the same again" in said


def test_a_broker_that_dies_while_spectra_are_published_is_one_error_that_counts_what_arrived(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPECTRAQ_KAFKA__CALL_TIMEOUT_S", "3")
    with LocalStack(stack.data) as own:
        settings = load_settings(kafka={"bootstrap_servers": own.bootstrap_servers})
        topic = settings.topics.spectra
        spectrum = Spectrum(spectrum_id="a", flux=np.ones(200), wavelength=np.linspace(4000, 9000, 200))
        publisher = Sender(settings)
        with pytest.raises(DeliveryError, match=r"30 arrived, the first 30 .*send the same again"), publisher:
            for _ in range(30):
                publisher.publish(spectrum, "a", topic)
            publisher.flush()
            own.kafka.kill()
            for _ in range(10):
                publisher.publish(spectrum, "a", topic)
            publisher.flush()
        assert publisher._client._closed
        publisher._client._sender.join(10)
        assert not publisher._client._sender.is_alive()
        assert "kafka" not in [thread.name for thread in threading.enumerate()]


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file get larger than this, as a quota does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("suffix", ["fits", "npz"])
def test_a_file_that_does_not_fit_is_one_line_and_leaves_what_was_there(
    small_disk: Callable[..., Path], suffix: str
) -> None:
    folder = small_disk(1)
    file = folder / f"mocks.{suffix}"
    file.write_text("of before")
    line = only_line(spectraq("simulate", "40", "--overwrite", "--output", file))
    assert str(file) in line and "full" in line
    assert [path.name for path in folder.iterdir()] == [file.name]
    assert file.read_text() == "of before"


# astropy leaves a file that it could not write to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.parametrize("suffix", ["csv", "ecsv", "fits", "parquet"])
def test_a_table_of_results_that_does_not_fit_leaves_what_was_there(
    small_disk: Callable[..., Path], suffix: str
) -> None:
    from spectraq.workers.files import result_table

    folder = small_disk(1)
    file = folder / f"results.{suffix}"
    rows = [tuple(f"{i:0300d}" if c.kind is str else None for c in result_table.COLUMNS) for i in range(2000)]
    result_table.write(file, rows[:5])
    before = file.read_bytes()
    fill(folder)
    with pytest.raises(OSError) as caught:
        result_table.write(file, rows)
    said = explained(caught.value)
    del caught
    gc.collect()
    assert said == f"{file}: the disk is full; make room, or write elsewhere"
    assert file.read_bytes() == before
    assert {path.name for path in folder.iterdir()} == {file.name, "ballast"}


def test_results_that_stdout_can_not_take_are_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [SPECTRAQ, "config"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert "the disk is full" in only_line(done)


def test_a_file_larger_than_is_allowed_is_explained(tmp_path: Path) -> None:
    with largest_file(1000), pytest.raises(OSError) as caught, whole(tmp_path / "file") as part:
        part.write_bytes(bytes(2000))
    assert explained(caught.value) == (
        f"{tmp_path}/file: the file would be larger than is allowed here; write elsewhere"
    )
    assert list(tmp_path.iterdir()) == []


def test_an_error_that_is_no_matter_of_files_is_not_explained_away() -> None:
    assert explained(ConnectionResetError(errno.ECONNRESET, "reset")) is None
    assert explained(OSError("something else")) is None
