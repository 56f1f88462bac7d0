from dataclasses import replace

import numpy as np
import pytest
import torch

from spectraq.models.answer import Extra
from spectraq.models.answers.denoise import denoise
from spectraq.models.classes import CLASSES
from spectraq.models.final_fit import details
from spectraq.models.final_fit.fit import final_fit
from spectraq.models.final_fit.prior_strengths import HURDLE_NATS, evidence, prior_strengths
from spectraq.models.final_fit.shapes import (
    INSTRUMENT_PIXELS,
    Part,
    details_at,
    line_shapes,
    shapes_of,
)
from spectraq.models.grid.axis import KM_S_PER_PIXEL, N_PIXELS, pixel_of
from spectraq.models.grid.prepare import grid_batch
from spectraq.models.lines import wavelength
from spectraq.models.simulate import simulate

USED = torch.ones(N_PIXELS, dtype=torch.bool)
PIXEL = torch.arange(N_PIXELS)


@pytest.fixture(scope="module")
def fine():
    return details.load()


@pytest.fixture(scope="module")
def analysis(pipeline):
    """Simulated spectra of every class without faults, the whole of what is known of them."""
    drawn = [one for one in simulate(30, seed=3) if one.fault is None][:20]
    return pipeline.analysis(grid_batch([one.observation for one in drawn]), everything=True)


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


def test_parts_that_are_left_out_would_not_pay_alone(analysis, fine):
    ivar = analysis.gridded.ivar * analysis.prepared.scale.square()
    for row in range(0, 20, 5):
        spectype = CLASSES[int(analysis.decision.spectype[row])]
        shapes = shapes_of(spectype, analysis.fit.model[row], ivar[row] > 0, float(analysis.lag[row]), None)
        weighted = shapes.flux.double() * ivar[row].double().sqrt()
        pull = (analysis.prepared.flux[row] - analysis.fit.model[row]).double() * ivar[row].double().sqrt()
        normal, vector = weighted @ weighted.T, weighted @ pull
        chosen = prior_strengths(normal, vector, shapes.part)
        best = evidence(normal, vector, chosen)
        for part in set(shapes.part):
            own = torch.tensor([i for i, kind in enumerate(shapes.part) if kind == part])
            if not chosen[own].any():
                gained = max(
                    evidence(normal, vector, chosen.index_fill(0, own, value)) for value in (0.003, 0.03, 0.3)
                )
                assert gained <= best + HURDLE_NATS + 1e-6


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
    lines = line_shapes("GALAXY")
    assert lines is not None
    flux, part = lines.at(2000.0)
    assert set(part) == {Part.NARROW}
    assert float(flux.max()) <= 1.0
    expected = np.hypot(30.0 / KM_S_PER_PIXEL, INSTRUMENT_PIXELS)
    assert float(lines.sigma.min()) == pytest.approx(expected)
    assert line_shapes("STAR") is None


def test_details_move_with_the_redshift_and_end_with_the_grid(fine):
    galaxy = fine["GALAXY"]
    here, there = details_at(galaxy, 100.0), details_at(galaxy, 101.0)
    assert torch.equal(here[:, :-1], there[:, 1:])
    halfway = details_at(galaxy, 100.5)
    assert torch.allclose(halfway, (here + there) / 2, atol=1e-6)
    assert not details_at(galaxy, 40000.0).any()


def test_every_shape_is_finite_whatever_the_model(fine):
    for value in (0.0, 1e-30, -1.0, 1e6):
        model = torch.full((N_PIXELS,), value)
        shapes = shapes_of("QSO", model, USED, 3000.0, None)
        assert torch.isfinite(shapes.flux).all()
        assert len(shapes.flux) == len(shapes.part)
