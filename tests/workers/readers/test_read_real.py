"""Real spectra of every survey."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from tests.support import made_files as made


def labels(shared_data: Path) -> dict[str, list[dict[str, str]]]:
    """The rows of the index, by file."""
    found: dict[str, list[dict[str, str]]] = {}
    with (shared_data / "spectra" / "INDEX.csv").open() as lines:
        for row in csv.DictReader(lines):
            found.setdefault(row["file"], []).append(row)
    return found


def test_every_labelled_spectrum_is_read(shared_data: Path) -> None:
    n = 0
    for file, rows in labels(shared_data).items():
        found = made.spectra(shared_data / "spectra" / file)
        for label in rows:
            spectrum = found[int(label["row"] or 0)]
            wavelength = spectrum.vacuum_wavelength()
            # The index rounds to whole angstrom.
            assert wavelength[0] == pytest.approx(float(label["wmin"]), abs=1), label
            assert wavelength[-1] == pytest.approx(float(label["wmax"]), abs=1), label
            assert spectrum.spectrum_id.lstrip("0") == label["obj_id"]
            assert (spectrum.ivar is not None) == (label["has_ivar"] == "1")
            if label["survey"] != "DESI":  # those come in a plain table, which names no survey
                assert spectrum.survey == label["survey"].lower()
            n += 1
    assert n == 372


def test_no_two_spectra_of_a_file_have_one_name(shared_data: Path) -> None:
    for name in ("sdss-gasnet3/spectra.fits", "desi-desihigh/spectra.npz"):
        ids = [spectrum.spectrum_id for spectrum in made.spectra(shared_data / "spectra" / name)]
        assert len(set(ids)) == len(ids) > 50


def test_arms_that_a_publisher_laid_end_to_end_are_averaged(shared_data: Path) -> None:
    path = shared_data / "spectra" / "desi-desihigh" / "spectra.npz"
    with np.load(path) as arrays:
        wave, flux = arrays["wave"], arrays["flux"][5].astype("f8")
    found = made.spectra(path)[5]
    assert found.n_pixels == 7781
    same = np.flatnonzero(np.abs(wave - 5780.0) < 1e-6)
    assert same.size == 2
    pixel = int(np.argmin(np.abs(found.vacuum_wavelength() - 5780.0)))
    assert found.flux[pixel] == np.float32(flux[same].mean())


@pytest.mark.parametrize("name", ["desi-specutils", "desi-fastspecfit"])
def test_desi_files_are_read_and_their_overlaps_joined_exactly(shared_data: Path, name: str) -> None:
    files = sorted((shared_data / "spectra" / name).glob("*.fits"))
    assert files
    for path in files:
        found = made.spectra(path)
        with fits.open(path) as hdus:
            targets = hdus["FIBERMAP"].data["TARGETID"].tolist()
            flux, ivar = {}, {}
            for arm in "BR":
                flux[arm] = hdus[f"{arm}_FLUX"].data.astype("f8")
                ivar[arm] = hdus[f"{arm}_IVAR"].data * (hdus[f"{arm}_MASK"].data == 0).astype("f8")
            red = hdus["R_WAVELENGTH"].data
        assert [int(s.target_id or 0) for s in found] == targets
        for row, spectrum in enumerate(found):
            assert spectrum.n_pixels == 7781 and spectrum.ivar is not None
            start = int(np.argmin(np.abs(spectrum.vacuum_wavelength() - red[0])))
            b, r = flux["B"][row, -51:], flux["R"][row, :51]
            wb, wr = ivar["B"][row, -51:], ivar["R"][row, :51]
            good = (wb + wr) > 0
            mean = (b * wb + r * wr)[good] / (wb + wr)[good]
            np.testing.assert_array_equal(spectrum.flux[start : start + 51][good], mean.astype("f4"))
            np.testing.assert_array_equal(spectrum.ivar[start : start + 51], (wb + wr).astype("f4"))
