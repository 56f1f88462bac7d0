"""Every size that a stranger controls has a limit, and what is beyond it is refused by name."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
import zipfile
from pathlib import Path

import fastavro
import numpy as np
import pytest
from astropy.io import fits

from spectraq.schemas import codec
from spectraq.schemas.deadletter import DeadLetter, DeadLetterReason
from spectraq.schemas.skim import MAX_ITEMS
from spectraq.workers.deadletters.write import HEADERS
from spectraq.workers.errors import ReadError
from spectraq.workers.local.stack import LocalStack
from spectraq.workers.readers import limits, read
from spectraq.workers.readers.source import opened
from spectraq.workers.transport.sender import Sender
from tests.support.feed import Feed, numbered
from tests.support.plumbing import Plumbing


@pytest.fixture
def feed(stack: LocalStack) -> Feed:
    """Topics of one test."""
    return Feed(stack.bootstrap_servers, stack.redis_url)


def test_a_message_with_too_many_headers_is_a_dead_letter_with_the_first_of_them(feed: Feed) -> None:
    good = numbered(1)
    with Sender(feed.settings()) as publisher:
        for n in (HEADERS, 20_000):
            headers = [("", b"")] * n
            publisher.send(feed.settings().topics.spectra, b"a", codec.encode(good), headers)
    balance = feed.work(Plumbing())
    assert (balance.published, balance.dead_lettered) == (1, 1)
    (message,) = feed.read("dead_letters")
    assert "1000 headers or more; at most 100 are taken" in message.fields["message"]
    assert len(message.fields["headers"]) == HEADERS


def letter_of(headers: int) -> bytes:
    """A dead letter of so many empty headers, as no worker writes it."""
    letter = DeadLetter(
        reason=DeadLetterReason.UNDECODABLE,
        message="why",
        topic="spectra",
        partition=0,
        offset=0,
        timestamp_ms=0,
        value=b"bytes",
        spectraq_version="1",
    )
    end = b"\0\x021\0\0"  # no headers, the version, no last offset, and not cut
    encoded = codec.encode(letter)
    assert encoded.endswith(end)
    number = io.BytesIO()
    fastavro.schemaless_writer(number, "long", headers)
    return encoded.removesuffix(end) + number.getvalue() + b"\0\0" * headers + end


def test_a_letter_of_more_headers_than_anybody_has_is_refused_before_they_are_made() -> None:
    found = codec.decode(letter_of(MAX_ITEMS), expect=DeadLetter)
    assert len(found.headers) == MAX_ITEMS
    many = letter_of(4_000_000)
    tracemalloc.start()
    with pytest.raises(codec.DecodeError, match="more than 10000 entries"):
        codec.decode(many, expect=DeadLetter)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_json_that_is_nested_too_deeply_is_refused(opening: str) -> None:
    with pytest.raises(codec.DecodeError, match="no JSON"):
        codec.decode(b'{"flux":' + opening.encode() * 500_000)


def test_more_pixels_than_are_taken_are_refused_before_they_are_made() -> None:
    body = json.dumps({"spectrum_id": "a", "flux": [1.0] * 2001, "loglam0": 3.6, "dloglam": 1e-4}).encode()
    with pytest.raises(codec.DecodeError, match="2001 pixels; at most 2000 are taken"):
        codec.decode(body, max_pixels=2000)


def test_more_bytes_than_are_taken_are_refused() -> None:
    body = codec.encode(numbered(1))
    with pytest.raises(codec.DecodeError, match=f"{len(body)} bytes; at most 100 are taken"):
        codec.decode(body, max_bytes=100)


def test_a_packed_file_that_grows_too_much_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "bomb.fits.gz"
    with gzip.open(path, "wb") as out:
        out.write(b"SIMPLE  =")
        for _ in range(limits.UNPACKED_BYTES // (1 << 24) + 2):
            out.write(bytes(1 << 24))
    before = set(Path(tmp_path).iterdir())
    with pytest.raises(ReadError, match="at most 100 times as many are taken"), opened(path):
        pass
    assert set(Path(tmp_path).iterdir()) == before


def test_an_archive_that_grows_too_much_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    array = io.BytesIO()
    np.save(array, np.zeros(limits.UNPACKED_BYTES // 4, np.float32))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("flux.npy", array.getvalue())
    (error,) = read(path)
    assert isinstance(error, ReadError)
    assert "at most 100 times as many are taken" in str(error)


def test_a_fits_file_with_too_many_extensions_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "many.fits"
    primary, extension = io.BytesIO(), io.BytesIO()
    fits.PrimaryHDU().writeto(primary)
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU()]).writeto(extension)
    one = extension.getvalue()[len(primary.getvalue()) :]
    path.write_bytes(primary.getvalue() + one * (limits.EXTENSIONS + 5))
    with pytest.raises(ReadError, match="more than 1000 extensions"), opened(path):
        pass


def test_a_packed_image_that_grows_too_much_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "image.fits"
    zeros = np.zeros((1000, limits.UNPACKED_BYTES // 1000 + 1), np.uint8)
    image = fits.CompImageHDU(zeros, compression_type="GZIP_1", tile_shape=zeros.shape)
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(path)
    with pytest.raises(ReadError, match="at most 100 times as many are taken"), opened(path):
        pass


def test_a_fits_file_whose_header_promises_more_than_is_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.fits"
    header = fits.PrimaryHDU(np.zeros(10, np.float32)).header
    header["NAXIS1"] = 10**10
    path.write_bytes(header.tostring().encode() + bytes(2880))
    with pytest.raises(ReadError, match="truncated or damaged"), opened(path):
        pass
