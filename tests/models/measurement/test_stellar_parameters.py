"""Temperature, gravity and metallicity of stars: right within their errors, or null with a reason."""

from dataclasses import replace

import numpy as np
import pytest

from spectraq.models.answer import Extra
from spectraq.models.grid.axis import LOGLAM, N_PIXELS, WAVELENGTH, pixel_of
from spectraq.models.measurement import fitting_functions
from spectraq.models.measurement.fitting_functions import EXPONENTS, MIDDLE, UNIT, monomials
from spectraq.models.measurement.stellar_indices import BANDS, BandWeights, stellar_indices, vacuum
from spectraq.models.measurement.stellar_parameters import NAMES, stellar_parameters
from spectraq.models.measurement.target import Target
from spectraq.models.simulate import simulate
from spectraq.models.training.measure import known_parameters

NAMED = list(BANDS)
DWARF, GIANT = np.array([np.log10(5800.0), 4.4, -0.3]), np.array([np.log10(4700.0), 2.3, -0.8])


@pytest.fixture(scope="module")
def functions():
    return fitting_functions.load()


@pytest.fixture(scope="module")
def known(shared_data):
    """Real stars that are no calibrators, on the grid, with what the literature says of them."""
    stars = known_parameters.stars(known_parameters.INDO_US, shared_data)
    return [(star.target(), star.parameters) for star in stars if np.isfinite(star.parameters).all()]


def seen(target, **changes):
    return replace(target, **changes)


def flat(ivar=400.0, survey=None, flux=1.0):
    return Target(np.full(N_PIXELS, flux), np.full(N_PIXELS, ivar), "STAR", 0.0, 0.0, survey)


def blurred(flux, pixels):
    """Convolve with a Gaussian, whose edges repeat the last pixel."""
    half = 20
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) / max(pixels, 1e-9)) ** 2)
    return np.convolve(np.pad(flux, half, mode="edge"), kernel / kernel.sum(), mode="valid")


def lined(sigma_pixels, lag=0.0):
    """Return unit flux with a line of given width in every band, integrated over pixels."""
    flux = np.ones(N_PIXELS)
    pixel = np.arange(N_PIXELS)
    for bands in BANDS.values():
        centre = float(pixel_of(vacuum(np.array(np.mean(bands[1]))))) + lag
        flux -= 0.4 / sigma_pixels * np.exp(-0.5 * ((pixel - centre) / sigma_pixels) ** 2)
    return flux


def expected(functions, parameters, row):
    centre = np.array([(functions.ranges[row].mean() - MIDDLE[0]) / UNIT[0], 0, 0])
    return monomials((parameters - MIDDLE) / UNIT - centre)[0] @ functions.coefficients[row]


def test_derivatives_of_the_polynomials_are_their_slopes():
    scaled = np.random.default_rng(0).normal(size=(4, 3))
    term, slope = monomials(scaled)
    for k in range(3):
        step = 1e-6 * np.eye(3)[k]
        difference = (monomials(scaled + step)[0] - monomials(scaled - step)[0]) / 2e-6
        assert slope[:, k] == pytest.approx(difference, abs=1e-7)
    assert term.shape == (4, len(EXPONENTS))


@pytest.mark.parametrize(("parameters", "row"), [(DWARF, 1), (GIANT, 0)])
def test_indices_that_scatter_as_the_calibration_says_give_back_the_parameters_within_errors(
    functions, parameters, row
):
    rng = np.random.default_rng(1)
    clean, covariance = expected(functions, parameters, row), functions.covariance[row]
    noise = np.zeros_like(covariance)
    said = [functions.solve(rng.multivariate_normal(clean, covariance), noise) for _ in range(60)]
    pull = np.array([(one.value - parameters) / one.error for one in said])
    assert (np.abs(np.median(pull, 0)) < 0.7).all()
    assert (pull.std(0) < 1.5).all() and (pull.std(0) > 0.5).all()
    assert 0.6 < np.median([one.rchi2 for one in said]) < 1.4


