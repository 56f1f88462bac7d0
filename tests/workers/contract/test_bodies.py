"""Bodies of messages as other programs write them: read, or refused with what they are."""

from __future__ import annotations

import base64
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import zstandard
from astropy.io import fits
from pyarrow import feather

from spectraq.schemas import codec
from spectraq.schemas.codec import DecodeError
from spectraq.schemas.deadletter import DeadLetterReason
from spectraq.workers.contract.spectrum_body import spectrum_of
from tests.support import made_files as made
from tests.support.feed import numbered
from tests.support.written_bodies import WAYS, arrow, as_columns, container, container_of, event

ALERT = {
    "type": "record",
    "name": "ztf.alert",
    "fields": [{"name": "objectId", "type": "string"}, {"name": "cutout", "type": "bytes"}],
}


def plain_table() -> bytes:
    out = io.BytesIO()
    wave = fits.Column("wavelength", "D", unit="Angstrom", array=4000.0 + np.arange(300))
    flux = fits.Column("flux", "E", array=made.pixels()[0])
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns([wave, flux])]).writeto(out)
    return out.getvalue()


def refused(body: bytes, *headers: tuple[str, bytes], **limits: int) -> tuple[DeadLetterReason, str]:
    """The reason and the sentence of the dead letter."""
    with pytest.raises(DecodeError) as caught:
        spectrum_of(body, headers, b"key", **limits)
    return caught.value.reason, str(caught.value)


@pytest.mark.parametrize("way", WAYS)
def test_a_spectrum_is_the_same_whichever_way_it_is_written(way: str) -> None:
    sent = numbered(7)
    came = spectrum_of(WAYS[way](sent), (), b"key")
    assert (came.spectrum_id, came.digest) == (sent.spectrum_id, sent.digest)


@pytest.mark.parametrize("way", WAYS)
def test_a_body_that_ends_too_early_is_refused_whichever_way_it_is_written(way: str) -> None:
    whole = WAYS[way](numbered(7))
    for share in (0.1, 0.5, 0.9):
        reason, _ = refused(whole[: int(share * len(whole))])
        assert reason in (DeadLetterReason.TRUNCATED, DeadLetterReason.UNDECODABLE, DeadLetterReason.EMPTY)


@pytest.mark.parametrize("key", [None, b""])
def test_a_fits_file_that_names_its_spectrum_needs_no_key(tmp_path: Path, key: bytes | None) -> None:
    body = made.sdss_spec(tmp_path / "any.fits").read_bytes()
    assert spectrum_of(body, (), key).spectrum_id == "0266-51602-0013"
    assert spectrum_of(body, (), b"the key").spectrum_id == "the key"
    assert spectrum_of(gzip.compress(body), (), key).spectrum_id == "0266-51602-0013"


def test_a_fits_file_that_nothing_names_is_refused_with_what_to_do() -> None:
    with pytest.raises(DecodeError, match="send it with a key") as caught:
        spectrum_of(plain_table(), (), None)
    assert caught.value.reason is DeadLetterReason.WRONG_SHAPE
    assert spectrum_of(plain_table(), (), b"mine").spectrum_id == "mine"


def test_an_arrow_row_without_a_name_is_called_by_its_key() -> None:
    columns = as_columns(numbered(1))
    del columns["spectrum_id"]
    assert spectrum_of(arrow(columns), (), b"by key").spectrum_id == "by key"


MIB = 1 << 20
LARGE = {"spectrum_id": "a", "flux": bytes(8 * MIB)}
BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip": lambda: gzip.compress(bytes(16 * MIB)),
    "zstd": lambda: zstandard.compress(bytes(16 * MIB)),
    "deflate": lambda: container([LARGE], packing="deflate"),
    "snappy": lambda: container([LARGE], packing="snappy"),
    "zstandard": lambda: container([LARGE], packing="zstandard"),
    "event": lambda: event(data_base64=base64.b64encode(gzip.compress(bytes(16 * MIB))).decode()),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_what_grows_beyond_the_limit_is_refused_before_it_has(kind: str) -> None:
    reason, said = refused(BOMBS[kind](), max_bytes=MIB)
    assert reason is DeadLetterReason.TOO_LARGE and "ore than" in said


def test_records_in_records_without_end_and_nulls_without_end_are_refused() -> None:
    node = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}
    nulls = {"type": "array", "items": "null"}
    ours = [{"name": "spectrum_id", "type": "string"}, {"name": "flux", "type": "bytes"}]
    for kind, bytes_of_it in ((node, b"\x02" * MIB), (nulls, b"\xfe" + b"\xff" * 8 + b"\x01")):
        schema = {"type": "record", "name": "Spectrum", "fields": [{"name": "more", "type": kind}, *ours]}
        reason, said = refused(container_of(bytes_of_it + b"\x00\x02a\x00", 1, schema))
        assert reason is DeadLetterReason.TOO_LARGE and ("without end" in said or "entries" in said)


