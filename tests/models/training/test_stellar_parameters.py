"""What parameters of stars are calibrated on, and that calibration finds what indices hold."""

import json

import numpy as np
import pytest
from astropy.io import fits

from spectraq.models import shipped
from spectraq.models.grid.axis import wavelength_of
from spectraq.models.measurement import fitting_functions
from spectraq.models.measurement.fitting_functions import MIDDLE, UNIT
from spectraq.models.measurement.stellar_indices import ANGSTROM, BANDS
from spectraq.models.training import stellar_parameters
from spectraq.models.training.material import miles
from spectraq.models.training.material.miles import ParametrisedStars
from spectraq.workers.cli.train import train
from spectraq.workers.errors import SettingsError

FIRST, LENGTH = -60, 3000


@pytest.fixture(scope="module")
def library():
    """Stars whose lines are as deep as each line's own mix of the three parameters."""
    rng = np.random.default_rng(1)
    low, high = np.log10(3600), np.log10(11500)
    parameters = np.stack([rng.uniform(low, high, 260), rng.uniform(1, 5, 260), rng.uniform(-2, 0.4, 260)], 1)
    wavelength = wavelength_of(np.asarray(FIRST + np.arange(LENGTH), np.float64))
    flux = np.ones((260, LENGTH))
    for bands in ANGSTROM:
        mix = rng.normal(0, 0.02, 3)
        depth = 0.15 + ((parameters - MIDDLE) / UNIT) @ mix + 0.003 * rng.standard_normal(260)
        profile = np.exp(-0.5 * ((wavelength - bands[1].mean()) / 4) ** 2)
        flux -= depth[:, None] * profile
    return ParametrisedStars(flux, FIRST, parameters, tuple(f"HD{i}" for i in range(260)))


def test_stars_that_a_calibration_never_saw_have_their_parameters_within_its_errors(library):
    stars = stellar_parameters.usable(library, {"HD7"})
    assert "HD7" not in stars.names
    value = stellar_parameters.indices(stars)
    answers = stellar_parameters.held_out(stars, value, 1e-6 * np.eye(len(BANDS))).within((4000, 7500))
    off = answers.value - answers.truth
    assert (1.4826 * np.median(np.abs(off / UNIT), 0) < 0.2).all()
    spread = 1.4826 * np.median(np.abs(off / answers.error), 0)
    assert (spread > 0.6).all() and (spread < 1.6).all()


def test_what_instruments_do_is_added_to_every_index(library):
    value = stellar_parameters.indices(library)
    extra = stellar_parameters.instrumental(library, value)
    assert (np.linalg.eigvalsh(extra) > 0).all()
    assert np.sqrt(extra.diagonal()).min() >= stellar_parameters.FLOOR


def test_fitting_functions_are_the_same_after_they_were_written(library, tmp_path):
    value = stellar_parameters.indices(library)
    functions = stellar_parameters.calibrated(library.parameters, value, 1e-5 * np.eye(len(BANDS)))
    stellar_parameters.save(functions, library.names, tmp_path, {})
    shipped.verify(tmp_path)
    again = fitting_functions.load(tmp_path)
    noise = np.zeros((len(BANDS),) * 2)
    for one in value[:5]:
        assert (functions.solve(one, noise).value == again.solve(one, noise).value).all()


def test_the_shipped_calibrators_are_as_many_as_the_card_says_and_their_errors_hold():
    functions = fitting_functions.load()
    card = json.loads((shipped.FOLDER / fitting_functions.FILE).with_suffix(".json").read_text())
    assert len(card["calibrators"]) == len(functions.calibrators) > 800
    assert card["indices"] == list(BANDS)
    for source in ("MILES, held out", "MILES, held out, S/N 20", "MILES, held out, S/N 8"):
        assert card["figures"][source]["pull"] == pytest.approx([1, 1, 1], abs=0.1)


def test_a_missing_library_is_named_with_the_page_that_says_where_it_is(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"paramsMILES_v9\.1\.txt: no such file.*docs/training\.md"):
        miles.load(tmp_path)


def test_the_command_asks_for_the_library(tmp_path):
    with pytest.raises(SettingsError, match="give its folder with --library"):
        train(out=tmp_path, only="stellar-parameters")


def test_the_table_of_the_library_is_read_by_its_columns(tmp_path):
    folder = tmp_path / miles.FOLDER
    folder.mkdir(parents=True)
    (folder / miles.TABLE).write_text(
        "Name                  MILES   CaT   SpT            Teff   log g   [Fe/H]  Refs   Libraries\n"
        "HD 000249              0005         K1IV           4717   2.40    -0.35   111\n"
        "BD+12 2998             0598         F8             --     --      --      222\n"
    )
    for number in (5, 598):
        fits.writeto(folder / f"MILES_res2.50_star_m{number:04d}V.fits", np.ones(4300))
    stars = miles.load(tmp_path)
    assert stars.names == ("HD249",)
    assert stars.parameters[0] == pytest.approx([np.log10(4717), 2.4, -0.35])
