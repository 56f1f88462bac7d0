"""What is fuzzed: functions of bytes that may give nothing but what they promise.

Each takes any bytes and returns quietly where the answer or the error is one of ours; all else gets out.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from kafka import TopicPartition
from kafka.consumer.fetcher import IsolationLevel

from spectraq.schemas import codec
from spectraq.schemas.deadletter import DeadLetterReason
from spectraq.schemas.message import Message
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.contract.convert import observation
from spectraq.workers.contract.spectrum_body import spectrum_of
from spectraq.workers.errors import ReadError, RejectedSpectrum, SettingsError
from spectraq.workers.readers import read
from spectraq.workers.setting_keys import keys_of
from spectraq.workers.settings import CONFIG_VARIABLE, Settings, load_settings
from spectraq.workers.transport.reader import PartitionRecords
from tests.support import made_files as made
from tests.support import rawbatches, wire_examples
from tests.support.plumbing import spectrum_flux
from tests.support.written_bodies import WAYS

NAMES = sorted(
    f"SPECTRAQ_{'__'.join(key)}{suffix}".upper() for key, _ in keys_of(Settings) for suffix in ("", "_FILE")
)

Target = Callable[[bytes], None]

SUFFIXES = (".fits", ".fits.gz", ".npz", ".csv", ".ecsv", ".txt")
MEMORY = Path("/dev/shm")
SPECTRA_READ = 20
MAX_PIXELS = 20_000
UNPACKED_BYTES = 1 << 16
BODY_BYTES = 1 << 20
FETCHED, END = 1000, 1100
"""The offset that a response was asked for, and the end of its partition."""

PARTITION, READ_COMMITTED = TopicPartition("t", 0), IsolationLevel.READ_COMMITTED


class Response:
    """What the client hands on of a response."""

    def __init__(self, data: bytes) -> None:
        self._buffer = data


def messages(data: bytes) -> None:
    """Bytes of a Kafka message, as the page and a worker take them, to what the networks would get."""
    _spectrum(data)
    try:
        message = codec.decode(data, max_pixels=MAX_PIXELS)
    except codec.DecodeError as error:
        assert error.reason in set(DeadLetterReason) and str(error)
        return
    assert isinstance(message, Message)
    again = codec.decode(codec.encode(message), expect=type(message))
    assert codec.encode(again) == codec.encode(message)
    if isinstance(message, Spectrum):
        analysable(message)


def _spectrum(data: bytes) -> None:
    """The body of a message on the topic of spectra, however it is written."""
    try:
        analysable(spectrum_of(data, (), b"key", max_bytes=BODY_BYTES, max_pixels=MAX_PIXELS))
    except codec.DecodeError as error:
        assert error.reason in set(DeadLetterReason) and str(error)


def analysable(spectrum: Spectrum) -> None:
    """A spectrum is refused with a reason, or is numbers that the networks can take."""
    try:
        taken = observation(spectrum, MAX_PIXELS)
    except RejectedSpectrum as error:
        assert str(error)
        return
    good = taken.good()
    assert good.sum() > 0 and np.isfinite(taken.flux[good]).all()
    assert taken.ivar is None or (taken.ivar[good] > 0).all()
    assert (np.diff(taken.wavelength) > 0).all()


def files(data: bytes) -> None:
    """A file; its first byte says by what name it goes."""
    if not data:
        return
    folder = MEMORY if MEMORY.is_dir() else None
    with tempfile.NamedTemporaryFile(suffix=SUFFIXES[data[0] % len(SUFFIXES)], dir=folder) as file:
        file.write(data[1:])
        file.flush()
        for number, item in enumerate(read(file.name, note=lambda _: None)):
            if isinstance(item, ReadError):
                assert str(item)
            else:
                analysable(item)
            if number == SPECTRA_READ:
                return


def settings(data: bytes) -> None:
    """A file of settings; or, after a zero byte, variables: a byte for the name, and text up to a zero."""
    folder = MEMORY if MEMORY.is_dir() else None
    variables = _variables(data[1:]) if data[:1] == b"\0" else {}
    with tempfile.NamedTemporaryFile(suffix=".toml", dir=folder) as file:
        file.write(b"" if variables else data)
        file.flush()
        os.environ.update(variables)
        try:
            load_settings(Path(file.name))
        except SettingsError as error:
            assert str(error)
        finally:
            for name in variables:
                del os.environ[name]


def _variables(data: bytes) -> dict[str, str]:
    parts = [part for part in data.split(b"\0") if part]
    return {NAMES[part[0] % len(NAMES)]: part[1:].decode("latin-1") for part in parts}


def batches(data: bytes) -> None:
    """A response of Kafka, as every reader takes it: records in order, or batches that are stepped over."""
    for response in {data, rawbatches.all_mended(data)} - {b""}:
        partition = PartitionRecords(
            UNPACKED_BYTES, END, FETCHED, PARTITION, Response(response), isolation_level=READ_COMMITTED
        )
        position = FETCHED
        for record in partition.take():
            assert position <= record.offset < record.next_offset
            # what was added while Kafka answered lies behind the end: there no offset is missing
            assert record.next_offset <= END or (record.offset, record.damage) == (position, None)
            assert len(record.value) <= max(UNPACKED_BYTES, len(response))
            assert all(name.encode() is not None for name, _ in record.headers)
            position = record.next_offset
        # whatever is wrong with it, the next response is another
        assert max(position, FETCHED + 1) <= partition.next_fetch_offset
        if response is data:  # with checksums that are right anything may be said of how many there are
            assert partition.next_fetch_offset <= END


TARGETS: dict[str, Target] = {
    "messages": messages,
    "files": files,
    "settings": settings,
    "batches": batches,
}


def seeds(target: str) -> Iterator[bytes]:
    """What a fuzzer of a target begins with: one of each thing that is right."""
    if target == "messages":
        for message in wire_examples.one_of_each():
            yield codec.encode(message)
        yield json.dumps(wire_examples.spectrum().to_json_dict()).encode()
        small = Spectrum(spectrum_id="s", flux=spectrum_flux(1), wavelength=np.linspace(4000.0, 9000.0, 200))
        yield from (written(small) for written in WAYS.values())
    elif target == "settings":
        yield b'[kafka]\nbootstrap_servers = "a:1"\nsession_timeout_s = 6.0\n[topics]\npartitions = 8\n'
        yield b"".join(b"\0" + bytes([number % 256]) + b"1" for number in range(len(NAMES)))
        yield b'[worker]\nbatch_spectra = 32\ndelivery = "exactly_once"\n[redis]\nenabled = false\n'
    elif target == "batches":
        yield from _small_batches()
    else:
        yield from _small_files()


def _small_batches() -> Iterator[bytes]:
    records = [
        rawbatches.record(i, b"key-%d" % i, bytes(40 * i), [(b"ce_id", b"1"), (b"empty", None)])
        for i in range(4)
    ]
    for name in rawbatches.CODECS:
        first, second = (rawbatches.batch(records, name, FETCHED + base) for base in (0, len(records)))
        yield first + second


def _small_files() -> Iterator[bytes]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield b"\x00" + made.sdss_spec(folder / "sdss.fits").read_bytes()
        yield b"\x01" + made.sdss_spec(folder / "sdss.fits.gz").read_bytes()
        yield b"\x00" + made.desi(folder / "desi.fits", [1, 2]).read_bytes()
        yield b"\x00" + made.lamost_old(folder / "lamost.fits").read_bytes()
        yield b"\x00" + made.lamost_new(folder / "lamost-new.fits").read_bytes()
    packed = io.BytesIO()
    np.savez(packed, wavelength=np.arange(4000.0, 4600.0, 2.0), flux=np.ones(300), ivar=np.ones(300))
    yield b"\x02" + packed.getvalue()
    rows = "\n".join(f"{4000 + 2 * i},{5 + i % 7},1" for i in range(60))
    yield b"\x03wavelength,flux,ivar\n" + rows.encode()
    head = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: wavelength, unit: Angstrom, datatype: float64}\n"
    yield b"\x04" + (head + "# - {name: flux, datatype: float64}\nwavelength flux\n4000 1\n4002 2\n").encode()


# A setting that the machine brings along would be found in every case.
os.environ.pop(CONFIG_VARIABLE, None)
