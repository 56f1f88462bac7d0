"""FITS files that keep to the standard are read by their bytes: as astropy reads them, and without it."""

from __future__ import annotations

import gzip
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from spectraq.workers.errors import ReadError
from spectraq.workers.readers import read, source
from spectraq.workers.readers.strict_fits import StrictRows, strict_hdus
from tests.support.header_cards import VALUES, cards, changed
from tests.workers.readers.test_read_mutated import MAKERS, REAL, real

Found = list[Any]


def found(path: Path) -> Found:
    """All that reading a file gives: spectra in full, errors and remarks, in order."""
    given: Found = []
    for item in read(path, note=given.append, known_only=True):
        if isinstance(item, ReadError):
            given.append((item.row, str(item)))
        else:
            given.append((item.digest, item.model_dump(exclude={"flux", "ivar", "mask", "wavelength"})))
    return given


def check(content: bytes, path: Path, what: object = None) -> None:
    """Assert that a file gives the same with astropy alone."""
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "strict_hdus", lambda content, original: None)
        right = found(path)
    assert found(path) == right, what


def is_strict(content: bytes) -> bool:
    return strict_hdus(bytearray(content), lambda number: pytest.fail(f"HDU {number}")) is not None


@pytest.mark.parametrize("kind", MAKERS)
def test_a_made_file_is_read_by_its_bytes_and_gives_what_astropy_gives(kind: str, tmp_path: Path) -> None:
    content = MAKERS[kind](tmp_path / "file.fits").read_bytes()
    assert is_strict(content) == (kind != "desi")  # whose mask is scaled
    check(content, tmp_path / "file.fits")


@pytest.mark.parametrize("kind", MAKERS)
def test_a_changed_card_does_the_same_as_it_does_to_astropy(kind: str, tmp_path: Path) -> None:
    content = MAKERS[kind](tmp_path / "file.fits").read_bytes()
    draw = random.Random(kind)
    for card in draw.sample(cards(content), 6):
        for value in draw.sample(sorted(VALUES), 3):
            check(changed(content, card, VALUES[value]), tmp_path / "changed.fits", (card, value))


@pytest.mark.parametrize("kind", MAKERS)
def test_damaged_bytes_of_a_header_do_the_same_as_they_do_to_astropy(kind: str, tmp_path: Path) -> None:
    content = MAKERS[kind](tmp_path / "file.fits").read_bytes()
    for damaged in with_damage(content, random.Random(kind), 12):
        check(damaged, tmp_path / "damaged.fits")


def with_damage(content: bytes, draw: random.Random, count: int) -> list[bytes]:
    """The file with a byte of a header changed, or cut off, or longer than it says."""
    places = [card.offset + draw.randrange(80) for card in draw.choices(cards(content), k=count)]
    damaged = [content[:place] + bytes([draw.randrange(256)]) + content[place + 1 :] for place in places]
    return [
        *damaged,
        content[:-2880],
        content[: len(content) // 2],
        content + b" " * 80,
        content + b"\0" * 2880,
    ]


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", MAKERS)
def test_every_changed_card_does_the_same_as_it_does_to_astropy(kind: str, tmp_path: Path) -> None:
    content = MAKERS[kind](tmp_path / "file.fits").read_bytes()
    for card in cards(content):
        for value in VALUES.values():
            check(changed(content, card, value), tmp_path / "changed.fits", (card, value))
    for damaged in with_damage(content, random.Random(kind), 500):
        check(damaged, tmp_path / "damaged.fits")


@pytest.mark.parametrize("name", REAL)
def test_a_real_file_gives_what_astropy_gives(name: str, tmp_path: Path) -> None:
    check(real(name), tmp_path / Path(name).name.removesuffix(".gz"))


@pytest.mark.parametrize("form", ["E", "D", "J", "I", "B", "K", "3E", "12A", "L", "M", "5L"])
def test_columns_of_every_kind_are_what_astropy_makes_of_them(form: str, tmp_path: Path) -> None:
    column = fits.Column(
        "x", form, array=np.arange(24).reshape(8, 3)[:, : 3 if form == "3E" else 1].squeeze()
    )
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns([column], name="t")])
    hdus.writeto(tmp_path / "file.fits")
    with source.opened(tmp_path / "file.fits") as opened, fits.open(tmp_path / "file.fits") as right:
        assert isinstance(opened.hdus[1].data, StrictRows)
        np.testing.assert_array_equal(opened.hdus[1].data["x"], right[1].data["x"])
        assert opened.hdus[1].data["x"].dtype == right[1].data["x"].dtype
        assert [hdu.name for hdu in opened.hdus] == [hdu.name for hdu in right]


def test_scaled_and_folded_columns_are_astropys(tmp_path: Path) -> None:
    columns = [
        fits.Column("unsigned", "I", bzero=32768, array=np.arange(6, dtype="u2")),
        fits.Column("folded", "6E", dim="(3,2)", array=np.arange(36, dtype="f4").reshape(6, 2, 3)),
        fits.Column("plain", "E", array=np.arange(6, dtype="f4")),
    ]
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)])
    hdus.writeto(tmp_path / "file.fits")
    with source.opened(tmp_path / "file.fits") as opened, fits.open(tmp_path / "file.fits") as right:
        for name in ("unsigned", "folded", "plain"):
            np.testing.assert_array_equal(opened.hdus[1].data[name], right[1].data[name])


def test_a_packed_file_is_read_without_a_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.fits.gz"
    path.write_bytes(gzip.compress(MAKERS["lamost old"](tmp_path / "file.fits").read_bytes()))
    monkeypatch.setattr("tempfile.NamedTemporaryFile", lambda *args, **named: pytest.fail("a temporary file"))
    (item,) = read(path)
    assert not isinstance(item, ReadError)


def test_files_of_sdss_and_lamost_are_read_without_loading_astropy(tmp_path: Path) -> None:
    files = [str(MAKERS[kind](tmp_path / f"{kind}.fits")) for kind in ("sdss", "lamost old", "lamost new")]
    program = (
        "import sys; from spectraq.workers.readers import read\n"
        "from spectraq.workers.contract.convert import observation\n"
        "for file in sys.argv[1:]:\n"
        "    for item in read(file): observation(item, 10000)\n"
        "sys.exit('astropy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, *files], env=dict(os.environ), check=False)
    assert done.returncode == 0
