"""From what was measured to what is told: kinds, sizes and sentences."""

from __future__ import annotations

import numpy as np

from spectraq.models.change.earth_motion import corrected, difference_km_s
from spectraq.models.change.epoch import Epoch
from spectraq.models.change.evidence import PairEvidence
from spectraq.models.change.light import BLUE, AddedLight
from spectraq.models.change.narrow_lines import NarrowChange
from spectraq.models.change.pair import Pair
from spectraq.models.change.record import ChangeReason
from spectraq.models.grid.axis import KM_S_PER_PIXEL, N_PIXELS, lag_of, pixel_of, wavelength_of
from spectraq.models.lines import BY_NAME, LINES

SEEN_SIGMA = 3.0
"""Below, a line is not there."""
SMALL_PART = 0.3
"""Of a line's flux: what is left of a line that went."""
NEAR_LINE_PIXELS = 6
EARTH_SIGMA = 3.0


def told(test: str, rate: float, strength: float, evidence: PairEvidence, a: Epoch, b: Epoch) -> ChangeReason:
    """Return the reason that a test gives.

    Parameters
    ----------
    test
        One of `evidence.TESTS`.
    rate
        How often an unchanged pair shows so much.
    strength
        As a Gaussian's sigma.
    a, b
        The earlier and the newer spectrum.
    """
    kind, size, error, unit, low, high, name, message = _TOLD[test](evidence, a, b)
    return ChangeReason(kind, strength, rate, size, error, unit, low, high, name, message)


Told = tuple[str, float, float | None, str, float, float, str, str]


def _narrow(e: PairEvidence, a: Epoch, b: Epoch) -> Told:
    line = e.narrow
    at = float(wavelength_of(float(line.pixel)))
    name = _named(line, e)
    label = f"{BY_NAME[name].label or name} at {at:.0f} Å" if name else f"a narrow line at {at:.0f} Å"
    before, after = _seen_in(e.pair, line)
    more = line.strength > 0
    emission = max(before, after) > SEEN_SIGMA or more
    if not emission:
        before, after = -before, -after
    kind, word = _came_or_went(before, after)
    absorbed = "" if emission else " in absorption"
    half = 2 * line.width
    low, high = (float(wavelength_of(line.pixel + s * half)) for s in (-1, 1))
    message = (
        f"{label}{absorbed} {word}: S/N {before:.1f} before, {after:.1f} now, "
        f"{abs(line.strength):.1f} sigma apart"
    )
    return kind, line.strength, None, "sigma", low, high, name, _sentence(message)


def _broad(e: PairEvidence, a: Epoch, b: Epoch) -> Told:
    line = e.broad
    centre = float(pixel_of(BY_NAME[line.name].wavelength) + lag_of(e.z))
    half = 2 * line.width_km_s / KM_S_PER_PIXEL
    low, high = (float(wavelength_of(centre + s * half)) for s in (-1, 1))
    kind, word = _came_or_went(line.earlier, line.newer)
    message = (
        f"broad {BY_NAME[line.name].label or line.name} {word}: S/N {line.earlier:.1f} before, "
        f"{line.newer:.1f} now ({line.fraction:+.0%} of its flux)"
    )
    return kind, line.fraction, None, "of the flux", low, high, line.name, _sentence(message)


def _came_or_went(before: float, after: float) -> tuple[str, str]:
    """Return kind and verb for a line of these S/N."""
    if after > SEEN_SIGMA and before < max(SEEN_SIGMA, SMALL_PART * after):
        return "line_appeared", "appeared"
    if before > SEEN_SIGMA and after < max(SEEN_SIGMA, SMALL_PART * before):
        return "line_faded", "faded"
    return "line_changed", "grew" if after > before else "weakened"


def _velocity(e: PairEvidence, a: Epoch, b: Epoch) -> Told:
    speed, error = e.shift.km_s, e.velocity_error
    low, high = _reach(e.pair)
    message = f"velocity changed by {speed:+.0f} ± {error:.0f} km/s"
    message += _of_the_earth(speed, error, a, b)
    return "velocity_changed", speed, error, "km/s", low, high, "", _sentence(message)


