"""Two spectra of one object: what changed is named, what did not change is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectraq.models.change.compare import Comparison
from spectraq.models.change.pair import IncomparableError
from spectraq.models.change.record import KINDS, Change
from spectraq.models.constants import LIGHT_KM_S
from spectraq.models.grid.axis import LN_PER_PIXEL
from tests.models.change.conftest import Target

CLASSES = ("STAR", "GALAXY", "QSO")
OPPOSITE = {"line_appeared": "line_faded", "line_faded": "line_appeared"}


def kinds(change: Change) -> set[str]:
    return {reason.kind for reason in change.reasons}


def line(target: Target, angstrom: float, snr: float) -> np.ndarray:
    """A narrow line of this S/N."""
    profile = np.exp(-0.5 * ((target.wavelength - angstrom) / (2.5 * angstrom * LN_PER_PIXEL)) ** 2)
    ivar = target.truth.observation.ivar
    return snr / np.sqrt((profile**2 * ivar).sum()) * profile


@pytest.mark.parametrize("name", CLASSES)
def test_a_spectrum_is_unchanged_beside_itself(
    name: str, targets: dict[str, Target], comparison: Comparison
) -> None:
    epoch = targets[name].seen(targets[name].flux, 1)
    change = comparison.compare(epoch, epoch)
    assert not change.changed and not change.reasons
    assert "Nothing changed" in change.message


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("scale, tilt", [(7.0, 0.06), (0.02, -0.06)])
def test_a_scale_and_a_smooth_response_are_no_change(
    name: str, scale: float, tilt: float, targets: dict[str, Target], comparison: Comparison
) -> None:
    target = targets[name]
    x = np.linspace(-1, 1, target.flux.size)
    earlier, newer = target.seen(target.flux, 1), target.seen(target.flux, 2)
    response = np.interp(np.arange(newer.flux.size), np.linspace(0, newer.flux.size, x.size), x)
    factor = scale * np.exp(tilt * response)
    newer = replace(newer, flux=newer.flux * factor, model=newer.model * factor, ivar=newer.ivar / factor**2)
    change = comparison.compare(earlier, newer)
    assert not change.changed, change.message


@pytest.mark.parametrize("name", CLASSES)
def test_a_line_that_came_has_gone_the_other_way_round(
    name: str, targets: dict[str, Target], comparison: Comparison
) -> None:
    target = targets[name]
    without = target.seen(target.flux, 1, mjd=55000.0)
    with_line = target.seen(target.flux + line(target, 6050.0, 40), 2, mjd=55100.0)
    forth, back = comparison.compare(without, with_line), comparison.compare(with_line, without)
    assert forth.days == -back.days == 100
    (came,) = [reason for reason in forth.reasons if reason.kind == "line_appeared"]
    assert came.wavelength_min < 6050 < came.wavelength_max
    assert {OPPOSITE.get(kind, kind) for kind in kinds(back)} == kinds(forth) <= set(KINDS)


def test_a_supernova_is_named_with_type_and_phase(targets: dict[str, Target], comparison: Comparison) -> None:
    target = targets["GALAXY"]
    known = next(one for one in comparison.known if one.type == "Ia" and abs(one.phase) < 14)
    shapes = comparison.supernovae
    light = (np.array(known.coefficients) @ shapes.flux.double().numpy()).clip(0)
    place = np.log10(target.wavelength / (1 + target.truth.z)) / 4e-4 - (3.5563 / 4e-4) - shapes.first
    seen = np.interp(place, np.arange(light.size), light)
    seen *= np.median(target.flux) / np.median(seen)
    change = comparison.compare(target.seen(target.flux, 1), target.seen(target.flux + seen, 2))
    reason = change.reasons[0]  # whatever the network takes the sum of both for
    assert reason.kind == "transient" and reason.name == "Ia" and 0.25 < reason.size < 1
    assert change.spectype == "GALAXY" and change.z == pytest.approx(target.truth.z, abs=0.001)
    assert "days from maximum light" in reason.message


@pytest.mark.parametrize("speed", [-300.0, 120.0])
def test_a_star_that_moved_is_measured(
    speed: float, targets: dict[str, Target], comparison: Comparison
) -> None:
    target = targets["STAR"]
    moved = np.interp(target.wavelength, target.wavelength * (1 + speed / LIGHT_KM_S), target.flux)
    change = comparison.compare(target.seen(target.flux, 1), target.seen(moved, 2))
    (reason,) = [one for one in change.reasons if one.kind == "velocity_changed"]
    assert reason.size_error is not None
    assert reason.size == pytest.approx(speed, abs=4 * reason.size_error)


def test_the_earths_motion_is_told_where_it_would_explain_a_shift(
    targets: dict[str, Target], comparison: Comparison
) -> None:
    target = targets["STAR"]
    # Half a year apart at the ecliptic: 2 x 30 km/s, towards the star in March and away in September.
    place = {"ra": 270.0, "dec": -23.4}
    dates = (55277.0, 55462.0)
    moved = np.interp(target.wavelength, target.wavelength * (1 + 59.5 / LIGHT_KM_S), target.flux)
    earlier = replace(target.seen(target.flux, 1, mjd=dates[0], **place), survey=None)
    newer = replace(target.seen(moved, 2, mjd=dates[1], **place), survey=None)
    change = comparison.compare(earlier, newer)
    (reason,) = [one for one in change.reasons if one.kind == "velocity_changed"]
    assert "the Earth's own motion is +" in reason.message and "may not be corrected" in reason.message


def test_another_object_is_told(targets: dict[str, Target], comparison: Comparison) -> None:
    star, galaxy = targets["STAR"], targets["GALAXY"]
    change = comparison.compare(star.seen(star.flux, 1), galaxy.seen(galaxy.flux, 2))
    assert change.changed
    assert kinds(change) <= {"different_object", "class_changed", "redshift_changed"}


def test_what_cannot_be_compared_is_said(targets: dict[str, Target], comparison: Comparison) -> None:
    target = targets["GALAXY"]
    epoch = target.seen(target.flux, 1, ra=150.0, dec=2.0)
    with pytest.raises(IncomparableError, match=r"36\.0 arcsec apart on the sky"):
        comparison.compare(epoch, replace(epoch, dec=2.01))
    with pytest.raises(IncomparableError, match="share 100 usable pixels"):
        few = np.where(np.cumsum(epoch.ivar > 0) <= 100, epoch.ivar, 0.0)
        comparison.compare(epoch, replace(epoch, ivar=few))
    with pytest.raises(IncomparableError, match=r"earlier spectrum has a median S/N of 0\.10"):
        comparison.compare(replace(epoch, snr=0.1), epoch)
