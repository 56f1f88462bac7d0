from dataclasses import replace

import numpy as np
import pytest
import torch

from spectraq.models.answer import Extra
from spectraq.models.answers.denoise import denoise
from spectraq.models.classes import CLASSES
from spectraq.models.final_fit import details, smooth
from spectraq.models.final_fit.fit import design_of, final_fit
from spectraq.models.final_fit.narrow_lines import windows
from spectraq.models.final_fit.pixels import Leftover, Pixels, binned, unbinned
from spectraq.models.final_fit.prior_strengths import HURDLE_NATS, most_probable
from spectraq.models.final_fit.shapes import INSTRUMENT_PIXELS, Part, level_of
from spectraq.models.grid.axis import KM_S_PER_PIXEL, N_PIXELS, pixel_of
from spectraq.models.grid.prepare import grid_batch
from spectraq.models.lines import wavelength
from spectraq.models.simulate import simulate

PIXEL = torch.arange(N_PIXELS)


@pytest.fixture(scope="module")
def fine():
    return details.load()


@pytest.fixture(scope="module")
def analysis(pipeline):
    """Simulated spectra of every class without faults, the whole of what is known of them."""
    drawn = [one for one in simulate(30, seed=3) if one.fault is None][:20]
    return pipeline.analysis(grid_batch([one.observation for one in drawn]), everything=True)


def evidence(normal, vector, strength):
    """The logarithm of the evidence of prior strengths, less that of none, by its definition."""
    system = np.eye(len(strength)) + strength[:, None] * normal * strength
    solved = np.linalg.solve(system, strength * vector)
    return (strength * vector) @ solved / 2 - np.linalg.slogdet(system)[1] / 2


def with_flux(analysis, added):
    """The same analysis of spectra to which a share of their median flux was added."""
    return replace(analysis, prepared=replace(analysis.prepared, flux=analysis.prepared.flux + added))


def test_a_model_that_is_right_already_is_left_as_it_is(analysis, fine):
    random = torch.Generator().manual_seed(5)
    ivar = analysis.gridded.ivar * analysis.prepared.scale.square()
    noise = torch.randn(ivar.shape, generator=random) * ivar.clamp_min(1e-12).rsqrt() * (ivar > 0)
    exact = with_flux(analysis, analysis.fit.model - analysis.prepared.flux + noise)
    fit = final_fit(exact, fine)
    moved = ((fit.model - analysis.fit.model).square() * ivar).sum(1) / (ivar > 0).sum(1)
    assert float(moved.median()) == 0.0
    assert float(moved.max()) < 0.01
    assert float(fit.noise_rchi2.median()) == pytest.approx(1.0, abs=0.02)


def test_the_smooth_misfit_of_a_calibration_is_taken_up(analysis, fine):
    wave = 0.08 * torch.sin(torch.linspace(0, 12, N_PIXELS))
    bent = with_flux(analysis, wave * analysis.fit.model)
    before, fit = final_fit(analysis, fine), final_fit(bent, fine)
    bright = analysis.prepared.snr > 10
    assert bright.sum() > 3
    rise = (fit.noise_rchi2 - before.noise_rchi2)[bright]
    assert float(rise.abs().max()) < 0.1


