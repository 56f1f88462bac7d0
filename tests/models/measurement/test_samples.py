"""What is computed on fewer pixels, or only in part, is what all pixels and a whole solution give."""

import numpy as np
import pytest

from spectraq.models.grid.axis import KM_S_PER_PIXEL, LN_PER_PIXEL, N_PIXELS, WAVELENGTH, lag_of
from spectraq.models.lines import wavelength
from spectraq.models.measurement import populations
from spectraq.models.measurement.galaxy_lines import at_widths, extended
from spectraq.models.measurement.ground import Base, Ground
from spectraq.models.measurement.line_blocks import Blocks
from spectraq.models.measurement.line_fit import LineProblem
from spectraq.models.measurement.line_groups import broad, narrow
from spectraq.models.measurement.line_point import gains
from spectraq.models.measurement.samples import averaged, every_pixel
from spectraq.models.measurement.target import Target

Z, SNR, SIGMA = 0.3, 30.0, 1200.0
FLAT = Base(np.zeros(N_PIXELS), np.ones((1, N_PIXELS)), np.array([1e-8]), np.zeros(1))
GROUPS = [broad("Hbeta"), narrow("narrow", ("OIII_5008",))]


@pytest.fixture(scope="module")
def target():
    """Broad H beta and narrow [O III] on a flat continuum, one pixel in ten masked."""
    rng = np.random.default_rng(1)
    blank = Target(np.ones(N_PIXELS), np.ones(N_PIXELS), "QSO", lag_of(Z), Z, "sdss")
    flux = 1 + rng.standard_normal(N_PIXELS) / SNR
    for name, amount, km_s in (("Hbeta", 150.0, SIGMA), ("OIII_5008", 40.0, 150.0)):
        width = np.hypot(km_s / KM_S_PER_PIXEL, blank.spread(wavelength(name)))
        peak = np.exp(-0.5 * ((np.arange(N_PIXELS) - blank.place(wavelength(name))) / width) ** 2)
        flux += amount * peak / (np.sqrt(2 * np.pi) * width * WAVELENGTH * LN_PER_PIXEL)
    used = (WAVELENGTH > 3800) & (WAVELENGTH < 9200) & (rng.random(N_PIXELS) > 0.1)
    return Target(flux, used * SNR**2, "QSO", lag_of(Z), Z, "sdss")


def places(target):
    """Where the narrow lines lie, those that follow from others among them."""
    return np.array([target.place(rest) for line in GROUPS[1].lines for rest, _ in line.parts])


def fitted(target, samples):
    problem = LineProblem(Blocks(Ground(target, FLAT, samples)), GROUPS)
    return problem.fit(problem.solve(at_widths(GROUPS, [2000.0, 200.0], True)))


def test_lines_on_means_of_pixels_are_those_on_all_pixels(target):
    near = (np.abs(np.arange(N_PIXELS) - places(target)[:, None]) < 16).any(0)
    few = averaged(target, near)
    assert few.flux.size < 0.25 * every_pixel(target).flux.size
    whole, means = fitted(target, every_pixel(target)), fitted(target, few)
    error = np.sqrt(whole.inverse.diagonal())
    assert (np.abs(means.flux - whole.flux) < 0.3 * error).all()
    sigma = [np.sqrt(fit.kinematics.square) * KM_S_PER_PIXEL for fit in (whole, means)]
    assert sigma[1] == pytest.approx(sigma[0], rel=0.01)
    assert sigma[1][0] == pytest.approx(SIGMA, rel=0.05)


def test_what_one_more_group_gains_is_what_a_whole_solution_with_it_gains(target):
    for near in (None, places(target)):
        blocks = Blocks(Ground(target, FLAT, every_pixel(target), near))
        without = LineProblem(blocks, GROUPS[1:]).solve(at_widths(GROUPS[1:], [150.0], True))
        for width in (900.0, 2000.0):
            (gained,) = gains(blocks, without, GROUPS[0], [(width / KM_S_PER_PIXEL) ** 2], 0.0)
            problem = LineProblem(blocks, [GROUPS[1], GROUPS[0]])
            more = problem.solve(extended(without.kinematics, width))
            assert without.chi2 - more.chi2 == pytest.approx(gained, rel=2e-3)
            assert gained > 1000


def test_populations_in_pairs_are_means_of_two_pixels_of_the_whole():
    moved = populations.load().moved(1201.7)
    whole, reached = moved.blurred(2.1)
    pairs, in_pairs = moved.paired().blurred(2.1**2)
    both = reached.reshape(-1, 2).all(1) & in_pairs
    assert both.sum() > 1000
    means = whole.reshape(len(whole), -1, 2).mean(2)
    assert np.abs(pairs - means)[:, both].max() < 1e-6 * np.abs(means).max()