def _of_the_earth(speed: float, error: float, a: Epoch, b: Epoch) -> str:
    """Return what is known of the Earth's part in a shift."""
    ra, dec = (a.ra, a.dec) if a.ra is not None else (b.ra, b.dec)
    earth = difference_km_s(ra, dec, a.mjd, b.mjd)
    known = corrected(a.survey) and corrected(b.survey)
    if earth is None:
        return "" if known else "; whether the Earth's motion is taken out is not known"
    if abs(earth) > EARTH_SIGMA * error and abs(speed - earth) < EARTH_SIGMA * error:
        return f"; the Earth's own motion is {earth:+.0f} km/s: one may not be corrected for it"
    if known:
        return "; both surveys take the Earth's motion out"
    return f"; the Earth's own motion, were it not taken out, would be {earth:+.0f} km/s"


def _supernova(e: PairEvidence, a: Epoch, b: Epoch) -> Told:
    light = e.supernova
    when, what = (
        ("appeared", "of the newer's light") if light.strength > 0 else ("faded", "of the light before")
    )
    days = "" if light.phase is None else f", {light.phase:+.0f} days from maximum light"
    message = f"a supernova like one of type {light.name}{days} {when}: {abs(light.fraction):.0%} {what}"
    return (
        "transient",
        light.fraction,
        _error(light),
        "of the flux",
        *_reach(e.pair),
        light.name,
        _sentence(message),
    )


def _continuum(e: PairEvidence, a: Epoch, b: Epoch) -> Told:
    light = e.continuum
    transient = e.spectype == "GALAXY"
    kind = "transient" if transient and light.strength > 0 else "continuum_changed"
    more = "appeared" if light.strength > 0 else "faded"
    what = BLUE if light.name == BLUE else f"{BLUE} (like {light.name})"
    message = f"a {what} {more}: {abs(light.fraction):.0%} of the flux, beside a smooth response"
    name = BLUE
    return kind, light.fraction, _error(light), "of the flux", *_reach(e.pair), name, _sentence(message)


def _trough(e: PairEvidence, a: Epoch, b: Epoch) -> Told:
    trough = e.trough
    low, high = (float(wavelength_of(float(trough.pixel + s * 20))) for s in (-1, 1))
    verb = "weakened" if trough.depth > 0 else "deepened"
    label = BY_NAME[trough.name].label or trough.name
    message = (
        f"absorption {trough.velocity_km_s:,.0f} km/s blueward of {label} {verb} by "
        f"{abs(trough.depth):.0%} of the flux"
    )
    return "absorption_changed", trough.depth, None, "of the flux", low, high, trough.name, _sentence(message)


def _likeness(e: PairEvidence, a: Epoch, b: Epoch) -> Told:
    alike = e.likeness
    message = (
        f"the details of the two spectra are {max(alike.value, 0):.0%} alike, of one object they are all: "
        "another fibre or another object"
    )
    return "different_object", alike.value, alike.error, "", *_reach(e.pair), "", _sentence(message)


_TOLD = {
    "narrow_line": _narrow,
    "broad_line": _broad,
    "velocity": _velocity,
    "supernova": _supernova,
    "continuum": _continuum,
    "absorption": _trough,
    "likeness": _likeness,
}


def _error(light: AddedLight) -> float | None:
    return abs(light.fraction / light.strength) if light.strength else None


def _reach(pair: Pair) -> tuple[float, float]:
    used = pair.used.nonzero()[0]
    return float(wavelength_of(float(used[0]))), float(wavelength_of(float(used[-1])))


def _named(line: NarrowChange, e: PairEvidence) -> str:
    """Return the known line of the object that lies there, "" where none does."""
    near = [
        (abs(float(pixel_of(known.wavelength) + lag_of(e.z)) - line.pixel), known.name)
        for known in LINES
        if known.known or known.emitted_by
    ]
    apart, name = min(near)
    return name if apart < NEAR_LINE_PIXELS else ""


def _seen_in(pair: Pair, line: NarrowChange) -> tuple[float, float]:
    """Return the S/N of a narrow line in the earlier and the newer spectrum, above a parabola."""
    near = slice(max(line.pixel - 20, 0), line.pixel + 21)
    place = np.arange(N_PIXELS)[near] - line.pixel
    design = np.stack(
        [np.exp(-0.5 * (place / line.width) ** 2), np.ones(place.size), place / 20, (place / 20) ** 2]
    )
    found = []
    for side in (pair.earlier, pair.newer):
        weight = np.where(pair.used, side.ivar, 0.0)[near]
        covariance = np.linalg.inv((design * weight) @ design.T + 1e-9 * np.eye(4))
        height = float((covariance @ ((design * weight) @ side.flux[near]))[0])
        found.append(height / float(np.sqrt(covariance[0, 0])))
    return found[0], found[1]


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