OTHERS: dict[str, tuple[bytes, DeadLetterReason, str]] = {
    "an alert": (
        container([{"objectId": "ZTF", "cutout": b""}], ALERT),
        DeadLetterReason.WRONG_SHAPE,
        "a record ztf.alert",
    ),
    "several": (
        container([numbered(i).avro_values() for i in (1, 2)]),
        DeadLetterReason.WRONG_SHAPE,
        "2 records",
    ),
    "none": (container([]), DeadLetterReason.EMPTY, "0 records"),
    "bzip2": (
        container([numbered(1).avro_values()], packing="bzip2"),
        DeadLetterReason.UNDECODABLE,
        "'bzip2'",
    ),
    "rows": (
        arrow({"flux": pa.array([[1.0], [2.0]])}),
        DeadLetterReason.WRONG_SHAPE,
        "Arrow of 2 rows: one a message",
    ),
    "packed Arrow": (
        arrow(as_columns(numbered(1)), compression="zstd"),
        DeadLetterReason.UNDECODABLE,
        "unpacked",
    ),
    "dictionaries": (
        arrow({"survey": pa.array(["sdss"]).dictionary_encode()}),
        DeadLetterReason.UNDECODABLE,
        "dictionaries",
    ),
    "structs": (arrow({"flux": {"a": 1.0}}), DeadLetterReason.WRONG_SHAPE, "column flux is struct"),
    "a misspelt column": (
        arrow(as_columns(numbered(1)) | {"ivra": [1.0]}),
        DeadLetterReason.WRONG_SHAPE,
        "ivra",
    ),
    "an empty event": (event(), DeadLetterReason.WRONG_SHAPE, "needs either data"),
    "an event in an event": (
        event(data_base64=base64.b64encode(event(data={})).decode()),
        DeadLetterReason.WRONG_SHAPE,
        "send the inner one",
    ),
    "no base64": (event(data_base64="%"), DeadLetterReason.WRONG_SHAPE, "not base64"),
    "packed twice": (
        gzip.compress(gzip.compress(codec.encode(numbered(1)))),
        DeadLetterReason.UNDECODABLE,
        "packed by gzip",
    ),
    "damaged gzip": (b"\x1f\x8b\x08" + bytes(20), DeadLetterReason.UNDECODABLE, "gzip"),
    "damaged deflate": (
        container([numbered(1).avro_values()], packing="null").replace(b"\x08null", b"\x0edeflate"),
        DeadLetterReason.UNDECODABLE,
        "deflate is damaged",
    ),
    "single-object": (b"\xc3\x01" + bytes(20), DeadLetterReason.UNDECODABLE, "single-object"),
    "Parquet": (b"PAR1" + bytes(20), DeadLetterReason.UNDECODABLE, "Parquet"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(20), DeadLetterReason.UNDECODABLE, "HDF5"),
    "a pickle": (b"\x80\x04\x95" + bytes(20), DeadLetterReason.UNDECODABLE, "pickle"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_spectrum_is_named_with_what_it_is(name: str) -> None:
    body, reason, said = OTHERS[name]
    found, sentence = refused(body)
    assert found is reason and said in sentence


def test_a_feather_file_of_one_row_is_read_where_it_is_not_packed(tmp_path: Path) -> None:
    columns = {name: [value] for name, value in as_columns(numbered(3)).items()}
    feather.write_feather(pa.table(columns), str(tmp_path / "a"), compression="uncompressed")
    assert spectrum_of((tmp_path / "a").read_bytes(), (), None).digest == numbered(3).digest


def test_the_bodies_of_other_writers_are_read_or_named(shared_data: Path) -> None:
    cases = shared_data.parent / "cases/stream-bodies"
    if not cases.is_dir():
        pytest.skip("the cases are not in ../shared")
    for name in ("json-leading-newline", "json-bom"):
        assert spectrum_of((cases / f"{name}.json").read_bytes(), (), b"key").spectrum_id == name
    without_key = (cases / "fits-without-key.fits").read_bytes()
    assert spectrum_of(without_key, (), None).spectrum_id == "0266-51602-0107"
    assert spectrum_of((cases / "avro-container.bin").read_bytes(), (), b"key").spectrum_id == "container"
    with pytest.raises(DecodeError, match="57") as caught:
        spectrum_of((cases / "registry-57.bin").read_bytes(), (), b"registry-57")
    assert "Schema Registry" in caught.value.reason.advice
