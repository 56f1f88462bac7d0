"""Units that no flux has: numbers without an end, logarithms, multiples of no size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.units import StructuredUnit
from hypothesis import given, settings
from hypothesis import strategies as st

from spectraq.workers.errors import ReadError
from spectraq.workers.readers import read
from spectraq.workers.readers.units import flux_cgs, flux_factor, is_spectral, unit_of
from tests.support import made_files as made

WAVELENGTH = 4000.0 + 1.25 * np.arange(400)
FLUX, IVAR = made.pixels(seed=3, n=400)
TABLE = Table({"wavelength": WAVELENGTH, "flux": FLUX, "ivar": IVAR})
ENDLESS = "10**76030431004 erg / (s cm2 Angstrom)"


def error(path: Path) -> str:
    (failed,) = read(path)
    assert isinstance(failed, ReadError)
    return str(failed)


@given(
    st.from_regex(
        r"[ (]{0,2}(1e|10\^|10\*\*|10\+|km)[ (]{0,2}-?[1-9][0-9]{5,30}[)]{0,2}( erg)?", fullmatch=True
    )
)
@settings(deadline=2000, max_examples=200)
def test_a_number_of_any_length_is_no_unit_and_is_seen_at_once(written: str) -> None:
    assert unit_of(written) is None
    assert flux_cgs(written) is None


PIECES = [
    *[
        "erg",
        "s",
        "cm2",
        "cm",
        "Angstrom",
        "Jy",
        "m",
        "W",
        "Hz",
        "photon",
        "ct",
        "mag",
        "K",
        "pix",
        "bol",
        "e",
    ],
    *[
        "mag(",
        "dex(",
        "sqrt(",
        "(",
        ")",
        "/",
        "*",
        ".",
        "^",
        "**",
        "+",
        "-",
        ",",
        "(m, s)",
        "\u2212",
        "\u00b5",
        "\n",
    ],
    *[
        "0",
        "-1",
        "0.5",
        "10",
        "-17",
        "1/3",
        "1e-17",
        "1e400",
        "10**-17",
        "**99999",
        "**-99999",
        "-99999",
        "nan",
    ],
]


@given(st.lists(st.sampled_from(PIECES), max_size=9), st.sampled_from(["", " "]))
@settings(deadline=2000, max_examples=1500)
def test_any_text_is_a_unit_with_a_size_or_none(pieces: list[str], between: str) -> None:
    """Or refused by name: several units in one, complex ones and ones of no size are none."""
    written = between.join(pieces)
    unit = unit_of(written)
    assert is_spectral(unit) in (True, False)
    try:
        factor, _ = flux_factor(unit, WAVELENGTH)
    except ReadError as error:
        assert str(error)
    else:
        assert (np.asarray(factor) > 0).all()
    assert (flux_cgs(written) or 1.0) > 0


@pytest.mark.parametrize("several", ["m, s", "(erg, s)", "1e-17 erg / (s cm2 Angstrom),", "((m, s), K)"])
def test_several_units_in_one_are_none(several: str) -> None:
    assert unit_of(several) is None
    assert unit_of(StructuredUnit(several)) is None
    assert flux_cgs(several) is None


@pytest.mark.parametrize("packed", ["m " * 30_000, "m/" * 30_000 + "s", "(" * 3_000 + "m" + ")" * 3_000])
def test_a_text_of_any_length_is_no_unit(packed: str) -> None:
    assert unit_of(packed) is None


@pytest.mark.parametrize(
    ("suffix", "before", "after"),
    [
        ("ecsv", "{name: flux,", f"{{name: flux, unit: {ENDLESS},"),
        ("vot", 'name="flux"', f'name="flux" unit="{ENDLESS}"'),
    ],
)
def test_a_file_whose_unit_has_no_end_is_refused_by_name(
    tmp_path: Path, suffix: str, before: str, after: str
) -> None:
    path = tmp_path / f"t.{suffix}"
    TABLE.write(path, format={"ecsv": "ascii.ecsv", "vot": "votable"}[suffix])
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    assert "'10**76030431004" in error(path)


def test_a_fits_table_whose_unit_has_no_end_is_read_and_the_unit_named(tmp_path: Path) -> None:
    path, said = tmp_path / "t.fits", []
    columns = fits.BinTableHDU(TABLE).columns
    columns["flux"].unit = ENDLESS
    fits.BinTableHDU.from_columns(columns).writeto(path)
    list(read(path, note=said.append))
    assert any(f"{ENDLESS}, which is not understood" in note for note in said)


@pytest.mark.parametrize("unit", ["mag", "mag(AB)", "mag(ST)", "dex(erg / (s cm2 Angstrom))"])
def test_flux_that_is_a_logarithm_is_refused(tmp_path: Path, unit: str) -> None:
    np.savez(tmp_path / "t.npz", wave=WAVELENGTH, flux=FLUX, ivar=IVAR, flux_unit=unit)
    assert "is a logarithm" in error(tmp_path / "t.npz")
    assert flux_cgs(unit) is None


@pytest.mark.parametrize("unit", ["-1 erg/s/cm2/Angstrom", "10**300 erg/s/cm2/Angstrom"])
def test_a_multiple_that_no_flux_has_is_refused(unit: str) -> None:
    with pytest.raises(ReadError, match="too large or too small|is negative"):
        flux_factor(unit_of(unit), WAVELENGTH)
