"""What fits leave in lines of normal spectra is learned by wavelength, and a line must stand above it."""

from pathlib import Path

import pytest
import torch

from spectraq.models import shipped
from spectraq.models.anomaly.airglow import airglow
from spectraq.models.anomaly.line_errors import (
    FIRST_REST,
    LEVELS,
    N_OBSERVED,
    N_REST,
    NO_ERRORS,
    STRETCH,
    LineErrors,
    rest_stretch,
)
from spectraq.models.anomaly.residual import Measured, Residual
from spectraq.models.anomaly.unexplained_lines import WIDTHS, Search, confirmed, filtered
from spectraq.models.classes import CLASSES
from spectraq.models.decision.decide import GALAXY, QSO, STAR
from spectraq.models.grid.axis import N_PIXELS
from spectraq.models.training.measure.line_errors import EVERY, Heights, apart, learn

NOISE = 0.01
PIXEL = torch.arange(0, N_PIXELS, EVERY)


def drawn(spectype, lag, rng, rest=None, observed=None, scale=1.0):
    """Draw the heights of one spectrum with errors at stretches at rest and as observed, (stretch, size)."""
    stretch = rest_stretch(torch.tensor([float(lag)]))[0][PIXEL]
    variance = torch.full((len(PIXEL),), NOISE**2)
    for place, known in ((stretch, rest), (PIXEL // STRETCH, observed)):
        if known:
            variance = variance + torch.where((place - known[0]).abs() <= 12, known[1] ** 2, 0.0)
    height = scale * torch.randn(len(WIDTHS), len(PIXEL), generator=rng) * variance.sqrt()
    noise = torch.full_like(height, NOISE**2)
    return Heights(spectype, height, noise, stretch, PIXEL // STRETCH)


def many(n, rng, **known):
    """Draw spectra of each class: stars at rest, the others at redshifts."""
    lags = torch.linspace(300, 2600, n).tolist()
    return [drawn(c, 0 if c == STAR else lag, rng, **known) for lag in lags for c in range(len(CLASSES))]


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(1)


def test_what_is_left_at_one_rest_wavelength_is_learned_there_and_nowhere_else(rng):
    place = (1000 - FIRST_REST) // STRETCH
    errors = learn(many(40, rng, rest=(place, 0.1)))
    for c in (GALAXY, QSO):
        assert torch.allclose(errors.rest[c][:, place], torch.tensor(0.1), rtol=0.35)
        assert float(errors.rest[c][:, place - 60].max()) < 0.02
        assert float(errors.rest[c][:, place + 60].max()) < 0.02


def test_what_is_left_at_one_observed_wavelength_is_learned_for_every_class(rng):
    at = 300
    errors = learn(many(40, rng, observed=(at, 0.1)))
    for c in (GALAXY, QSO):
        lag = torch.tensor([700.0])
        error = errors.variance(torch.tensor([c]), lag).sqrt()[0]
        assert float(error[:, at * STRETCH].min()) > 0.06
        assert float(error[:, (at + 100) * STRETCH].max()) < 0.03


def test_one_strange_spectrum_in_forty_moves_no_error_much(rng):
    normal = many(40, rng)
    strange = drawn(GALAXY, 900, rng, scale=30.0)
    before, after = learn(normal), learn([*normal, strange])
    assert float((after.rest[GALAXY] - before.rest[GALAXY]).abs().max()) < 0.01


def test_where_few_spectra_have_been_seen_the_error_is_no_smaller_than_usual(rng):
    errors = learn(many(40, rng, rest=((1000 - FIRST_REST) // STRETCH, 0.05)))
    assert float(errors.rest[QSO][:, 0].min()) >= float(errors.rest[QSO].median())
    nothing = learn([])
    assert float(nothing.rest.min()) > 0.05


def test_a_source_is_measured_by_what_all_others_leave(rng):
    place = (500 - FIRST_REST) // STRETCH
    calm, odd = many(20, rng), many(20, rng, rest=(place, 0.2))
    errors = apart([*calm, *odd], ["calm"] * len(calm) + ["odd"] * len(odd))
    assert torch.equal(errors["odd"].rest, learn(calm).rest)
    assert torch.equal(errors["calm"].rest, learn(odd).rest)


def test_a_card_says_what_was_learned(tmp_path: Path, rng):
    learned = learn(many(10, rng, rest=(1300, 0.1)))
    learned.save(tmp_path, {"spectra": 30})
    read = LineErrors.load(tmp_path)
    assert torch.allclose(read.rest, learned.rest, atol=1e-6)
    assert torch.allclose(read.observed, learned.observed, atol=1e-6)


def test_the_shipped_card_is_of_this_grid_and_of_errors_below_the_flux():
    errors = LineErrors.load(shipped.FOLDER)
    assert errors.rest.shape == (len(CLASSES), len(WIDTHS), N_REST)
    assert errors.observed.shape == (len(WIDTHS), N_OBSERVED)
    assert float(errors.rest.max()) <= float(LEVELS[-1]) + 1e-6


def test_every_pixel_has_the_errors_of_its_stretch_at_rest_and_of_that_where_it_is_observed(rng):
    errors = LineErrors(
        torch.rand(len(CLASSES), len(WIDTHS), N_REST, generator=rng),
        torch.rand(len(WIDTHS), N_OBSERVED, generator=rng),
    )
    spectype, lag = torch.tensor([STAR, GALAXY, QSO, QSO]), torch.tensor([-3.4, 1234.5, 5005.0, 9900.0])
    stretch = rest_stretch(lag.double())
    variance = errors.variance(spectype, lag.double())
    for i, c in enumerate(spectype.tolist()):
        of_rest, observed = errors.rest[c][:, stretch[i]], errors.observed.repeat_interleave(STRETCH, 1)
        assert torch.allclose(variance[i], of_rest.square() + observed.square())


def noisy(rng, height, pixel=2000):
    """Return the residual of a bright star with a line of a height at a pixel."""
    flux = 1 + 0.01 * torch.randn(1, N_PIXELS, generator=rng)
    flux = flux + height * torch.exp(-0.5 * ((torch.arange(N_PIXELS) - pixel) / 2.5) ** 2)
    ones = torch.ones(1, N_PIXELS)
    nothing = torch.zeros(1)
    return Residual.of(
        Measured(
            flux, ones, 1e4 * ones, torch.tensor([STAR]), nothing.double(), nothing + 100, nothing.bool()
        )
    )


def strongest(residual, errors):
    """Return the strongest line beside errors."""
    ratio, weight = filtered(residual)
    search = Search.of(residual, ratio, airglow(torch.device("cpu")))
    variance = errors.variance(residual.spectype, residual.lag)
    return confirmed(residual, ratio, search.beside(weight, residual.model, variance))


def test_a_line_counts_less_where_fits_leave_lines_and_as_much_elsewhere(rng):
    residual = noisy(rng, 0.15)
    plain = strongest(residual, NO_ERRORS)
    assert abs(int(plain.pixel) - 2000) <= 1

    def with_error(pixel):
        rest = NO_ERRORS.rest.clone()
        stretch = int(rest_stretch(torch.zeros(1))[0, pixel])
        rest[STAR, :, stretch - 3 : stretch + 4] = 0.1
        return LineErrors(rest, NO_ERRORS.observed)

    assert float(strongest(residual, with_error(2000)).strength) < 0.5 * float(plain.strength)
    assert float(strongest(residual, with_error(3000)).strength) == pytest.approx(
        float(plain.strength), rel=0.02
    )
