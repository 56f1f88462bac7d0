"""What columns mean is the same in every kind of file: noise, quality, units, whose a pixel is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.contract.convert import observation
from spectraq.workers.errors import RejectedSpectrum
from tests.support import made_files as made
from tests.workers.readers.test_read_tables import FLUX, IVAR, WAVELENGTH, N, a_table, check, notes, one


def test_weights_of_zero_everywhere_are_named_where_they_leave_no_pixel(tmp_path: Path) -> None:
    a_table(ivar=np.zeros(N)).write(tmp_path / "t.ecsv")
    with pytest.raises(RejectedSpectrum, match="the noise is zero or missing in every pixel"):
        observation(one(tmp_path / "t.ecsv"), 10_000)


@pytest.mark.parametrize("name", ["error", "variance"])
def test_errors_of_zero_everywhere_are_no_noise_and_that_is_said(tmp_path: Path, name: str) -> None:
    a_table(ivar=None, **{name: np.zeros(N)}).write(tmp_path / "t.ecsv")
    assert one(tmp_path / "t.ecsv").ivar is None
    assert any(f"{name} is zero in every pixel" in note for note in notes(tmp_path / "t.ecsv"))


@pytest.mark.filterwarnings("ignore")  # of what is assumed
def test_a_long_table_in_memory_is_never_averaged() -> None:
    from spectraq import read as read_anything

    table = Table(
        {
            "object_id": np.repeat(["a", "b"], N),
            "wavelength": np.tile(WAVELENGTH, 2),
            "flux": np.tile(FLUX, 2),
        }
    )
    found = [item for item in read_anything(table) if isinstance(item, Spectrum)]
    assert [spectrum.spectrum_id for spectrum in found] == ["a", "b"]
    np.testing.assert_array_equal(found[1].flux, FLUX)


WAYS_OF_MASKS = {"mask": True, "dq": True, "flags": True, "good": False, "goodpix": False}


@pytest.mark.parametrize("name", WAYS_OF_MASKS)
@pytest.mark.parametrize("suffix", ["ecsv", "fits", "npz", "csv"])
def test_a_column_of_quality_means_the_same_in_every_kind_of_file(
    tmp_path: Path, name: str, suffix: str
) -> None:
    bad = (np.arange(N) % 40 == 3).astype(np.int16)
    table = a_table(**{name: bad if WAYS_OF_MASKS[name] else 1 - bad})
    path = tmp_path / f"t.{suffix}"
    if suffix == "npz":
        np.savez(path, **{column: np.asarray(table[column]) for column in table.colnames})
    else:
        table.write(path)
    ivar = one(path).ivar
    assert ivar is not None
    np.testing.assert_array_equal(ivar > 0, (IVAR > 0) & (bad == 0))


def test_a_mask_of_unknown_sense_that_takes_most_pixels_is_refused_in_text_too(tmp_path: Path) -> None:
    a_table(mask=(np.arange(N) % 10 != 3).astype(np.int16)).write(tmp_path / "t.csv")
    assert "sense" in str(made.spectra_errors(tmp_path / "t.csv")[0])


def test_a_unit_of_flux_that_is_not_understood_is_kept_and_said(tmp_path: Path) -> None:
    table = a_table()
    table["flux"].unit = None
    table.rename_column("flux", "flux [wombat]")
    for path in (tmp_path / "t.csv", tmp_path / "t.ecsv"):
        table.write(path)
        assert one(path).flux_unit == "wombat"
        assert any("wombat, which is not understood" in note for note in notes(path))


def test_lines_of_a_catalogue_are_no_spectrum_in_text_either(tmp_path: Path) -> None:
    places = np.sort(np.random.default_rng(5).uniform(4000, 9000, N))
    a_table(wavelength=places).write(tmp_path / "t.ecsv")
    assert "at random" in str(made.spectra_errors(tmp_path / "t.ecsv")[0])


def test_rows_of_a_few_numbers_are_a_catalogue(tmp_path: Path) -> None:
    bands = np.array([3551.0, 4686.0, 6166.0, 7480.0, 8932.0])
    np.savez(tmp_path / "t.npz", wave=bands, flux=np.ones((300, 5)))
    assert "5 numbers a row" in str(made.error(tmp_path / "t.npz"))


def test_a_table_without_flux_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spectraq.workers.readers import texttable

    monkeypatch.setattr(texttable, "_chunks", lambda *_: pytest.fail("read to its end"))
    (tmp_path / "t.csv").write_text("ra,dec\n" + "10.0,20.0\n" * 50)
    assert "no flux" in str(made.error(tmp_path / "t.csv"))


@pytest.mark.parametrize(("name", "unit"), [("frequency", "THz"), ("energy", "eV"), ("wavenumber", "1 / cm")])
def test_frequencies_and_energies_are_an_axis_where_their_unit_is_given(
    tmp_path: Path, name: str, unit: str
) -> None:
    table = a_table(wavelength=(WAVELENGTH * u.AA).to_value(unit, u.spectral()))
    table["wavelength"].unit = unit
    table.rename_column("wavelength", name)
    table.write(tmp_path / "t.ecsv")
    check(one(tmp_path / "t.ecsv"))
    table[name].unit = None
    table.write(tmp_path / "none.ecsv")
    assert "no wavelength" in str(made.error(tmp_path / "none.ecsv"))


def test_a_mask_may_be_shared_by_all_spectra_and_a_flag_of_a_spectrum_is_none(tmp_path: Path) -> None:
    bad = np.arange(N) < 7
    np.savez(
        tmp_path / "shared.npz",
        wave=WAVELENGTH,
        flux=np.tile(FLUX, (3, 1)),
        ivar=np.tile(IVAR, (3, 1)),
        mask=bad,
    )
    np.savez(
        tmp_path / "flag.npz",
        wave=WAVELENGTH,
        flux=np.tile(FLUX, (3, 1)),
        ivar=np.tile(IVAR, (3, 1)),
        flag=[1, 0, 1],
    )
    for spectrum in made.spectra(tmp_path / "shared.npz"):
        np.testing.assert_array_equal(spectrum.ivar > 0, (IVAR > 0) & ~bad)  # type: ignore[operator]
    for spectrum in made.spectra(tmp_path / "flag.npz"):
        np.testing.assert_array_equal(spectrum.ivar > 0, IVAR > 0)  # type: ignore[operator]


@pytest.mark.parametrize("flux", [np.arange(N) * 1.0, np.full(N, 7.0), 5.0 - 0.001 * np.arange(N)])
def test_flux_that_is_a_straight_line_is_no_measurement(tmp_path: Path, flux: np.ndarray) -> None:
    a_table(flux=flux).write(tmp_path / "t.ecsv")
    assert "no measurement" in str(made.spectra_errors(tmp_path / "t.ecsv")[0])
