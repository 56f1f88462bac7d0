"""Messages to bytes and back, and every way in which bytes are no message."""

import base64
import io
import json
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import pytest
from astropy.io import fits
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spectraq.schemas import codec
from spectraq.schemas.codec import DecodeError
from spectraq.schemas.deadletter import DeadLetterReason
from spectraq.schemas.message import Message
from spectraq.schemas.registry import newest
from spectraq.schemas.spectrum import Spectrum
from tests.support.wire_examples import (
    FLUX,
    IVAR,
    MASK,
    WAVELENGTH,
    anomaly,
    dead_letter,
    one_of_each,
    redshift,
    spectra,
    spectrum,
)

JSON = [("Content-Type", b"application/json; charset=utf-8")]
FRAME = codec.encode(spectrum())


def as_json(**changes: Any) -> bytes:
    fields = {"spectrum_id": "a", "flux": [1, None, 2.5], "loglam0": 3.5, "dloglam": 1e-4}
    return json.dumps(
        {name: value for name, value in (fields | changes).items() if value != "absent"}
    ).encode()


def avro(**changes: bytes | None) -> bytes:
    """A Spectrum that the models would not let through, written field by field as Avro says it."""
    made = spectrum()
    values = made.avro_values() | changes
    body = struct.pack(">bI", 0, newest("Spectrum").id)  # type: ignore[union-attr]
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, newest("Spectrum").parsed, values)  # type: ignore[union-attr]
    return body + stream.getvalue()


def refused(body: bytes, *arguments: Any, **limits: Any) -> tuple[DeadLetterReason, str]:
    with pytest.raises(DecodeError) as caught:
        codec.decode(body, *arguments, **limits)
    assert "\n" not in str(caught.value)
    return caught.value.reason, str(caught.value)


@given(spectra())
@settings(deadline=None)
def test_any_spectrum_comes_back_as_it_went(sent: Spectrum) -> None:
    came = codec.decode(codec.encode(sent), codec.headers(sent), expect=Spectrum)
    assert came == sent and came.digest == sent.digest


@given(spectra())
@settings(deadline=None)
def test_any_spectrum_comes_back_from_json_with_what_is_not_finite_as_not_a_number(sent: Spectrum) -> None:
    came = codec.decode(json.dumps(sent.to_json_dict(), allow_nan=False).encode(), expect=Spectrum)
    finite = {
        name: np.where(np.isfinite(array), array, np.nan)
        for name in ("flux", "ivar", "wavelength")
        if (array := getattr(sent, name)) is not None
    }
    assert came == sent.model_copy(update=finite)


@pytest.mark.parametrize("message", one_of_each(), ids=lambda message: type(message).__name__)
def test_every_kind_of_message_comes_back_as_it_went(message: Message) -> None:
    came = codec.decode(codec.encode(message), codec.headers(message), expect=type(message))
    assert type(came) is type(message) and came == message


def test_a_published_sdss_spectrum_comes_back_to_the_last_bit(shared_data: Path) -> None:
    file = next((shared_data / "spectra").glob("sdss-*/**/spec-*.fits*"))
    with fits.open(file) as hdus:
        rows = hdus[1].data
        sent = Spectrum(
            spectrum_id=file.stem,
            flux=rows["flux"],
            ivar=rows["ivar"],
            mask=rows["and_mask"],
            wavelength=10.0 ** rows["loglam"].astype(np.float64),
        )
        came = codec.decode(codec.encode(sent), expect=Spectrum)
        assert came.n_pixels > 3000
        np.testing.assert_array_equal(came.flux, rows["flux"])
        np.testing.assert_array_equal(came.ivar, rows["ivar"])  # type: ignore[arg-type]
    assert came.digest == sent.digest


def test_arrays_that_come_in_are_read_only_views_of_one_buffer() -> None:
    came = codec.decode(FRAME, expect=Spectrum)
    assert isinstance(came.flux.base, bytes) and not came.flux.flags.writeable


def test_encoding_is_deterministic() -> None:
    assert codec.encode(redshift()) == codec.encode(redshift())


def test_the_frame_is_a_zero_byte_and_the_number_of_the_schema() -> None:
    numbers = {type(message).__name__: codec.encode(message)[:5] for message in one_of_each()}
    assert numbers == {
        "Spectrum": b"\x00" + (10101).to_bytes(4, "big"),
        "Classification": b"\x00" + (20100).to_bytes(4, "big"),
        "Redshift": b"\x00" + (30100).to_bytes(4, "big"),
        "Anomaly": b"\x00" + (40102).to_bytes(4, "big"),
        "ModelSpectrum": b"\x00" + (50103).to_bytes(4, "big"),
        "Measurement": b"\x00" + (80100).to_bytes(4, "big"),
        "DeadLetter": b"\x00" + (60101).to_bytes(4, "big"),
        "Verdict": b"\x00" + (70101).to_bytes(4, "big"),
        "Change": b"\x00" + (90100).to_bytes(4, "big"),
        "RememberedSpectrum": b"\x00" + (100100).to_bytes(4, "big"),
    }


