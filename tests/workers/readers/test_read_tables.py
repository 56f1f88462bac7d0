"""Plain tables: every way of writing the same spectrum down gives the same spectrum."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Table

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.readers import read
from spectraq.workers.readers.units import FLUX_UNIT
from tests.support import made_files as made

N = 400
WAVELENGTH = 4000.0 + 1.25 * np.arange(N)
FLUX, IVAR = made.pixels(seed=3, n=N)


def a_table(**changes: Any) -> Table:
    columns = {"wavelength": WAVELENGTH, "flux": FLUX, "ivar": IVAR} | changes
    table = Table({name: values for name, values in columns.items() if values is not None})
    table["wavelength"].unit = "Angstrom"
    table["flux"].unit = "1e-17 erg / (s cm2 Angstrom)"
    return table


def one(path: Path, **options: Any) -> Spectrum:
    (spectrum,) = made.spectra(path, **options)
    return spectrum


def notes(path: Path, **options: Any) -> list[str]:
    said: list[str] = []
    list(read(path, note=said.append, **options))
    return said


def check(spectrum: Spectrum) -> None:
    assert spectrum.wavelength is not None and spectrum.ivar is not None
    np.testing.assert_allclose(spectrum.wavelength, WAVELENGTH, rtol=1e-12)
    np.testing.assert_allclose(spectrum.flux, FLUX, rtol=1e-6)
    np.testing.assert_allclose(spectrum.ivar, IVAR, rtol=1e-6)


def npz(path: Path) -> None:
    np.savez(path, wave=WAVELENGTH, flux=FLUX, ivar=IVAR)


def images(path: Path) -> None:
    hdus = [fits.PrimaryHDU()]
    hdus += [
        fits.ImageHDU(v, name=k) for k, v in (("WAVELENGTH", WAVELENGTH), ("FLUX", FLUX), ("IVAR", IVAR))
    ]
    fits.HDUList(hdus).writeto(path)


def gzipped_csv(path: Path) -> None:
    a_table().write(path.with_suffix(""), format="ascii.csv")
    path.write_bytes(gzip.compress(path.with_suffix("").read_bytes()))


WAYS: dict[str, Callable[[Path], Any]] = {
    "plain.fits": lambda path: a_table().write(path),
    "plain.ecsv": lambda path: a_table().write(path),
    "plain.csv": lambda path: a_table().write(path),
    "plain.csv.gz": gzipped_csv,
    "plain.txt": lambda path: a_table().write(path, format="ascii.commented_header"),
    "plain.dat": lambda path: a_table().write(path, format="ascii.basic"),
    "tabs.txt": lambda path: a_table().write(path, format="ascii.tab"),
    "plain.npz": npz,
    "images.fits": images,
}


@pytest.mark.parametrize("name", WAYS)
def test_the_same_spectrum_comes_out_of_every_kind_of_file(tmp_path: Path, name: str) -> None:
    WAYS[name](tmp_path / name)
    spectrum = one(tmp_path / name)
    check(spectrum)
    assert spectrum.spectrum_id == name.split(".")[0]


@pytest.mark.parametrize(
    "noise",
    [
        {"error": np.where(IVAR > 0, 1 / np.sqrt(np.where(IVAR > 0, IVAR, 1)), 0)},
        {"flux_err": np.where(IVAR > 0, 1 / np.sqrt(np.where(IVAR > 0, IVAR, 1)), np.inf)},
        {"variance": np.where(IVAR > 0, 1 / np.where(IVAR > 0, IVAR, 1), np.nan)},
    ],
    ids=["error", "flux_err", "variance"],
)
def test_errors_and_variances_become_ivar(tmp_path: Path, noise: dict[str, Any]) -> None:
    a_table(ivar=None, **noise).write(tmp_path / "t.ecsv")
    check(one(tmp_path / "t.ecsv"))


def test_without_any_noise_there_is_no_ivar(tmp_path: Path) -> None:
    a_table(ivar=None).write(tmp_path / "t.ecsv")
    assert one(tmp_path / "t.ecsv").ivar is None


@pytest.mark.parametrize(("unit", "factor"), [("nm", 0.1), ("um", 1e-4), ("micron", 1e-4), ("m", 1e-10)])
def test_wavelengths_are_converted_from_the_unit_that_the_file_gives(
    tmp_path: Path, unit: str, factor: float
) -> None:
    table = a_table(wavelength=WAVELENGTH * factor)
    table["wavelength"].unit = unit
    table.write(tmp_path / "t.ecsv")
    check(one(tmp_path / "t.ecsv"))
    assert not any("unit" in note for note in notes(tmp_path / "t.ecsv"))


def test_frequencies_are_turned_round(tmp_path: Path) -> None:
    table = a_table(wavelength=(WAVELENGTH * u.AA).to_value(u.THz, u.spectral()))
    table["wavelength"].unit = "THz"
    table.write(tmp_path / "t.ecsv")
    check(one(tmp_path / "t.ecsv"))


def test_units_may_stand_in_the_titles_of_a_csv(tmp_path: Path) -> None:
    table = a_table(wavelength=WAVELENGTH / 10)
    table.rename_columns(["wavelength", "flux"], ["Wavelength [nm]", "flux (1e-17 erg/s/cm2/A)"])
    table.write(tmp_path / "t.csv")
    spectrum = one(tmp_path / "t.csv")
    check(spectrum)
    assert spectrum.flux_unit == FLUX_UNIT


def test_loglam_is_the_logarithm_of_angstrom(tmp_path: Path) -> None:
    a_table(loglam=np.log10(WAVELENGTH)).write(tmp_path / "both.csv")
    np.savez(tmp_path / "log.npz", loglam=np.log10(WAVELENGTH), flux=FLUX, ivar=IVAR)
    check(one(tmp_path / "both.csv"))
    check(one(tmp_path / "log.npz"))


def test_flux_is_converted_with_its_ivar(tmp_path: Path) -> None:
    table = a_table(flux=FLUX * 1e-17, ivar=IVAR * 1e34)
    table["flux"].unit = "erg / (s cm2 Angstrom)"
    table.write(tmp_path / "t.ecsv")
    spectrum = one(tmp_path / "t.ecsv")
    check(spectrum)
    assert spectrum.flux_unit == FLUX_UNIT


def test_flux_per_frequency_becomes_flux_per_wavelength(tmp_path: Path) -> None:
    jansky = (FLUX * 1e-17 * u.erg / u.s / u.cm**2 / u.AA).to_value(
        u.Jy, u.spectral_density(WAVELENGTH * u.AA)
    )
    table = a_table(flux=jansky, ivar=IVAR * (FLUX / jansky) ** 2)
    table["flux"].unit = "Jy"
    table.write(tmp_path / "t.ecsv")
    check(one(tmp_path / "t.ecsv"))


def test_photons_become_energy(tmp_path: Path) -> None:
    per_photon = 1.98644586e-8 / WAVELENGTH  # erg
    table = a_table(flux=FLUX * 1e-17 / per_photon, ivar=IVAR * (per_photon / 1e-17) ** 2)
    table["flux"].unit = "photon / (s cm2 Angstrom)"
    table.write(tmp_path / "t.ecsv")
    spectrum = one(tmp_path / "t.ecsv")
    np.testing.assert_allclose(spectrum.flux, FLUX, rtol=1e-5)
    assert spectrum.flux_unit == FLUX_UNIT


@pytest.mark.parametrize(
    "unit",
    [
        "10^-17 erg s^-1 cm^-2 A^-1", "x10^-17 erg/s/cm2/A", "1E-17 erg/s/cm^2/Angstroem",
        "Flux (1e-17 erg/s/cm2/A)", "1e-20 W/m2/AA",
    ],
)  # fmt: skip
def test_a_unit_of_flux_may_be_spelled_in_any_way(tmp_path: Path, unit: str) -> None:
    hdu = fits.BinTableHDU(Table({"wavelength": WAVELENGTH, "flux": FLUX, "ivar": IVAR}))
    hdu.columns["flux"].unit = unit
    hdu.writeto(tmp_path / "t.fits")
    check(one(tmp_path / "t.fits"))


def test_flux_without_unit_is_scaled_to_where_float32_holds_its_ivar(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", wave=WAVELENGTH, flux=FLUX * 1e-18, ivar=IVAR * 1e36)
    spectrum = one(tmp_path / "t.npz")
    assert spectrum.ivar is not None
    np.testing.assert_allclose(spectrum.flux * np.sqrt(spectrum.ivar), FLUX * np.sqrt(IVAR), rtol=1e-6)
    assert spectrum.flux_unit == ""
    assert any("multiplied with 1e17" in note for note in notes(tmp_path / "t.npz"))


def test_what_is_assumed_is_said_once_a_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", wave=WAVELENGTH, flux=np.tile(FLUX, (3, 1)))
    said = notes(tmp_path / "t.npz")
    assert [sum(word in note for note in said) for word in ("angstrom", "vacuum", "frequency")] == [1, 1, 1]
    told = notes(tmp_path / "t.npz", medium="vacuum", wavelength_unit="angstrom")
    assert [note for note in told if "flux" not in note] == []


def test_the_user_says_what_the_file_does_not(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", wave=WAVELENGTH / 10, flux=FLUX)
    spectrum = one(tmp_path / "t.npz", wavelength_unit="nm", medium="air")
    assert spectrum.wavelength is not None
    np.testing.assert_allclose(spectrum.wavelength, WAVELENGTH, rtol=1e-12)
    assert spectrum.medium == "air"
    assert spectrum.vacuum_wavelength()[0] == pytest.approx(4001.131, abs=2e-3)  # Ciddor 1996


def test_wavelengths_that_cannot_be_angstrom_are_not_guessed_at(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", wave=WAVELENGTH / 1e4, flux=FLUX)
    assert "--wavelength-unit" in str(made.spectra_errors(tmp_path / "t.npz")[0])


@pytest.mark.parametrize(
    ("name", "meta", "medium"),
    [
        ("wavelength_air", {}, "air"),
        ("wavelength_vac", {}, "vacuum"),
        ("wavelength", {"AIRORVAC": "air"}, "air"),
        ("wavelength", {"VACUUM": True}, "vacuum"),
        ("wavelength", {"VACUUM": False}, "air"),
        ("wavelength", {"medium": "air"}, "air"),
    ],
)
def test_vacuum_or_air_is_taken_from_the_file(
    tmp_path: Path, name: str, meta: dict[str, Any], medium: str
) -> None:
    table = a_table()
    table.rename_column("wavelength", name)
    table.meta.update(meta)
    table.write(tmp_path / "t.ecsv")
    assert one(tmp_path / "t.ecsv").medium == medium
    other = "vacuum" if medium == "air" else "air"
    assert one(tmp_path / "t.ecsv", medium=other).medium == medium
    assert any("not followed" in note for note in notes(tmp_path / "t.ecsv", medium=other))


def test_an_npz_may_carry_its_units(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "t.npz", wave=WAVELENGTH / 10, flux=FLUX, ivar=IVAR, wave_unit="nm", medium="vacuum",
        flux_unit="1e-17 erg/s/cm2/Angstrom",
    )  # fmt: skip
    check(one(tmp_path / "t.npz"))
    assert notes(tmp_path / "t.npz") == []


@pytest.mark.parametrize("suffix", ["npz", "fits", "ecsv"])
def test_two_dimensions_are_one_spectrum_a_row(tmp_path: Path, suffix: str) -> None:
    flux = np.array([FLUX, FLUX + 1, FLUX + 2])
    columns = {"targetid": np.array([11, 12, 12]), "ra": np.array([1.0, 2.0, -999.0]), "flux": flux}
    path = tmp_path / f"many.{suffix}"
    if suffix == "npz":
        np.savez(path, wavelength=WAVELENGTH, **columns)
    else:
        Table(columns | {"wavelength": np.tile(WAVELENGTH, (3, 1))}).write(path)
    found = made.spectra(path)
    assert [s.spectrum_id for s in found] == ["11", "12-1", "12-2"]
    assert [s.target_id for s in found] == ["11", "12", "12"]
    assert [s.ra for s in found] == [1.0, 2.0, None]
    assert [s.source_row for s in found] == [0, 1, 2]
    np.testing.assert_array_equal([s.flux for s in found], flux)


def test_rows_may_have_lengths_of_their_own(tmp_path: Path) -> None:
    wave = np.array([WAVELENGTH, WAVELENGTH[:50]], dtype=object)
    flux = np.array([FLUX, FLUX[:50]], dtype=object)
    columns = [fits.Column("wave", "PD()", "Angstrom", array=wave), fits.Column("flux", "PE()", array=flux)]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "ragged.fits")
    long, short = made.spectra(tmp_path / "ragged.fits")
    assert (long.n_pixels, short.n_pixels) == (N, 50)
    np.testing.assert_array_equal(short.flux, FLUX[:50])


def test_large_arrays_of_an_npz_are_not_held_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spectraq.workers.readers import arrays

    monkeypatch.setattr(arrays, "MEMORY_BYTES", 1000)
    flux = np.array([FLUX, FLUX + 1])
    np.savez_compressed(tmp_path / "t.npz", wave=WAVELENGTH, flux=flux)
    found = made.spectra(tmp_path / "t.npz")
    np.testing.assert_array_equal([s.flux for s in found], flux)


def test_masked_pixels_have_no_weight(tmp_path: Path) -> None:
    mask = np.arange(N) < 7
    a_table(mask=mask).write(tmp_path / "with.fits")
    a_table(mask=mask, ivar=None).write(tmp_path / "without.fits")
    ivar, flux = one(tmp_path / "with.fits").ivar, one(tmp_path / "without.fits").flux
    assert ivar is not None and not ivar[:7].any() and ivar[8] > 0
    assert np.isnan(flux[:7]).all() and np.isfinite(flux[7:]).all()


def test_pixels_in_any_order_are_sorted_and_those_given_twice_averaged(tmp_path: Path) -> None:
    wave = np.concatenate([WAVELENGTH[::-1], WAVELENGTH[:10] + 1e-9])
    flux = np.concatenate([FLUX[::-1], FLUX[:10] + 2])
    np.savez(tmp_path / "t.npz", wave=wave, flux=flux)
    spectrum = one(tmp_path / "t.npz")
    expected = FLUX.copy()
    expected[:10] += 1
    np.testing.assert_allclose(spectrum.wavelength, WAVELENGTH, rtol=1e-12)  # type: ignore[arg-type]
    np.testing.assert_allclose(spectrum.flux, expected, rtol=1e-6)


def test_empty_cells_are_pixels_that_are_not_used(tmp_path: Path) -> None:
    lines = ["wavelength,flux,error", *(f"{w},{f},1" for w, f in zip(WAVELENGTH, FLUX, strict=True))]
    lines[3] = f"{WAVELENGTH[2]},,1"
    (tmp_path / "t.csv").write_text("\n".join(lines))
    flux = one(tmp_path / "t.csv").flux
    assert np.flatnonzero(np.isnan(flux)).tolist() == [2]
