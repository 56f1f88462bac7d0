"""What names, units and metadata say of quality, noise and axes is followed, whatever the format."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from spectraq.workers.readers import read
from tests.support import made_files as made

N = 400
WAVE = 4000.0 + 1.25 * np.arange(N)
FLUX = made.pixels(seed=5, n=N)[0].astype(float)
ERROR = 0.7 + 0.5 * np.arange(N) / N
IS_BAD = np.arange(N) % 50 == 7
UNIT = "1e-17 erg / (s cm2 Angstrom)"


def a_table(**columns: Any) -> Table:
    table = Table({"wavelength": WAVE, "flux": FLUX, "error": ERROR} | columns)
    table["wavelength"].unit, table["flux"].unit = "Angstrom", UNIT
    return table


def one(path: Path) -> Any:
    (spectrum,) = made.spectra(path)
    return spectrum


def check(path: Path, rtol: float = 1e-5) -> None:
    spectrum = one(path)
    np.testing.assert_allclose(spectrum.wavelength, WAVE, rtol=1e-7)
    np.testing.assert_allclose(spectrum.flux, FLUX, rtol=rtol)
    np.testing.assert_allclose(spectrum.ivar, ERROR**-2, rtol=2 * rtol)


def hdus(path: Path, *extensions: Any, **primary: Any) -> Path:
    first = fits.PrimaryHDU()
    first.header.update(primary)
    fits.HDUList([first, *extensions]).writeto(path)
    return path


@pytest.mark.parametrize(
    "name", ["bad_pixel_mask", "flux_flags", "data_quality_flag", "dq", "good_mask", "mask_good"]
)
@pytest.mark.parametrize("words", [None, ("True", "False"), ("t", "f"), ("yes", "no")])
def test_quality_is_followed_by_whatever_words(
    tmp_path: Path, name: str, words: tuple[str, str] | None
) -> None:
    marked = ~IS_BAD if "good" in name else IS_BAD
    values = marked.astype(int) if words is None else np.where(marked, *words)
    a_table(**{name: values}).write(path := tmp_path / "a.csv", format="ascii.csv")
    assert np.array_equal(one(path).ivar == 0, IS_BAD)


@pytest.mark.parametrize("name", ["status", "flag_telluric", "qc"])
def test_what_sounds_like_quality_and_is_not_followed_is_said(tmp_path: Path, name: str) -> None:
    a_table(**{name: IS_BAD.astype(int)}).write(path := tmp_path / "a.fits")
    said: list[str] = []
    list(read(path, note=said.append))
    assert any("not followed" in sentence and name in sentence for sentence in said)


def test_errors_in_per_cent_are_of_flux(tmp_path: Path) -> None:
    table = a_table(error=100 * ERROR / np.abs(FLUX))
    table["error"].unit = "%"
    table.write(path := tmp_path / "a.fits")
    check(path)


@pytest.mark.parametrize(("unit", "size"), [("log10(Angstrom)", 1.0), ("log(nm)", 0.1), ("dex(um)", 1e-4)])
@pytest.mark.parametrize("name", ["wavelength", "loglam"])
def test_an_axis_may_be_the_logarithm_of_any_unit(tmp_path: Path, name: str, unit: str, size: float) -> None:
    columns = [("flux", FLUX, UNIT), ("error", ERROR, None), (name, np.log10(WAVE * size), unit)]
    table = fits.BinTableHDU.from_columns([fits.Column(n, "D", array=a, unit=u) for n, a, u in columns])
    check(hdus(tmp_path / "a.fits", table))


@pytest.mark.parametrize("values", [np.log10(WAVE), np.log(WAVE)])
def test_logarithms_that_nothing_names_are_refused_with_advice(tmp_path: Path, values: Any) -> None:
    Table({"wavelength": values, "flux": FLUX}).write(path := tmp_path / "a.fits")
    assert "title the column l" in str(made.error(path))


SDM = {"a": "Data.SpectralAxis.Value", "b": "Data.FluxAxis.Value", "c": "Data.FluxAxis.Accuracy.StatError"}
UCDS = {"a": "em.wl", "b": "phot.flux.density;em.wl", "c": "stat.error;phot.flux.density"}


@pytest.mark.parametrize("described", [("utype", {k: f"spec:{u}" for k, u in SDM.items()}), ("ucd", UCDS)])
@pytest.mark.parametrize("suffix", ["vot", "fits"])
def test_columns_may_be_named_by_metadata_alone(tmp_path: Path, described: Any, suffix: str) -> None:
    key, said = described
    table = Table({"a": WAVE, "b": FLUX, "c": ERROR})
    table["a"].unit, table["b"].unit = "Angstrom", UNIT
    for name, words in said.items():
        table[name].meta[key] = words
    path = tmp_path / f"a.{suffix}"
    if suffix == "vot":
        with warnings.catch_warnings(action="ignore"):  # VOUnit would rather have nanometres
            table.write(path, format="votable")
    else:
        hdu = fits.table_to_hdu(Table(table, copy=True))
        for number, name in enumerate(said, 1):
            hdu.header[f"{'TUTYP' if key == 'utype' else 'TUCD'}{number}"] = said[name]
        hdus(path, hdu)
    check(path)


def test_an_axis_may_be_in_an_extension_of_its_own(tmp_path: Path) -> None:
    vectors = [fits.Column("flux", f"{N}D", array=[FLUX, 2 * FLUX]), fits.Column("id", "K", array=[1, 2])]
    axis = fits.BinTableHDU.from_columns([fits.Column("wave", "D", array=WAVE, unit="Angstrom")])
    path = hdus(tmp_path / "a.fits", fits.BinTableHDU.from_columns(vectors, name="SPECTRA"), axis)
    first, second = made.spectra(path)
    np.testing.assert_allclose(first.wavelength, WAVE)
    np.testing.assert_allclose(second.flux, 2 * first.flux, rtol=1e-6)


def test_arms_in_tables_without_names_are_one_spectrum(tmp_path: Path) -> None:
    table = a_table()
    path = hdus(tmp_path / "a.fits", fits.table_to_hdu(table[:200]), fits.table_to_hdu(table[200:]))
    check(path)
    notes: list[str] = []
    list(read(path, note=notes.append))
    assert any("taken as arms of one spectrum" in sentence for sentence in notes)


def test_a_table_of_text_is_a_table(tmp_path: Path) -> None:
    columns = [
        ("WAVE", "F12.4", WAVE, "Angstrom"),
        ("FLUX", "E15.8", FLUX, UNIT),
        ("ERR", "E15.8", ERROR, None),
    ]
    made_of = [fits.Column(n, f, array=a, unit=u, ascii=True) for n, f, a, u in columns]
    check(hdus(tmp_path / "a.fits", fits.TableHDU.from_columns(made_of)))


@pytest.mark.parametrize(
    ("primary", "own"), [({"TELESCOP": "JWST"}, {}), ({"TELESCOP": "HST"}, {"SDQFLAGS": 1})]
)
def test_only_the_bits_count_that_a_telescope_calls_bad(tmp_path: Path, primary: Any, own: Any) -> None:
    hdu = fits.table_to_hdu(a_table(dq=np.where(IS_BAD, 5, 4)))
    hdu.header.update(own)
    assert np.array_equal(one(hdus(tmp_path / "a.fits", hdu, **primary)).ivar == 0, IS_BAD)


def test_segments_of_cos_are_one_spectrum(tmp_path: Path) -> None:
    def halves(values: Any) -> Any:
        return [values[200:], values[:200]]

    columns = [
        fits.Column("segment", "4A", array=["FUVA", "FUVB"]),
        fits.Column("nelem", "J", array=[200, 200]),
    ]
    for name, values, unit in (
        ("wavelength", WAVE, "Angstrom"),
        ("flux", FLUX, UNIT),
        ("error", ERROR, None),
    ):
        columns.append(fits.Column(name, "200D", array=halves(values), unit=unit))
    check(hdus(tmp_path / "a.fits", fits.BinTableHDU.from_columns(columns)))


def test_a_dictionary_beside_arrays_does_not_keep_them_from_being_read(tmp_path: Path) -> None:
    np.savez(path := tmp_path / "a.npz", wavelength=WAVE, flux=FLUX, error=ERROR, meta=np.array({"z": 1}))
    check(path)


def test_complex_numbers_are_no_flux(tmp_path: Path) -> None:
    np.savez(path := tmp_path / "a.npz", wavelength=WAVE, flux=FLUX + 1j)
    assert "complex" in str(made.error(path))
