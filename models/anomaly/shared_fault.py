"""A fault that spectra of a group share: what is told of it, and how it is kept for those that come later."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from spectraq.models.anomaly.coarse_residual import MOST_LEVELS, N_STRETCHES, STRETCH_PIXELS, Stretches
from spectraq.models.anomaly.shared_pattern import (
    ARM_STEP,
    DEAD_COLUMN,
    FLUX_CALIBRATION,
    SHOWN,
    SKY_RESIDUAL,
    Pattern,
    alike,
    fractions,
)
from spectraq.models.answer import EXPOSURE, FIBER, PLATE, SharedFault
from spectraq.models.grid.axis import wavelength_of

SPOKEN = {EXPOSURE: "exposure", PLATE: "plate", FIBER: "fibre"}
SENTENCES = {
    ARM_STEP: "the flux jumps {sign} by {amount:.0%} at {middle:.0f} Å, as where two arms of a spectrograph "
    "were joined badly",
    SKY_RESIDUAL: "the night sky's lines were subtracted too {sign}, by {amount:.0%} of the flux at "
    "{middle:.0f} Å",
    DEAD_COLUMN: "from {begin:.0f} to {end:.0f} Å the flux is {amount:.0%} too {sign}, as at a bad column "
    "of the detector",
    FLUX_CALIBRATION: "the flux is up to {amount:.0%} {sign} the fit, worst near {middle:.0f} Å, as where "
    "its calibration is wrong",
}
SIGNS = {
    ARM_STEP: ("up", "down"),
    SKY_RESIDUAL: ("little", "much"),
    DEAD_COLUMN: ("high", "low"),
    FLUX_CALIBRATION: ("above", "below"),
}
"""Of a positive and a negative fraction."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a group: what is told, and what its spectra are compared with."""

    told: SharedFault
    pattern: Pattern


def fault(
    pattern: Pattern,
    fault_id: str,
    group: tuple[str, str],
    spectra: int,
    members: Stretches,
) -> Fault:
    """Return the fault that a pattern of a group is.

    Parameters
    ----------
    group
        One of GROUPS, and the name of the exposure, plate or fibre.
    spectra
        How many the pattern was found in.
    members
        Some of them: of these is told how many show it, and its mean size.
    """
    shown = alike(members.levels, pattern) > SHOWN
    sizes = fractions(members.rows(shown), pattern)
    fraction = float(sizes.mean()) if len(sizes) else 0.0
    sharing = round(spectra * float(shown.mean())) if len(shown) else 0
    begin, end = pattern.wavelengths
    sentence = SENTENCES[pattern.kind].format(
        amount=abs(fraction),
        sign=SIGNS[pattern.kind][0 if fraction > 0 else 1],
        begin=begin,
        end=end,
        middle=_middle(pattern),
    )
    kind_of_group, name = group
    told = SharedFault(
        fault_id=fault_id,
        group=kind_of_group,
        name=name,
        kind=pattern.kind,
        fraction=round(fraction, 4),
        strength=round(pattern.strength, 2),
        spectra=spectra,
        sharing=sharing,
        wavelength_min=begin,
        wavelength_max=end,
        message=f"{sharing} of {spectra} spectra of {SPOKEN[kind_of_group]} {name} share this: {sentence}.",
    )
    return Fault(told, pattern)


def _middle(pattern: Pattern) -> float:
    place = pattern.place - 0.5 if pattern.kind == ARM_STEP else pattern.place
    if pattern.kind == FLUX_CALIBRATION:
        place = int(np.abs(pattern.profile).argmax())
    return float(wavelength_of((place + 0.5) * STRETCH_PIXELS))


def written(faults: list[Fault]) -> str:
    """Write faults as text; whoever judges by them has them from `read`, and all the same."""
    return json.dumps([asdict(one.told) | _of_pattern(one.pattern) for one in faults])


def read(text: str) -> list[Fault]:
    """Return what `written` wrote.

    Raises
    ------
    ValueError
        Where it is something else.
    """
    try:
        return [_fault(record) for record in json.loads(text)]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("these are no faults of a group") from error


def _of_pattern(pattern: Pattern) -> dict[str, object]:
    """Return a profile as whole parts of its largest value: its shape is what spectra are compared with."""
    top = float(np.abs(pattern.profile).max()) or 1.0
    parts = (pattern.profile / top * MOST_LEVELS).round().astype(int).tolist()
    return {"place": pattern.place, "top": top, "profile": parts}


def _fault(record: dict[str, Any]) -> Fault:
    place, top, parts = (record.pop(name) for name in ("place", "top", "profile"))
    told = SharedFault(**record)
    profile = np.asarray(parts, dtype=np.float64)
    right = profile.shape == (N_STRETCHES,) and isinstance(place, int) and 0 <= place < N_STRETCHES
    if not right or not isinstance(top, float) or not math.isfinite(top) or told.kind not in SENTENCES:
        raise ValueError("these are no faults of a group")
    return Fault(told, Pattern(told.kind, told.strength, place, profile * (top / MOST_LEVELS)))
