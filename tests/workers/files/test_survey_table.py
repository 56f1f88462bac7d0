import numpy as np
import pytest
from astropy.table import Table

from spectraq.workers.errors import ReadError
from spectraq.workers.files.survey_table import prepared, read


@pytest.fixture
def folder(tmp_path):
    wavelength = np.linspace(4000, 9000, 1200)
    for name in ("a.csv", "b.csv"):
        flux = 1 + 0.1 * np.sin(wavelength / 100)
        Table({"wavelength": wavelength, "flux": flux, "ivar": np.full(1200, 100.0)}).write(tmp_path / name)
    return tmp_path


def table(folder, **columns):
    path = folder / "labels.ecsv"
    Table(columns).write(path, overwrite=True)
    return path


def test_a_table_names_files_beside_it_with_class_and_redshift(folder):
    spectra = list(read(table(folder, file=["a.csv", "b.csv"], spectype=["QSO", "galaxy"], z=[1.5, 0.2])))
    assert [spectrum.spectype for spectrum in spectra] == ["QSO", "GALAXY"]
    assert [spectrum.z for spectrum in spectra] == [1.5, 0.2]
    channels, truth = prepared(spectra)
    assert channels.shape == (2, 4, 1152) and truth.spectype.tolist() == [2, 1]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"file": ["a.csv"], "z": [1.0]}, "no column spectype"),
        ({"file": ["a.csv"], "spectype": ["QUASAR"], "z": [1.0]}, "'QUASAR' is none of STAR, GALAXY, QSO"),
        ({"file": ["c.csv"], "spectype": ["QSO"], "z": [1.0]}, "spectrum that can't be read"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(folder, columns, words):
    with pytest.raises(ReadError, match=words):
        list(read(table(folder, **columns)))


def test_a_file_that_is_no_table_is_said(folder):
    path = folder / "labels.dat"
    path.write_bytes(b"\x00\x01")
    with pytest.raises(ReadError, match="not a table that astropy can read"):
        list(read(path))
