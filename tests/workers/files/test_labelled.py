import shutil
from collections import Counter

import pytest

from spectraq.workers.errors import ReadError
from spectraq.workers.files.labelled_spectra import labelled, noise


@pytest.fixture(scope="module")
def spectra(shared_data):
    return list(labelled(shared_data))


def test_every_spectrum_of_the_index_is_read_with_its_label(spectra):
    assert len(spectra) == 372
    assert sum(spectrum.trusted for spectrum in spectra) == 359
    assert Counter(spectrum.spectype for spectrum in spectra) == {"STAR": 143, "QSO": 119, "GALAXY": 110}


def test_only_spectra_without_ivar_are_taken_for_smoothed_ones(spectra):
    for spectrum in spectra:
        assert (spectrum.observation.ivar is None) == (spectrum.survey == "smoothed")


def test_every_survey_has_noise_to_draw_from(shared_data, spectra):
    found = noise(shared_data, spectra)
    assert set(found) == {"sdss", "boss", "lamost", "smoothed", "desi", "4most"}
    assert all(observation.ivar is not None for observation in found["desi"])


def test_a_folder_without_an_index_is_named(tmp_path):
    with pytest.raises(ReadError, match=r"no index of labelled spectra"):
        list(labelled(tmp_path))


def test_a_spectrum_that_the_index_names_in_vain_is_an_error(shared_data, tmp_path):
    (tmp_path / "spectra").mkdir()
    index = shared_data / "spectra/INDEX.csv"
    shutil.copy(index, tmp_path / "spectra/INDEX.csv")
    with pytest.raises(ReadError, match=r"the index names a spectrum that can't be read"):
        list(labelled(tmp_path))