def test_one_bad_pixel_bends_nothing_and_is_counted_in_chi2(analysis, fine):
    rows = torch.nonzero(analysis.prepared.snr > 8)[:3, 0]
    spike = torch.zeros_like(analysis.prepared.flux)
    for row in rows.tolist():
        good = torch.nonzero(analysis.gridded.ivar[row] > 0)[:, 0]
        spike[row, good[len(good) // 3]] = 50.0
    without, fit = final_fit(analysis, fine), final_fit(with_flux(analysis, spike), fine)
    assert len(rows) == 3
    assert float((fit.model - without.model)[rows].abs().max()) < 0.02
    assert (fit.noise_rchi2[rows] > without.noise_rchi2[rows] + 1).all()


@pytest.fixture(scope="module")
def designs(analysis, fine):
    """What is tried on each of the spectra, by their class."""
    ivar = analysis.gridded.ivar * analysis.prepared.scale.square()
    tried = []
    for row, spectype in enumerate(analysis.decision.spectype.tolist()):
        planes = (plane[row].numpy() for plane in (analysis.prepared.flux, ivar, analysis.fit.model))
        table = smooth.table_of(fine["GALAXY"]) if CLASSES[spectype] == "GALAXY" else None
        tried.append(design_of(CLASSES[spectype], Leftover.of(*planes), float(analysis.lag[row]), table))
    return tried


def dense(design):
    """The shapes that are tried, on single pixels all of them: what a unit of each adds to the fit."""
    rows = []
    for shapes, own in design.rows():
        for unit in np.eye(own.stop - own.start, dtype=np.float32):
            factor = design.pixels.leftover.best if shapes.times_best else 1.0
            rows.append(shapes.sum(unit) * factor)
    return np.array(rows)


def test_sums_over_bins_and_single_pixels_stand_for_sums_over_all_pixels(designs):
    sizes = []
    for design in designs:
        if not design.part:
            continue
        shapes, leftover = dense(design).astype(np.float64), design.pixels.leftover
        normal, vector = design.normal_equations()
        exact = shapes * leftover.ivar @ shapes.T
        size = np.sqrt(exact.diagonal()).clip(0.3)  # what is less no prior lets a spectrum show
        assert np.abs((normal - exact) / size[:, None] / size).max() < 0.1
        # By how many of its sigma an amplitude alone is another.
        moved = np.abs(vector - shapes @ leftover.score) / size
        assert np.median(moved) < 0.2
        sizes.append(len(design.part))
    assert max(sizes) > 80


def test_parts_that_are_left_out_would_not_pay_alone(designs):
    left_out = 0
    for design in designs:
        normal, vector = design.normal_equations()
        posterior = most_probable(normal, vector, design.part)
        strength = np.zeros(len(design.part))
        strength[posterior.kept] = posterior.strength
        best = evidence(normal, vector, strength)
        for _, own in design.rows():
            if not strength[own].any():
                left_out += 1
                for value in (0.003, 0.03, 0.3):
                    trial = strength.copy()
                    trial[own] = value
                    assert evidence(normal, vector, trial) <= best + HURDLE_NATS + 1.0
    assert left_out > 3


def test_what_a_noisy_spectrum_cannot_pay_for_is_hardly_tried(analysis):
    random = np.random.default_rng(5)
    tried = {"noise alone": [], "far from the best fit": []}
    for row in range(20):
        best = analysis.fit.model[row].numpy()
        flux = best + random.standard_normal(N_PIXELS).astype(np.float32)
        for (_, counts), ivar in zip(tried.items(), (1.0, 1e4), strict=True):
            leftover = Leftover.of(flux, np.full_like(best, ivar), best)
            counts.append(len(design_of("QSO", leftover, float(analysis.lag[row]), None).part))
    assert np.median(tried["noise alone"]) < np.median(tried["far from the best fit"]) / 3


@pytest.fixture(scope="module")
def quasars(pipeline):
    """Two quasars with a broad line well inside, and the grid pixels of these."""
    found, centres = [], []
    for one in simulate(120, seed=4):
        if one.spectype == "QSO" and one.fault is None and one.snr > 5:
            centre = pixel_of(wavelength("MgII") * (1 + one.z))
            if 800 < centre < 3200:
                found.append(one.observation)
                centres.append(centre)
    return pipeline.analysis(grid_batch(found[:2]), everything=True), torch.tensor(centres[:2])


@pytest.mark.parametrize("width", [1500.0, 5000.0])
def test_a_broad_line_between_the_widths_of_the_dictionary_is_drawn_as_it_is(quasars, fine, width):
    analysis, centre = quasars
    line = torch.exp(-0.5 * ((PIXEL - centre[:, None]) / (width / KM_S_PER_PIXEL)) ** 2).float()
    gain = final_fit(with_flux(analysis, line), fine).model - final_fit(analysis, fine).model
    used = (analysis.gridded.ivar > 0) & (line > 0.05)
    assert (used.sum(1) > 50).all()
    assert (gain * used).sum(1).tolist() == pytest.approx((line * used).sum(1).tolist(), rel=0.05)
    assert (gain * used).max(1).values.tolist() == pytest.approx([1.0, 1.0], abs=0.15)


def test_what_parts_add_is_the_difference_to_the_best_fit(analysis, fine):
    fit = final_fit(analysis, fine)
    assert fit.parts.shape == (len(fit.model), len(Part), N_PIXELS)
    assert torch.allclose(analysis.fit.model + fit.parts.sum(1), fit.model, atol=1e-5)
    assert (fit.parameters >= analysis.fit.coefficients.shape[1]).all()
    stars = analysis.decision.spectype == 0
    assert not fit.parts[stars][:, [Part.NARROW, Part.BROAD, Part.IRON]].any()


def test_the_final_fit_of_a_spectrum_does_not_depend_on_its_batch(pipeline, fine):
    drawn = [one.observation for one in simulate(24, seed=9)]
    together = pipeline.analyze(drawn, Extra.MODEL)
    for i in (0, 7, 23):
        alone = pipeline.analyze(drawn[i : i + 1], Extra.MODEL)[0]
        for name in ("flux", "sigma", "denoised", "denoised_sigma"):
            assert np.array_equal(getattr(alone.model, name), getattr(together[i].model, name))
        assert alone.model.nparameters == together[i].model.nparameters


def test_the_published_model_is_the_final_fit_with_its_parameters_and_chi2(pipeline, analysis, fine):
    drawn = [one for one in simulate(30, seed=3) if one.fault is None][:3]
    fit = final_fit(analysis, fine)
    for i, answer in enumerate(pipeline.analyze([one.observation for one in drawn], Extra.MODEL)):
        used = torch.nonzero(analysis.gridded.ivar[i] > 0)[:, 0]
        reach = slice(int(used[0]), int(used[-1]) + 1)
        unit = float(analysis.prepared.scale[i]) * float(analysis.gridded.unit[i])
        assert np.allclose(answer.model.flux, fit.model[i, reach] * unit, rtol=1e-4, atol=1e-5 * unit)
        assert answer.model.nparameters == pytest.approx(float(fit.parameters[i]), rel=1e-3)
        assert answer.model.noise_rchi2 == pytest.approx(float(fit.noise_rchi2[i]), rel=1e-3)


def test_errors_of_the_denoised_flux_hold_for_fits_that_pay_for_many_parameters(analysis, fine):
    random = torch.Generator().manual_seed(6)
    ivar = (analysis.gridded.ivar * analysis.prepared.scale.square())[:12] * 9
    truth = analysis.fit.model[:12] * (1 + 0.05 * torch.sin(torch.linspace(0, 15, N_PIXELS)))
    noise = torch.randn(ivar.shape, generator=random) * ivar.clamp_min(1e-12).rsqrt() * (ivar > 0)
    few = replace(
        analysis,
        prepared=replace(
            analysis.prepared,
            flux=analysis.prepared.flux.clone(),
            noise_ivar=analysis.prepared.noise_ivar * 9,
        ),
    )
    few.prepared.flux[:12] = truth + noise
    fit = final_fit(few, fine)
    clean = denoise(truth + noise, ivar, fit.model[:12], fit.sigma[:12])
    pull = ((clean.flux - truth) / clean.sigma)[ivar > 0]
    assert float(1.4826 * pull.abs().median()) < 1.2
    assert float((clean.sigma.square() * ivar)[ivar > 0].median()) < 0.5


def test_a_line_shape_has_the_width_that_it_says_the_instrument_included():
    leftover = Leftover.of(1 + np.zeros(N_PIXELS, np.float32), *np.ones((2, N_PIXELS), np.float32))
    lag = 2000.0
    line = np.exp(-0.5 * ((PIXEL.numpy() - pixel_of(wavelength("Hbeta")) - lag) / 2) ** 2)
    leftover = Leftover.of((1 + line).astype(np.float32), leftover.ivar * 100, leftover.best)
    tried = windows("GALAXY", leftover, lag)
    assert len(tried) == 1
    place = np.arange(tried[0].start, tried[0].stop) - pixel_of(wavelength("Hbeta")) - lag
    narrowest = np.exp(-0.5 * (place / np.hypot(30.0 / KM_S_PER_PIXEL, INSTRUMENT_PIXELS)) ** 2)
    too_narrow = np.exp(-0.5 * (place / (0.7 * INSTRUMENT_PIXELS)) ** 2)
    left = [np.linalg.lstsq(tried[0].shapes.T, line)[1][0] for line in (narrowest, too_narrow)]
    assert left[0] < 1e-6
    assert left[1] > 1e-3
    assert not windows("STAR", leftover, lag)


@pytest.mark.parametrize("off", [-0.6, -0.3, 0.3, 0.6])
def test_a_galaxys_line_beside_the_redshift_is_drawn_where_it_is(off):
    lag, best = 2000.0, np.ones(N_PIXELS, np.float32)
    line = np.exp(-0.5 * ((PIXEL.numpy() - pixel_of(wavelength("Hbeta")) - lag - off) / 1.4) ** 2)
    leftover = Leftover.of((best + line).astype(np.float32), 400 * best, best)
    design = design_of("GALAXY", leftover, lag, None)
    posterior = most_probable(*design.normal_equations(), design.part)
    amplitude = posterior.amplitudes(len(design.part))
    drawn = sum(shapes.sum(amplitude[own]) for shapes, own in design.rows())
    assert np.square(drawn - line).sum() < 0.003 * np.square(line).sum()


def test_details_move_with_the_redshift_and_end_with_the_grid(fine):
    galaxy = smooth.table_of(fine["GALAXY"])
    here, there, halfway = (galaxy.at(lag).at(PIXEL.numpy()) for lag in (100.0, 101.0, 100.5))
    assert np.array_equal(here[:, :-1], there[:, 1:])
    assert np.allclose(halfway[:, 1:], (here[:, 1:] + here[:, :-1]) / 2, atol=1e-6)
    assert galaxy.at(40000.0) is None


def test_details_on_bins_are_means_of_those_on_pixels_and_their_sum_is_that_of_pixels(fine):
    placed = smooth.table_of(fine["GALAXY"]).at(1234.3)
    pixels = placed.at(PIXEL.numpy())
    assert np.allclose(placed.binned(), binned(pixels, 2) / 2, atol=1e-5)
    amplitude = np.linspace(-1, 1, len(pixels)).astype(np.float32)
    assert np.allclose(placed.sum(np.float32(2), amplitude), 2 * amplitude @ pixels, atol=1e-4)


def test_the_local_level_is_that_which_details_were_learned_with(analysis):
    for row in range(5):
        best, used = analysis.fit.model[row], analysis.gridded.ivar[row] > 0
        level = smooth.local_level(best.numpy(), used.float().numpy())
        expected = level_of(best[None], used[None])[0]
        assert np.allclose(level[used], expected[used], rtol=0.03, atol=0.01)


def test_values_on_bins_are_linear_between_their_centres():
    line = 3 + 0.25 * PIXEL.numpy().astype(np.float32)
    for width in (2, 4):
        assert np.allclose(unbinned(binned(line, width) / width), line, rtol=1e-5)


def test_pixels_count_once_in_bins_or_single(analysis):
    ivar = (analysis.gridded.ivar * analysis.prepared.scale.square())[0].numpy()
    best = analysis.fit.model[0].numpy()
    pixels = Pixels.of(Leftover.of(best + 1, ivar, best), [(1001, 1030), (3000, 3001)], 4)
    assert pixels.single.tolist() == [*range(992, 1040), *range(2992, 3008)]
    together = (pixels.weight * pixels.counted).sum() + ivar[pixels.single].sum()
    assert together == pytest.approx(ivar.sum(), rel=1e-5)


def test_every_shape_is_finite_whatever_the_model():
    for value in (0.0, 1e-30, -1.0, 1e6):
        best = np.full(N_PIXELS, value, np.float32)
        leftover = Leftover.of(best + 1, np.full(N_PIXELS, 100, np.float32), best)
        design = design_of("QSO", leftover, 3000.0, None)
        assert np.isfinite(design.binned).all() and np.isfinite(design.single).all()
        assert len(design.single) == len(design.part) > 0
