import numpy as np
import pytest
import torch

from spectraq.models import shipped
from spectraq.models.classes import CLASSES
from spectraq.models.final_fit import details
from spectraq.models.final_fit.fit import final_fit
from spectraq.models.grid.axis import N_COARSE, N_PIXELS, WAVELENGTH, pixel_of
from spectraq.models.grid.prepare import grid_batch, prepare
from spectraq.models.grid.survey_noise import N_STRETCHES, STATED, STRETCH, SurveyNoise
from spectraq.models.grid.surveys import SURVEYS, survey_index
from spectraq.models.observation import Observation
from spectraq.models.training.measure.survey_noise import of_spectra

SHIPPED = SurveyNoise.load(shipped.FOLDER)
LAMOST, UNKNOWN = SURVEYS.index("lamost"), len(SURVEYS)


def applied(noise, ivar, survey, level=1.0):
    n = len(ivar)
    return noise.applied(ivar, torch.full((n, N_COARSE), level), torch.full((n,), survey))


def test_no_card_makes_noise_smaller_than_the_survey_states_it():
    ivar = torch.rand(20, N_PIXELS, generator=torch.Generator().manual_seed(1)) * 1e4
    ivar[:, ::7] = 0.0
    for survey in range(len(SURVEYS) + 1):
        whole = applied(SHIPPED, ivar, survey)
        assert (whole <= ivar).all()
        assert ((whole > 0) == (ivar > 0)).all()


@pytest.mark.parametrize("survey", [survey for survey in range(UNKNOWN + 1) if survey != LAMOST])
def test_of_a_survey_without_a_card_the_stated_noise_is_believed(survey):
    ivar = torch.rand(3, N_PIXELS)
    assert torch.equal(applied(SHIPPED, ivar, survey), ivar)


def test_a_floor_is_a_fraction_of_the_local_flux_and_a_factor_is_not():
    curve = np.ones(N_STRETCHES)
    noise = SurveyNoise.of({"lamost": ((2 * curve).tolist(), (0.05 * curve).tolist())})
    for level in (0.1, 1.0, 7.0):
        whole = applied(noise, torch.full((1, N_PIXELS), 25.0), LAMOST, level)
        assert torch.allclose(1 / whole, torch.tensor(4 / 25 + (0.05 * level) ** 2))


def test_one_spectrum_of_a_batch_does_not_change_the_noise_of_another():
    wavelength = WAVELENGTH[300:4100]
    flux = np.linspace(1, 3, wavelength.size).astype(np.float32)
    ivar = np.full(wavelength.size, 1e4, np.float32)
    spectra = [Observation(wavelength, flux, ivar, survey) for survey in ("lamost", "sdss", None)]
    together = prepare(grid_batch(spectra), SHIPPED)
    for row, observation in enumerate(spectra):
        alone = prepare(grid_batch([observation]), SHIPPED)
        assert torch.equal(alone.noise_ivar[0], together.noise_ivar[row])
        assert torch.equal(alone.ivar[0], together.ivar[row])
    red = int(pixel_of(9060.0))
    assert together.noise_ivar[0, red] < 0.1 * together.noise_ivar[1, red]


@pytest.mark.parametrize(
    ("name", "survey"), [("LAMOST", "lamost"), ("sdss-v", "sdss"), ("boss", "boss"), ("desi-edr", "desi")]
)
def test_a_survey_is_known_by_how_its_name_begins(name, survey):
    assert SURVEYS[survey_index(name)] == survey


@pytest.mark.parametrize("name", [None, "", "4most", "my lamost"])
def test_another_name_is_of_no_survey_that_is_known(name):
    assert survey_index(name) == len(SURVEYS)


def test_a_factor_and_a_floor_are_told_apart_by_bright_and_faint_spectra():
    rng = np.random.default_rng(3)
    rows = []
    for snr in np.geomspace(15, 300, 120):
        stated = np.full(N_STRETCHES, 1 / snr**2)
        off = rng.normal(0, np.sqrt(1.5**2 * stated + 0.02**2)[:, None], (N_STRETCHES, STRETCH))
        rows.append((np.median(off**2, 1) / 0.455, stated))
    card = of_spectra(rows)
    assert np.median(card["factor"]) == pytest.approx(1.5, rel=0.1)
    assert np.median(card["floor"]) == pytest.approx(0.02, rel=0.1)


def test_the_final_fit_reaches_the_noise_of_bright_lamost_stars(labelled, pipeline):
    stars = [spectrum.observation for spectrum in labelled if spectrum.observation.survey == "lamost"][::4]
    analysis = pipeline.analysis(grid_batch(stars), everything=True)
    bright = (analysis.prepared.snr > 20) & (analysis.decision.spectype == CLASSES.index("STAR"))
    fit = final_fit(analysis, details.load())
    assert float(fit.noise_rchi2[bright].median()) < 1.2
    stated = prepare(analysis.gridded, STATED).noise_ivar
    off = (analysis.prepared.flux - fit.model).square() * stated
    assert float(off[bright][:, stated[0] > 0].mean(1).median()) > 1.3
