"""Bodies of messages as other programs write them: read, or refused with what they are."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from spectraq.schemas.codec import DecodeError
from spectraq.schemas.deadletter import DeadLetterReason
from spectraq.workers.contract.spectrum_body import spectrum_of
from tests.support import made_files as made


def plain_table() -> bytes:
    out = io.BytesIO()
    wave = fits.Column("wavelength", "D", unit="Angstrom", array=4000.0 + np.arange(300))
    flux = fits.Column("flux", "E", array=made.pixels()[0])
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns([wave, flux])]).writeto(out)
    return out.getvalue()


@pytest.mark.parametrize("key", [None, b""])
def test_a_fits_file_that_names_its_spectrum_needs_no_key(tmp_path: Path, key: bytes | None) -> None:
    body = made.sdss_spec(tmp_path / "any.fits").read_bytes()
    assert spectrum_of(body, (), key).spectrum_id == "0266-51602-0013"
    assert spectrum_of(body, (), b"the key").spectrum_id == "the key"


def test_a_fits_file_that_nothing_names_is_refused_with_what_to_do() -> None:
    with pytest.raises(DecodeError, match="send it with a key") as caught:
        spectrum_of(plain_table(), (), None)
    assert caught.value.reason is DeadLetterReason.WRONG_SHAPE
    assert spectrum_of(plain_table(), (), b"mine").spectrum_id == "mine"


def test_the_bodies_of_other_writers_are_read_or_named(shared_data: Path) -> None:
    cases = shared_data.parent / "cases/stream-bodies"
    if not cases.is_dir():
        pytest.skip("the cases are not in ../shared")
    for name in ("json-leading-newline", "json-bom"):
        assert spectrum_of((cases / f"{name}.json").read_bytes(), (), b"key").spectrum_id == name
    without_key = (cases / "fits-without-key.fits").read_bytes()
    assert spectrum_of(without_key, (), None).spectrum_id == "0266-51602-0107"
    with pytest.raises(DecodeError, match="an Avro container file"):
        spectrum_of((cases / "avro-container.bin").read_bytes(), (), b"container")
    with pytest.raises(DecodeError, match="57") as caught:
        spectrum_of((cases / "registry-57.bin").read_bytes(), (), b"registry-57")
    assert "Schema Registry" in caught.value.reason.advice
