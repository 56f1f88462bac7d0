"""The one table of kinds of anomaly: a new kind is a row here, and its score in `scores.py`.

The order of rows is that of columns in every table of scores, and of the detector's inputs and outputs: the
shipped detector and the reference of normal spectra were made with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a worker's loop, and all that only reads answers, knows the names without torch
    from torch import Tensor

    Transform = Callable[[Tensor], Tensor]

SKY, INSTRUMENT = "sky", "instrument"
"""Whose doing: the object's own light, or how it was recorded and reduced."""
NOTHING = "nothing"
"""What the detector calls a spectrum that nothing is wrong with."""
NOTHING_PLANTED = 0.36


def as_it_is(score: Tensor) -> Tensor:
    """Return a logarithm as it is."""
    return score


def from_sigma(score: Tensor) -> Tensor:
    """Return a significance in sigma on a scale that is linear below two and logarithmic above."""
    return (score / 2).asinh()


def from_wide_logarithm(score: Tensor) -> Tensor:
    """Return a logarithm that spans nine e-foldings, scaled to order one."""
    return score / 5


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of anomaly.

    Attributes
    ----------
    name
        As reasons name it.
    origin
        SKY or INSTRUMENT.
    share
        Of the false positives that are allowed: more where its score finds what no other finds, less where
        it seldom finds anything first. Found by trying, on normal spectra that lines, steps, sky, supernovae
        and second objects were put into.
    sentence
        What a reason says, "" where the kind is told under others' names. It says what was measured, by the
        name of that quantity and in its own unit. Fields: `size`, as of `Scores.size`, and its absolute value
        `amount`; `begin`, `end` and `middle` of the wavelengths concerned in angstrom; `z` of the fit; and
        `sign`, one of `signs`.
    signs
        What `sign` is for a positive and for a negative size.
    shown_as
        How the detector is shown the score, of order one; None where it is not.
    detected
        The detector tells it apart.
    asked
        The detector is asked for it. Real surveys leave more sky in normal spectra than mocks have: the score
        of the sky lines alone, which knows normal spectra, finds what is too much.
    planted
        Share of the mocks that the detector learns from with this put in.
    told_as
        Kind that reasons name, where it is not the score's own: several scores may find one fault.
    of_chi2
        It says nothing where the noise was estimated from the scatter: chi2 is then what it is by
        construction.
    """

    name: str
    origin: str
    share: float
    sentence: str = ""
    signs: tuple[str, str] = ("", "")
    shown_as: Transform | None = None
    detected: bool = False
    asked: bool = False
    planted: float = 0.0
    of_chi2: bool = False
    told_as: str = ""


TABLE = (
    Kind(
        "poor_fit",
        SKY,
        0.001,
        "The fit leaves a chi2 of {size:.1f} a pixel, more than spectra of this class and S/N have.",
        shown_as=as_it_is,
        of_chi2=True,
    ),
    Kind(
        "unmodelled_emission",
        SKY,
        0.308,
        "An emission line at {middle:.0f} Å, {size:.1f} times the local scatter, is none that an object at "
        "z = {z:.4f} should have.",
        shown_as=from_sigma,
        detected=True,
        asked=True,
        planted=0.14,
    ),
    Kind(
        "unmodelled_absorption",
        SKY,
        0.001,
        "An absorption line at {middle:.0f} Å, {size:.1f} times the local scatter, is none that an object at "
        "z = {z:.4f} should have.",
        shown_as=from_sigma,
        detected=True,
        asked=True,
        planted=0.05,
    ),
    Kind(
        "broad_misfit",
        SKY,
        0.001,
        "From {begin:.0f} to {end:.0f} Å the flux is {amount:.0%} {sign} the best fit.",
        signs=("above", "below"),
        shown_as=as_it_is,
    ),
    Kind(
        "arm_step",
        INSTRUMENT,
        0.131,
        "The flux jumps {sign} by {amount:.0%} at {middle:.0f} Å, as where two arms of a spectrograph were "
        "joined badly.",
        signs=("up", "down"),
        shown_as=from_sigma,
        detected=True,
        asked=True,
        planted=0.13,
    ),
    Kind(
        "sky_residual",
        INSTRUMENT,
        0.047,
        "The night sky's lines were subtracted too {sign}: they stand out by {amount:.1f} times their error.",
        signs=("little", "much"),
        shown_as=from_sigma,
        detected=True,
        planted=0.06,
    ),
    Kind(
        "second_star",
        SKY,
        0.042,
        "A star in the same spectrum would explain {amount:.0%} of its light.",
        shown_as=from_sigma,
        detected=True,
        asked=True,
        planted=0.07,
    ),
    Kind(
        "second_galaxy",
        SKY,
        0.103,
        "A second galaxy, at z = {size:.4f}, would explain what the fit leaves.",
        shown_as=from_sigma,
        detected=True,
        asked=True,
        planted=0.07,
    ),
    Kind(
        "second_quasar",
        SKY,
        0.028,
        "A quasar in the same spectrum, at z = {size:.4f}, would explain what the fit leaves.",
        shown_as=from_sigma,
        detected=True,
        asked=True,
        planted=0.04,
    ),
    Kind(
        "supernova",
        SKY,
        0.103,
        "A supernova at the galaxy's redshift of {z:.4f} would explain {amount:.0%} of its light.",
        shown_as=from_sigma,
        detected=True,
        asked=True,
        planted=0.08,
    ),
    Kind(
        "ensemble_disagreement",
        SKY,
        0.001,
        "The networks disagree about its class: their probabilities scatter by {size:.2f}.",
        shown_as=from_wide_logarithm,
    ),
    # The odds that the detector gives follow from the other scores and the residual.
    Kind("detector", SKY, 0.168),
    # Measured by the reference, which knows what is near.
    Kind(
        "latent_distance",
        SKY,
        0.001,
        "The encoder has seen none like it: {size:.1f} standard deviations from the middle of normal spectra "
        "of this class.",
    ),
    Kind(
        "cosmic_ray",
        INSTRUMENT,
        0.0094,
        "At {middle:.0f} Å one to three pixels stand {amount:.0f} times the local scatter above their "
        "neighbours, narrower than light is spread by a spectrograph: a cosmic ray.",
    ),
    Kind(
        "dead_column",
        INSTRUMENT,
        0.0093,
        "From {begin:.0f} to {end:.0f} Å {amount:.0%} of the light is missing, with edges sharper than light "
        "is spread by a spectrograph: a dead column.",
    ),
    Kind(
        "constant_run",
        INSTRUMENT,
        0.0046,
        "From {begin:.0f} to {end:.0f} Å {amount:.0f} pixels have the very same flux, with errors as if it "
        "had been measured.",
        told_as="dead_column",
    ),
    Kind(
        "fringing",
        INSTRUMENT,
        0.0093,
        "Redward of {begin:.0f} Å the flux goes up and down by {amount:.0%} in waves of one period, as "
        "fringes of a thin detector do.",
    ),
    Kind(
        "flux_calibration",
        INSTRUMENT,
        0.0093,
        "From {begin:.0f} to {end:.0f} Å the flux is up to {amount:.0%} too {sign}, in a smooth curve as a "
        "wrong flux calibration makes it.",
        signs=("high", "low"),
    ),
    Kind(
        "scattered_light",
        INSTRUMENT,
        0.0093,
        "From {begin:.0f} to {end:.0f} Å the flux is up to {amount:.0%} too {sign}, more and more towards an "
        "end, as scattered light or a sky that was subtracted wrongly makes it.",
        signs=("high", "low"),
    ),
    Kind(
        "negative_flux",
        INSTRUMENT,
        0.0046,
        "From {begin:.0f} to {end:.0f} Å the mean flux is negative: {amount:.2f} times the spectrum's median "
        "below zero.",
        told_as="bad_reduction",
    ),
    Kind(
        "repeated_values",
        INSTRUMENT,
        0.0046,
        "Of the pixels {amount:.0%} have the very flux of the one before: values were repeated or rounded.",
        told_as="bad_reduction",
    ),
    Kind(
        "wrong_noise",
        INSTRUMENT,
        0.0046,
        "Neighbouring pixels differ by {amount:.1f} times what their errors allow: the noise is understated.",
        told_as="bad_reduction",
        of_chi2=True,
    ),
)
KINDS = tuple(kind.name for kind in TABLE)
BY_NAME = {kind.name: kind for kind in TABLE}
DETECTOR = KINDS.index("detector")
LATENT = KINDS.index("latent_distance")
SHOWN = tuple((column, kind.shown_as) for column, kind in enumerate(TABLE) if kind.shown_as is not None)
"""Columns of scores that the detector is shown, and how."""
SEEN = (NOTHING, *(kind.name for kind in TABLE if kind.detected))
"""What the detector tells apart, in the order of its outputs."""
COUNTED = tuple(kind.name for kind in TABLE if kind.asked)
"""What the detector is asked for."""
