"""What is said of two spectra of one object."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = (
    "transient",
    "line_appeared",
    "line_faded",
    "line_changed",
    "continuum_changed",
    "velocity_changed",
    "absorption_changed",
    "class_changed",
    "redshift_changed",
    "different_object",
)


@dataclass(frozen=True, slots=True)
class ChangeReason:
    """One thing that changed."""

    kind: str  # one of KINDS
    strength: float  # sigma of a Gaussian that is exceeded as rarely as the rate below
    false_positive_rate: float  # how often an unchanged pair shows so much of this kind
    size: float  # how much, in `unit`; positive where the newer spectrum has more, or lies to the red
    size_error: float | None  # one standard deviation, where it is known
    unit: str  # "sigma", "km/s", "of the flux" or ""
    wavelength_min: float  # vacuum angstrom, observed frame
    wavelength_max: float
    name: str  # of the line, the supernova's type, the class: "" where it has none
    message: str  # one sentence a person can read


@dataclass(frozen=True, slots=True)
class Change:
    """What changed from an earlier spectrum to a newer one.

    Attributes
    ----------
    changed
        Whether fewer unchanged pairs than one in a hundred look as changed.
    false_positive_rate
        How often an unchanged pair looks as changed in any way.
    reasons
        What would flag the pair alone, the rarest first; empty where nothing changed.
    days
        From the earlier to the newer, None where a date is missing.
    overlap
        Pixels of the common grid that both have.
    response
        How much the newer's calibration is taken to differ: the largest factor of the smooth response, over
        its mean, which is no change.
    level
        The newer's flux over the earlier's, where both have one unit: fibres lose light, so it flags nothing.
    reference
        What the false-positive rate was learned from.
    message
        One sentence.
    """

    changed: bool
    false_positive_rate: float
    reasons: tuple[ChangeReason, ...]
    days: float | None
    spectype: str
    z: float
    snr: tuple[float, float]
    overlap: int
    response: float
    level: float | None
    reference: str
    message: str