def test_json_is_known_by_its_content_type_or_by_its_first_byte() -> None:
    by_brace, by_header = codec.decode(as_json()), codec.decode(b"  " + as_json(), JSON)
    assert by_brace == by_header
    assert isinstance(by_brace, Spectrum)
    np.testing.assert_array_equal(by_brace.flux, np.array([1, np.nan, 2.5], np.float32))


def test_json_may_hold_pixels_as_base64() -> None:
    packed = {"flux": FLUX, "ivar": IVAR, "mask": MASK, "wavelength": WAVELENGTH}
    text = {name: base64.b64encode(array.tobytes()).decode() for name, array in packed.items()}
    body = as_json(**text, loglam0="absent", dloglam="absent")
    came = codec.decode(body, expect=Spectrum)
    assert came.digest == spectrum().digest


REFUSED_JSON = [
    (DeadLetterReason.UNDECODABLE, b'{"spectrum_id": "a", "flux": [1, 2'),
    (DeadLetterReason.UNDECODABLE, b"{" * 100_000),
    (DeadLetterReason.UNDECODABLE, b'{"flux": "\xff\xfe"}'),
    (DeadLetterReason.WRONG_SHAPE, b'{"hello": "world"}'),
    (DeadLetterReason.WRONG_SHAPE, as_json(flux="absent")),
    (DeadLetterReason.WRONG_SHAPE, as_json(spectrum_id=17)),
    (DeadLetterReason.WRONG_SHAPE, as_json(flux=[1, "2", 3])),
    (DeadLetterReason.WRONG_SHAPE, as_json(flux=[[1, 2, 3]])),
    (DeadLetterReason.WRONG_SHAPE, as_json(flux={"0": 1})),
    (DeadLetterReason.WRONG_SHAPE, as_json(flux="%%%%")),
    (DeadLetterReason.WRONG_SHAPE, as_json(noise=[1, 2, 3])),
    (DeadLetterReason.WRONG_SHAPE, as_json(ra=400)),
    (DeadLetterReason.LENGTH_MISMATCH, as_json(ivar=[1, 2])),
    (DeadLetterReason.LENGTH_MISMATCH, as_json(flux="AAAAAAA=")),
    (DeadLetterReason.EMPTY, as_json(flux=[])),
    (DeadLetterReason.BAD_WAVELENGTH, as_json(dloglam="absent")),
    (DeadLetterReason.BAD_WAVELENGTH, as_json(wavelength=[1, 2, 3])),
    (DeadLetterReason.TOO_LARGE, as_json(flux=[0] * 1001)),
    (DeadLetterReason.TOO_LARGE, as_json(flux="A" * 8000)),
]


@pytest.mark.parametrize(("reason", "body"), REFUSED_JSON)
def test_json_that_is_no_spectrum_is_refused_with_its_reason(reason: DeadLetterReason, body: bytes) -> None:
    assert refused(body, max_pixels=1000)[0] is reason


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\n  ", b"\r\n\t", b"\xef\xbb\xbf\n"])
@pytest.mark.parametrize("headers", [(), JSON], ids=["by content", "by header"])
def test_json_may_have_white_space_or_a_byte_order_mark_before_it(before: bytes, headers: Any) -> None:
    assert codec.decode(before + as_json(), headers) == codec.decode(as_json())


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"Obj\x01\x04\x14avro.codec", "an Avro container file"),
        (b"\x1f\x8b\x08" + bytes(20), "gzip"),
        (b"\x28\xb5\x2f\xfd" + bytes(20), "zstd"),
        (b"<VOTABLE/>", "XML"),
    ],
)
def test_bodies_of_other_kinds_are_named_for_what_they_are(body: bytes, said: str) -> None:
    reason, message = refused(body)
    assert reason is DeadLetterReason.UNDECODABLE and said in message


def test_the_number_of_a_schema_registry_is_named_and_what_to_do_about_it() -> None:
    reason, message = refused(struct.pack(">bI", 0, 57) + FRAME[5:])
    assert "57" in message and "Schema Registry" in reason.advice and "spectraq.id" in reason.advice


def test_json_of_another_kind_than_an_object_is_refused() -> None:
    assert refused(b"[1, 2]", JSON) == (DeadLetterReason.WRONG_SHAPE, "JSON, but no object: list")
    assert refused(b"", JSON)[0] is DeadLetterReason.EMPTY