def test_errors_grow_with_noise_and_with_each_index_that_is_missing(functions):
    clean = expected(functions, DWARF, 1)
    errors = [functions.solve(clean, size**2 * np.eye(clean.size)).error for size in (0.0, 0.02, 0.05)]
    assert (errors[0] < errors[1]).all() and (errors[1] < errors[2]).all()
    fewer = np.where(np.arange(clean.size) % 2, clean, np.nan)
    assert (functions.solve(fewer, np.zeros((clean.size,) * 2)).error > errors[0]).all()


def test_an_index_is_the_same_at_every_resolution_and_every_fraction_of_a_pixel():
    """Whatever the instrument, lines are blurred to one width; a line of no width is the hardest case."""
    ones = np.ones(N_PIXELS)
    sharp = BandWeights(np.full((len(BANDS), 3), 0.8)).measure(lined(0.8), ones, 0.0).value
    for spread, lag in ((0.8, 0.43), (1.0, 0.0), (1.2, -1.31)):
        value = BandWeights(np.full((len(BANDS), 3), spread)).measure(lined(spread, lag), ones, lag).value
        assert np.abs(value - sharp).max() < 0.01
        assert np.ptp(sharp) > 0.1


def test_the_covariance_of_indices_is_that_of_many_noisy_spectra():
    rng, sigma = np.random.default_rng(2), 0.03
    weights = BandWeights(np.full((len(BANDS), 3), 0.9))
    ivar = np.full(N_PIXELS, sigma**-2)
    clean = lined(1.5)
    drawn = [
        weights.measure(clean + sigma * rng.standard_normal(N_PIXELS), ivar, 0.0).value for _ in range(300)
    ]
    said = weights.measure(clean, ivar, 0.0).covariance
    ratio = np.std(drawn, 0) / np.sqrt(said.diagonal())
    assert np.abs(ratio - 1).max() < 0.2
    scale = np.sqrt(said.diagonal())
    off = np.corrcoef(np.array(drawn).T) - said / scale / scale[:, None]
    assert np.abs(off).max() < 0.25
    # Nested bands share their noise.
    assert np.abs(said / scale / scale[:, None] - np.eye(len(BANDS))).max() > 0.7


def test_a_band_that_is_masked_has_no_index():
    target = flat()
    ivar = np.where(np.abs(WAVELENGTH - 5176) < 12, 0.0, target.ivar)
    value = stellar_indices(seen(target, ivar=ivar)).value
    assert np.isnan(value[NAMED.index("Mgb")])
    assert np.isfinite(value[NAMED.index("Fe5335")])


@pytest.mark.parametrize("subtype", ["O", "B", "M", "L", "CARBON", "WD", "CV", None])
def test_a_star_of_a_type_that_the_calibration_lacks_has_no_parameters(functions, subtype):
    for quantity in stellar_parameters(flat(), subtype, functions).values():
        assert quantity.value is None and quantity.error is None
        assert f"type {subtype or 'unknown'}" in quantity.reason


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (flat(ivar=9.0), "median S/N below 5"),
        (flat(ivar=0.0), "median S/N below 5"),
        (
            seen(flat(), ivar=np.where(WAVELENGTH > 5600, 900.0, 0.0)),
            "less than 25 of its 53 indices are covered",
        ),
        (
            seen(flat(ivar=1e4), flux=2 - lined(1.5)),
            "its lines are those of no star that the calibration knows",
        ),
    ],
)
def test_a_spectrum_that_does_not_hold_them_has_a_reason_in_their_place(functions, target, reason):
    found = stellar_parameters(target, "G", functions)
    assert {(q.value, q.error, q.reason) for q in found.values()} == {(None, None, reason)}


