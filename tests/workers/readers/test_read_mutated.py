"""A header may lose a keyword, or its type: no answer changes in silence, and no spectrum is lost by it."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spectraq.workers.errors import ReadError
from spectraq.workers.readers import read
from tests.support import made_files as made
from tests.support.header_cards import VALUES, Card, cards, changed

SHARED = Path(__file__).parents[4] / "shared"
STRUCTURE = re.compile(
    r"SIMPLE|BITPIX|NAXIS\d*|XTENSION|PCOUNT|GCOUNT|TFIELDS|TTYPE\d+|TFORM\d+|TDIM\d+|BZERO|BSCALE|TZERO\d+"
    r"|TSCAL\d+|EXTNAME|EXTEND|Z[A-Z]+\d*"
)
"""What FITS is made of, and what things are called."""
SCALE = re.compile(r"BSCALE|BZERO|TSCAL\d+|TZERO\d+")
"""What the numbers of a file are multiplied with, and what is added."""
PLACE = re.compile(r"COEFF[01]|CRVAL1|CD1_1|CDELT1|CRPIX1|CTYPE1|CUNIT1|DC-FLAG|WAT\d_\d+|WCSDIM")
"""What places the pixels: without it there may be no spectrum."""
MEANING = re.compile(
    r"TUNIT\d+|BUNIT|VACUUM|AIRORVAC|ROW\d|ARRAY\d|BANDID\d|PYP_SPEC|DMODCLS|TUCD\d+|FLUXUNIT"
)
"""What the numbers mean: units, the medium, which rows are which, which sense a mask has."""
A_NUMBER = (
    "a number as text",
    "a whole number",
    "a number",
    "beyond 64 bits",
    "beyond float64",
    "not a number",
    "infinite",
    "complex",
)
"""In the place of a number these are a number: nothing can tell that it is another one."""


class Read(NamedTuple):
    """Pixels and places of each spectrum of a file, or the error in its place, and the remarks."""

    contents: list[tuple[bytes, ...] | str]
    remarks: frozenset[str]

    @property
    def errors(self) -> list[str]:
        return [item for item in self.contents if isinstance(item, str)]


def read_bytes(content: bytes) -> Read:
    remarks: set[str] = set()
    contents: list[tuple[bytes, ...] | str] = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file.fits"
        path.write_bytes(content)
        for item in read(path, note=remarks.add):
            if isinstance(item, ReadError):
                contents.append(str(item))
                continue
            ivar = b"" if item.ivar is None else item.ivar.tobytes()
            contents.append((item.flux.tobytes(), ivar, item.vacuum_wavelength().tobytes()))
    return Read(contents, frozenset(remarks))


def check(content: bytes, right: Read, card: Card, kind: str) -> None:
    """Assert that a changed card changes nothing, or says so; and costs a spectrum only where it must."""
    found = read_bytes(changed(content, card, VALUES[kind]))
    if found.contents == right.contents:
        return
    where = (card.keyword, kind, found.errors[:1])
    needed = any(pattern.fullmatch(card.keyword) for pattern in (STRUCTURE, PLACE, MEANING))
    assert needed, where
    assert not any("unknown variant" in error for error in found.errors), where
    another_number = kind in A_NUMBER and any(pattern.fullmatch(card.keyword) for pattern in (PLACE, SCALE))
    renamed = card.keyword.startswith(("TTYPE", "EXTNAME")) and len(found.contents) == len(right.contents)
    assert found.errors or found.remarks - right.remarks or another_number or renamed, where


def images(path: Path) -> Path:
    """Flux in the primary image, its axis in the header, and its noise beside it."""
    flux, ivar = made.pixels()
    primary = fits.PrimaryHDU(flux)
    primary.header.update(
        {"CRVAL1": 4000.0, "CD1_1": 2.0, "CRPIX1": 1.0, "CTYPE1": "AWAV", "CUNIT1": "Angstrom"}
    )
    primary.header.update({"BUNIT": "erg/s/cm2/Angstrom", "OBJECT": "x", "RA": 10.0, "DEC": 3.0})
    fits.HDUList([primary, fits.ImageHDU(ivar, name="IVAR")]).writeto(path)
    return path


def table(path: Path) -> Path:
    """A table with units, noise and a mask."""
    flux, ivar = made.pixels()
    hdu = made.table(
        wave=400.0 + 0.2 * np.arange(made.N), flux=flux, ivar=ivar, mask=(ivar == 0).astype("i4")
    )
    for number, unit in enumerate(("nm", "erg/s/cm2/Angstrom", "s2 cm4 Angstrom2/erg2"), 1):
        hdu.header[f"TUNIT{number}"] = unit
    hdu.header.update({"AIRORVAC": "air", "OBJECT": "x", "RA": 10.0, "DEC": 3.0, "MJD": 55555.5})
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    return path


MAKERS: dict[str, Callable[[Path], Path]] = {
    "image": images,
    "table": table,
    "sdss": made.sdss_spec,
    "desi": lambda path: made.desi(path, [1, 2], exposures=[3, 4]),
    "lamost old": made.lamost_old,
    "lamost new": made.lamost_new,
}


def holds_for(content: bytes, examples: int) -> None:
    """Assert it of some cards and some changes of a file."""
    right = read_bytes(content)
    assert right.contents and not right.errors

    @given(st.sampled_from(cards(content)), st.sampled_from(sorted(VALUES)))
    @settings(deadline=None, max_examples=examples, suppress_health_check=list(HealthCheck))
    def holds(card: Card, kind: str) -> None:
        check(content, right, card, kind)

    holds()


@pytest.mark.parametrize("kind", MAKERS)
def test_no_card_of_a_made_file_changes_an_answer_in_silence(kind: str, tmp_path: Path) -> None:
    holds_for(MAKERS[kind](tmp_path / "file.fits").read_bytes(), 30)


@pytest.mark.parametrize("keyword", ["CRVAL1", "CD1_1", "CUNIT1", "BUNIT", "OBJECT", "CTYPE1", "CRPIX1"])
@pytest.mark.parametrize("value", VALUES)
def test_axis_unit_and_identity_of_an_image_may_be_anything(keyword: str, value: str) -> None:
    content, right = of_made("image")
    check(content, right, next(card for card in cards(content) if card.keyword == keyword), value)


@cache
def of_made(kind: str) -> tuple[bytes, Read]:
    with TemporaryDirectory() as folder:
        content = MAKERS[kind](Path(folder) / "file.fits").read_bytes()
    return content, read_bytes(content)


REAL = (
    *(f"data/formats/{name}" for name in (
        "spSpec-51993-0542-631.fit", "med-58408-TD230151N343645T01_sp01-015.fits.gz",
        "VANDELS_CDFS_017433.fits", "qso_z2.5_G20.1_1hr_obs.fits",
        "spec1d.A773.WHT_R316R.Q1_EXT1.008.fits", "PH957_f.fits", "SDSSJ220248.31+123656.3.fits",
    )),
    *(f"cases/{name}" for name in (
        "several-spectra/three-extensions.fits", "several-spectra/mwmStar-two-observatories.fits",
        "quality-columns/fourmost-l1.fits", "quality-columns/pypeit-onespec.fits",
        "images-with-axis/iraf-log-linear.fits", "images-with-axis/iraf-apall-4-bands.fits",
        "images-with-axis/iraf-multispec-linear.fits", "images-with-axis/2dfdr-aaomega.fits",
        "images-with-axis/weave-l1.fits", "through-specutils/spSpec-51602-0266-107.fit",
        "through-specutils/spPlate-0266-51602.fits", "through-specutils/gama.fits",
        "column-names/vipers.fits",
    )),
)  # fmt: skip


def real(name: str) -> bytes:
    """A file of people's, unpacked."""
    path = SHARED / name
    if not path.exists():
        message = f"no file ../shared/{name} beside the checkout"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


@pytest.mark.parametrize("name", REAL)
def test_no_card_of_a_real_file_changes_an_answer_in_silence(name: str) -> None:
    holds_for(real(name), 10)


@pytest.mark.soak
@pytest.mark.parametrize("name", REAL)
def test_no_card_at_all_of_a_real_file_changes_an_answer_in_silence(name: str) -> None:
    content = real(name)
    right = read_bytes(content)
    for card in cards(content):
        for kind in VALUES:
            check(content, right, card, kind)