REFUSED_AVRO = [
    (DeadLetterReason.EMPTY, b""),
    (DeadLetterReason.UNDECODABLE, np.random.default_rng(1).bytes(5000)),
    (DeadLetterReason.UNDECODABLE, b"\x01" + FRAME[1:]),
    (DeadLetterReason.UNDECODABLE, b"SIMPLE  =                    T"),
    (DeadLetterReason.TRUNCATED, FRAME[:1]),
    (DeadLetterReason.TRUNCATED, FRAME[:4]),
    (DeadLetterReason.TRUNCATED, FRAME[:5]),
    (DeadLetterReason.TRUNCATED, FRAME[:40]),
    (DeadLetterReason.TRUNCATED, FRAME[:-1]),
    (DeadLetterReason.UNDECODABLE, FRAME + b"\x00"),
    (DeadLetterReason.UNKNOWN_SCHEMA, b"\x00\x00\x00\x00\x01" + FRAME[5:]),
    (DeadLetterReason.UNKNOWN_SCHEMA, struct.pack(">bI", 0, 10200) + FRAME[5:]),
    (DeadLetterReason.UNKNOWN_SCHEMA, struct.pack(">bI", 0, 990100) + FRAME[5:]),
    (DeadLetterReason.UNKNOWN_SCHEMA, b"\x00\xff\xff\xff\xff" + FRAME[5:]),
    (DeadLetterReason.EMPTY, avro(flux=b"", ivar=None, mask=None, wavelength=b"")),
    (DeadLetterReason.LENGTH_MISMATCH, avro(flux=FLUX.tobytes()[:-1])),
    (DeadLetterReason.LENGTH_MISMATCH, avro(ivar=IVAR.tobytes()[:-4])),
    (DeadLetterReason.LENGTH_MISMATCH, avro(wavelength=WAVELENGTH.tobytes()[:-8])),
    (DeadLetterReason.BAD_WAVELENGTH, avro(wavelength=None)),
    (DeadLetterReason.TOO_LARGE, avro(flux=bytes(4004))),
]


@pytest.mark.parametrize(("reason", "body"), REFUSED_AVRO)
def test_bytes_that_are_no_spectrum_are_refused_with_their_reason(
    reason: DeadLetterReason, body: bytes
) -> None:
    assert refused(body, max_pixels=1000)[0] is reason


def test_another_kind_of_message_is_refused_before_it_is_read() -> None:
    cut = codec.encode(anomaly())[:20]
    assert refused(cut, expect=Spectrum) == (DeadLetterReason.WRONG_SHAPE, "Anomaly in place of Spectrum")
    assert refused(as_json(), expect=type(anomaly()))[0] is DeadLetterReason.WRONG_SHAPE


def test_a_body_that_is_too_large_is_refused_unread() -> None:
    assert refused(b"{" * 1001, max_bytes=1000) == (
        DeadLetterReason.TOO_LARGE,
        "1001 bytes; at most 1000 are taken",
    )
    assert codec.decode(FRAME, max_bytes=len(FRAME), max_pixels=4) == spectrum()


def test_a_spectrum_of_nothing_but_not_a_number_is_a_spectrum() -> None:
    came = codec.decode(codec.encode(spectrum(flux=[np.nan] * 4)), expect=Spectrum)
    assert np.isnan(came.flux).all()


@pytest.mark.parametrize("length", [2**31, 2**40, 2**62, -1, -(2**40)])
def test_a_length_that_lies_costs_no_memory(length: int) -> None:
    zigzag = length << 1 ^ length >> 63
    varint = bytearray()
    while zigzag > 0x7F:
        varint.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    body = FRAME[:5] + b"\x02a" + bytes([*varint, zigzag]) + b"xxxx"
    tracemalloc.start()
    assert refused(body)[0] is DeadLetterReason.TRUNCATED
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@given(st.binary(max_size=300))
@example(b"\x00")
@settings(deadline=None, max_examples=300)
def test_any_bytes_are_a_message_or_a_decode_error(body: bytes) -> None:
    for frame in (b"", FRAME[:5], codec.encode(redshift())[:5], codec.encode(dead_letter())[:5], b"{"):
        try:
            codec.decode(frame + body)
        except DecodeError as error:
            assert error.reason in set(DeadLetterReason) and str(error)


@given(st.integers(0, len(FRAME) - 1), st.integers(0, 255))
@settings(deadline=None, max_examples=500)
def test_any_one_wrong_byte_gives_a_message_or_a_decode_error(place: int, byte: int) -> None:
    body = FRAME[:place] + bytes([byte]) + FRAME[place + 1 :]
    try:
        assert isinstance(codec.decode(body), Message)
    except DecodeError as error:
        assert error.reason in set(DeadLetterReason)


@pytest.mark.parametrize("message", one_of_each(), ids=lambda message: type(message).__name__)
def test_headers_are_those_of_a_cloud_event(message: Message) -> None:
    headers = dict(codec.headers(message))
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_type"] == f"spectraq.{type(message).__name__}".encode()
    assert headers["content-type"] == b"application/avro"
    assert headers["ce_id"] and headers["ce_source"]
    assert set(codec.HEADERS) <= set(headers.items())


def test_the_id_of_the_event_tells_results_and_spectra_apart() -> None:
    assert dict(codec.headers(redshift()))["ce_id"] == redshift().result_id.encode()
    ids = {
        dict(codec.headers(s))["ce_id"] for s in (spectrum(), spectrum(ivar=None), spectrum(spectrum_id="b"))
    }
    assert len(ids) == 3