def test_nothing_is_said_beyond_the_calibrators(functions):
    """Whatever the indices are, a value that is given has calibrators beside it."""
    rng = np.random.default_rng(3)
    given = 0
    for _ in range(60):
        slope = 1 + rng.normal(0, 0.6) * (1 - lined(2.0)) + 0.02 * rng.standard_normal(N_PIXELS)
        found = stellar_parameters(seen(flat(ivar=900.0), flux=slope), "G", functions)
        if found["teff"].value is not None and None not in [found[name].value for name in NAMES]:
            said = np.array([np.log10(found["teff"].value), found["log_g"].value, found["fe_h"].value])
            assert (((said - functions.calibrators) / UNIT) ** 2).sum(1).min() < 0.6**2
            given += 1
        else:
            assert any(found[name].reason for name in NAMES)
    assert given < 60


def test_weights_without_a_calibration_say_so(tmp_path):
    found = stellar_parameters(flat(), "G", fitting_functions.load(tmp_path))
    assert all(q.value is None and "no calibration of stellar parameters" in q.reason for q in found.values())


def test_real_stars_have_the_parameters_of_the_literature_within_their_errors(functions, known):
    off, pull = [], []
    for target, parameters in known:
        found = stellar_parameters(target, "G", functions)
        if None in [found[name].value for name in NAMES]:
            continue
        truth = dict(zip(NAMES, [10 ** parameters[0], *parameters[1:]], strict=True))
        off.append([found[name].value - truth[name] for name in NAMES])
        pull.append([off[-1][k] / found[name].error for k, name in enumerate(NAMES)])
    assert len(off) > 0.8 * len(known) > 20
    assert (1.4826 * np.median(np.abs(off), axis=0) < [120, 0.4, 0.15]).all()
    assert (1.4826 * np.median(np.abs(pull), axis=0) < 1.3).all()
    assert np.abs(pull).max() < 5


def test_dust_calibration_and_resolution_move_no_real_star_by_an_error(functions, known):
    smooth = (WAVELENGTH / 5500) ** 1.5 * (1 + 0.1 * np.sin(LOGLAM * 30))
    compared = 0
    for target, _ in known[::4]:
        bent = seen(target, flux=target.flux * smooth, ivar=target.ivar / smooth**2)
        # SDSS's lines are so wide; the sky's own are taken for those of a survey that is not known.
        wider = seen(target, flux=blurred(target.flux, 0.6))
        usual = stellar_parameters(target, "G", functions)
        for changed in (bent, wider):
            for name, quantity in stellar_parameters(changed, "G", functions).items():
                if quantity.value is not None and usual[name].value is not None:
                    assert abs(quantity.value - usual[name].value) < usual[name].error
                    compared += 1
    assert compared > 20


def test_noise_on_a_real_star_makes_errors_larger_and_values_stay_within_them(functions, known):
    rng = np.random.default_rng(4)
    pull, ratio = [], []
    for target, _ in known[::2]:
        sigma = np.abs(target.flux) / 12
        noisy = seen(
            target,
            flux=target.flux + sigma * rng.standard_normal(N_PIXELS),
            ivar=np.where(target.used, 1 / np.maximum(sigma, 1e-9) ** 2, 0.0),
        )
        quiet = seen(target, ivar=np.where(target.used, 1 / np.maximum(sigma / 8, 1e-9) ** 2, 0.0))
        before, after = (stellar_parameters(one, "G", functions) for one in (quiet, noisy))
        for name in NAMES:
            if after[name].value is not None and before[name].value is not None:
                ratio.append(after[name].error / before[name].error)
                pull.append((after[name].value - before[name].value) / after[name].error)
    assert len(pull) > 20
    assert np.min(ratio) > 0.9 and np.median(ratio) > 1.1
    assert np.median(np.abs(pull)) < 1 and np.abs(pull).max() < 5


def test_parameters_do_not_depend_on_what_else_is_in_the_batch(pipeline):
    drawn = [one.observation for one in simulate(60, seed=13) if one.spectype == "STAR" and one.snr > 10][:4]
    together = pipeline.analyze(drawn, Extra.MEASUREMENT)
    compared = 0
    for observation, answer in zip(drawn, together, strict=True):
        (alone,) = pipeline.analyze([observation], Extra.MEASUREMENT)
        assert alone.measurement == answer.measurement
        compared += sum(answer.measurement.quantities[name].value is not None for name in NAMES)
    assert compared > 0
