"""What many spectra of one exposure, plate or fibre share is found, named, and told apart from chance."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from spectraq.models import shipped
from spectraq.models.anomaly import shared_fault
from spectraq.models.anomaly.coarse_residual import (
    LEVELS_A_SIGMA,
    N_STRETCHES,
    NOTHING,
    STRETCH_PIXELS,
    Stretches,
    read_stretches,
    written_stretches,
)
from spectraq.models.anomaly.kinds import KINDS
from spectraq.models.anomaly.reference import Reference
from spectraq.models.anomaly.residual import Measured
from spectraq.models.anomaly.shared_pattern import GLOW, QUIET, patterns
from spectraq.models.anomaly.shared_stack import Stack
from spectraq.models.anomaly.without_shared import judged_without
from spectraq.models.answer import Evidence, Reason
from spectraq.models.grid.axis import N_PIXELS, wavelength_of
from spectraq.models.observation import Observation
from tests.support.plumbing import answer_of, spectrum_flux
from tests.support.shared_faults import LEFT_BY_STEP, STEP, line_of

DARK = int(np.flatnonzero(GLOW < QUIET / 10)[100])
PLACES = np.arange(N_STRETCHES)


def levels(rng, n, pattern=0.0):
    """Stretches of n spectra of noise and a pattern, in sigma."""
    sigma = rng.normal(size=(n, N_STRETCHES)) + pattern
    return (sigma * LEVELS_A_SIGMA).round().clip(-31, 31).astype(np.int8)


def stack(rows, spectype="GALAXY"):
    return Stack.of(rows, [spectype] * len(rows))


FAULTS = {
    "arm_step": 1.2 * LEFT_BY_STEP,
    "sky_residual": np.where(GLOW > 5 * QUIET, 2.0, 0.0),
    "dead_column": np.where(PLACES == DARK, -3.0, 0.0),
    "flux_calibration": 1.0 * np.sin(PLACES / 6.0),
}


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize(("n", "part"), [(20, 1.0), (60, 0.5)])
def test_a_fault_of_all_or_half_of_a_group_is_found_and_named(kind: str, n: int, part: float) -> None:
    rng = np.random.default_rng(1)
    hit = int(n * part)
    rows = np.concatenate([levels(rng, hit, FAULTS[kind]), levels(rng, n - hit)])
    shared = patterns(stack(rows), stack(levels(rng, 200)), 10)
    assert [one.kind for one in shared] == [kind]


@pytest.mark.parametrize("kind", ["arm_step", "dead_column"])
def test_a_fault_is_told_where_it_is_and_how_many_share_it(kind: str) -> None:
    rng = np.random.default_rng(2)
    rows = np.concatenate([levels(rng, 30, 2 * FAULTS[kind]), levels(rng, 10)])
    pattern = patterns(stack(rows), Stack.empty(), 0)[0]
    spectra = Stretches(rows, np.full(rows.shape, 0.02), np.ones(len(rows)))
    told = shared_fault.fault(pattern, "id", ("plate", "p-1"), 40, spectra).told
    place = STEP if kind == "arm_step" else DARK
    assert told.wavelength_min <= wavelength_of(place * STRETCH_PIXELS) <= told.wavelength_max
    assert told.wavelength_max / told.wavelength_min < 1.01
    assert 28 <= told.sharing <= 33 and told.spectra == 40
    assert told.message.startswith(f"{told.sharing} of 40 spectra of plate p-1 share this: ")
    assert told.fraction > 0.03 if kind == "arm_step" else told.fraction < -0.03


def test_groups_of_noise_share_nothing_nor_does_one_very_strange_member() -> None:
    rng = np.random.default_rng(3)
    for n in (12, 20, 50) * 40:
        rows = levels(rng, n)
        rows[0] = 31 * np.sign(FAULTS["flux_calibration"]).astype(np.int8)
        assert patterns(stack(rows), stack(levels(rng, 60)), 10) == []


def test_what_all_plates_of_a_survey_have_is_no_fault_of_one() -> None:
    rng = np.random.default_rng(4)
    plate = levels(rng, 50, FAULTS["arm_step"])
    assert patterns(stack(plate), stack(levels(rng, 400)), 20)
    assert patterns(stack(plate), stack(levels(rng, 400, FAULTS["arm_step"])), 20) == []


def test_a_plate_beside_a_faulty_one_does_not_have_the_opposite_fault() -> None:
    rng = np.random.default_rng(5)
    good, faulty = levels(rng, 100), levels(rng, 100, 2 * FAULTS["arm_step"])
    assert patterns(stack(good), stack(faulty), 1) == []
    assert patterns(stack(faulty), stack(good), 1)


def test_two_halves_of_a_faulty_plate_do_not_hide_it_from_each_other() -> None:
    rng = np.random.default_rng(6)
    halves = [stack(levels(rng, 100, 1.5 * FAULTS["arm_step"])) for _ in range(2)]
    assert patterns(halves[0], halves[1], 1)


def test_the_order_of_spectra_changes_no_sum() -> None:
    rows = levels(np.random.default_rng(7), 40)
    whole, parts = stack(rows), stack(rows[25:]) + stack(rows[:25])
    assert (whole.total == parts.total).all() and (whole.count == parts.count).all()


def measured(n, rng):
    shape = (n, N_PIXELS)
    model = torch.from_numpy(rng.uniform(0.5, 2, shape)).float()
    ivar = torch.from_numpy(rng.uniform(50, 200, shape)).float()
    ivar[:, 1000:1100] = 0
    flux = model + torch.from_numpy(rng.normal(size=shape)).float() / ivar.clamp_min(1).sqrt()
    nothing = torch.zeros(n)
    return Measured(flux, model, ivar, nothing.long(), nothing.double(), nothing, nothing > 1)


def test_what_is_left_is_written_in_a_character_a_stretch_whatever_else_is_in_the_batch() -> None:
    batch = measured(21, np.random.default_rng(8))
    lines = written_stretches(batch, 16)
    alone = Measured(**{f.name: getattr(batch, f.name)[20:] for f in dataclasses.fields(Measured)})
    assert written_stretches(alone, 16) == lines[20:]
    left = read_stretches(lines)
    unused = left.levels == NOTHING
    assert (np.flatnonzero(unused.all(0)) == np.arange(84, 91)).all() and unused.sum() == 21 * 7
    assert 0.6 < (left.levels[~unused] / LEVELS_A_SIGMA).std() < 0.8, "noise of 2.4 % and 2 % of the flux"
    assert ((left.error > 0.02) & (left.error < 0.05)).all()
    with pytest.raises(ValueError, match="characters"):
        read_stretches([lines[0][:-1]])


def test_faults_are_read_as_they_were_written_and_nothing_else_is_read() -> None:
    rows = levels(np.random.default_rng(9), 30, FAULTS["arm_step"])
    spectra = Stretches(rows, np.full(rows.shape, 0.02), np.ones(len(rows)))
    found = [
        shared_fault.fault(one, "id", ("fiber", "7"), 30, spectra)
        for one in patterns(stack(rows), Stack.empty(), 0)
    ]
    text = shared_fault.written(found)
    assert [one.told for one in shared_fault.read(text)] == [one.told for one in found]
    assert shared_fault.written(shared_fault.read(text)) == text
    for wrong in ("[{}]", "7", "[[1]]", '{"a": 1}', text.replace("arm_step", "an_arm"), text[:-9], "[null]"):
        with pytest.raises(ValueError):
            shared_fault.read(wrong)


NORMAL = Reference.load(shipped.FOLDER)
PLAIN = answer_of(Observation(np.linspace(4000, 9000, 200), spectrum_flux(1)))


def flagged(row, strange: dict[str, tuple[float, float]]):
    """A spectrum that is strange in these kinds, at these wavelengths."""
    causes = tuple(Reason(kind, "sky", 5.0, *ends, kind) for kind, ends in strange.items())
    strangeness = tuple(25.0 if kind in strange else 0.0 for kind in KINDS)
    evidence = Evidence(strangeness, "arm_step", causes, line_of(row))
    return dataclasses.replace(PLAIN, anomaly_flagged=True, anomaly_reasons=causes, anomaly_evidence=evidence)


def test_what_the_fault_explains_flags_no_spectrum_and_what_else_is_there_still_does() -> None:
    rng = np.random.default_rng(10)
    rows = levels(rng, 40, 1.5 * FAULTS["arm_step"])
    spectra = Stretches(rows, np.full(rows.shape, 0.02), np.ones(len(rows)))
    pattern = patterns(stack(rows), Stack.empty(), 0)[0]
    one = shared_fault.fault(pattern, "fault", ("plate", "p"), 40, spectra)
    at = float(wavelength_of(STEP * STRETCH_PIXELS))
    step, line = {"arm_step": (at, at + 20)}, {"unmodelled_emission": (7000.0, 7010.0)}
    answers = [flagged(rows[0], step), flagged(rows[1], step | line), flagged(levels(rng, 1)[0], step)]
    explained, besides, other = judged_without(answers, [[one]] * 3, [None] * 3, NORMAL)
    assert explained.anomaly_shared == ("fault",) and not explained.anomaly_flagged
    assert explained.anomaly_reasons == () and explained.anomaly_false_positive_rate > 0.01
    assert besides.anomaly_shared == ("fault",) and besides.anomaly_flagged
    assert [reason.kind for reason in besides.anomaly_reasons] == ["unmodelled_emission"]
    assert other == answers[2], "a spectrum of the plate that does not show the fault is judged as it is"
