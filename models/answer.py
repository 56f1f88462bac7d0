"""What comes out for one spectrum: class, redshift, anomaly, and the model they were judged by."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Flag, auto

import numpy as np
from numpy.typing import NDArray


class Extra(Flag):
    """What an answer has only where it is asked for: it takes longer than all else together."""

    MODEL = auto()
    MEASUREMENT = auto()


NOTHING_EXTRA = Extra(0)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One minimum of chi2(z) for one class, best first in `Answer.candidates`."""

    spectype: str
    subtype: str
    z: float
    zerr: float
    chi2: float
    deltachi2: float  # chi2 minus the best candidate's
    probability: float  # over all candidates listed; sums to at most 1


@dataclass(frozen=True, slots=True)
class Reason:
    """One cause of an anomaly flag."""

    kind: str  # e.g. "unmodelled_emission", "unmodelled_absorption", "poor_fit", "arm_step", "sky_residual"
    origin: str  # "sky" (the object) or "instrument"
    strength: float  # in sigma
    wavelength_min: float  # vacuum angstrom, observed frame
    wavelength_max: float
    message: str  # one sentence a person can read


EXPOSURE, PLATE, FIBER = "exposure", "plate", "fiber"
GROUPS = (EXPOSURE, PLATE, FIBER)
"""What spectra may have in common, as fields of a spectrum."""


@dataclass(frozen=True, slots=True)
class SharedFault:
    """A pattern that many spectra of one exposure, plate or fibre share."""

    fault_id: str  # the same wherever it is found again
    group: str  # one of GROUPS
    name: str  # of the exposure, plate or fibre
    kind: str
    fraction: float  # of the flux, where it is strongest; of a step the jump
    strength: float  # in sigma of the means of groups without a fault
    spectra: int  # that were looked at
    sharing: int  # of these, those that show it by themselves
    wavelength_min: float  # vacuum angstrom, observed frame
    wavelength_max: float
    message: str  # one sentence a person can read


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an anomaly is judged by again once its folder or its stream has shown what is normal there."""

    strangeness: tuple[float, ...]  # by kind, in the order of `anomaly.kinds.KINDS`
    detected: str  # the kind that the detector sees most of
    causes: tuple[Reason, ...]  # every one that any group could be told, at the strength it has alone
    stretches: str = ""  # what the fit leaves along the observed frame, as of `anomaly.coarse_residual`
    scores: tuple[str, ...] = ()  # of each cause the kind of its score, () where all are told as their own

    def by_score(self) -> dict[str, Reason]:
        """Return the causes by the kinds of their scores: what a fault explains is told as the fault."""
        kinds = self.scores or tuple(cause.kind for cause in self.causes)
        return dict(zip(kinds, self.causes, strict=True))


def _nothing() -> NDArray[np.float32]:
    return np.zeros(0, np.float32)


@dataclass(frozen=True, slots=True)
class ModelSpectrum:
    """The final fit on its own grid, and the curves that class and redshift were chosen by."""

    loglam0: float  # log10(vacuum angstrom) of pixel 0
    dloglam: float
    flux: NDArray[np.float32]  # (m,) in the observation's unit
    sigma: NDArray[np.float32]  # (m,) one standard deviation of the model
    z_grids: dict[str, NDArray[np.float32]] = field(default_factory=dict)  # by spectype
    chi2_curves: dict[str, NDArray[np.float32]] = field(default_factory=dict)  # by spectype, same shapes
    denoised: NDArray[np.float32] = field(default_factory=_nothing)  # (m,) the fit and what it missed
    denoised_sigma: NDArray[np.float32] = field(default_factory=_nothing)  # (m,)
    rest_loglam0: float = 0.0  # log10(vacuum angstrom) of pixel 0 of `rest`, rest frame
    rest: NDArray[np.float32] = field(default_factory=_nothing)  # (k,) what the encoder expects, median one
    nparameters: float = 0.0  # effective number of parameters of the fit
    noise_rchi2: float = 0.0  # chi2 with the spectrum's noise alone, over pixels less parameters
    continuum: NDArray[np.float32] | None = None  # (m,) flux less the components below; as they are:
    narrow: NDArray[np.float32] | None = None  # (m,) narrow lines; None where the class has none
    broad: NDArray[np.float32] | None = None  # (m,) broad lines
    iron: NDArray[np.float32] | None = None  # (m,) blends of Fe II
    response: NDArray[np.float32] | None = None  # (m,) the smooth factor that templates have in the fit


@dataclass(frozen=True, slots=True)
class Quantity:
    """One measured number with its standard deviation; where there is none, `reason` says why."""

    value: float | None
    error: float | None
    unit: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class MeasuredLine:
    """One emission line; what could not be measured is None, and `reason` says why."""

    name: str  # as in `lines.LINES`
    component: str  # "narrow" or "broad"
    wavelength: float  # at rest, vacuum angstrom
    flux: float | None = None  # the observation's unit times angstrom
    flux_error: float | None = None
    upper_limit: float | None = None  # three standard deviations, where the line is not seen
    ew: float | None = None  # rest-frame angstrom, positive in emission
    ew_error: float | None = None
    sigma: float | None = None  # km/s, the instrument's share taken out
    sigma_error: float | None = None
    offset: float | None = None  # km/s from the redshift, positive to the red
    offset_error: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a spectrum says of its object at the decided class and redshift."""

    spectype: str
    z: float
    lines: tuple[MeasuredLine, ...]
    quantities: dict[str, Quantity]
    bpt: str | None = None  # the most probable class of a galaxy by its line ratios


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything spectraq says of one spectrum.

    Probabilities are keyed by name and sum to one over classes and over subclasses. `warnings` holds the
    lower-case names of the `schemas.ZWarn` bits that are set. Spreads are standard deviations over the
    members of the ensemble.
    """

    spectype: str
    subtype: str
    class_probability: dict[str, float]
    class_spread: dict[str, float]
    subclass_probability: dict[str, float]
    subclass_spread: dict[str, float]
    z: float
    zerr: float
    z_spread: float
    warnings: tuple[str, ...]
    chi2: float
    rchi2: float
    deltachi2: float
    robustness: float  # (chi2_2 - chi2_1) / chi2_1 of minima at least 100 pixels apart (GaSNet-III)
    npixels: int
    snr: float  # median S/N a pixel
    coeff: tuple[float, ...]
    candidates: tuple[Candidate, ...]
    anomaly_score: float
    anomaly_false_positive_rate: float
    anomaly_flagged: bool
    anomaly_reasons: tuple[Reason, ...]
    anomaly_reference: str  # name of the reference the thresholds came from, and of the group
    anomaly_judgement: str = "alone"  # or "adapted" to a group, or "outside_reference", where no rate holds
    anomaly_evidence: Evidence | None = None  # None where the group changes nothing
    anomaly_shared: tuple[str, ...] = ()  # ids of faults of its exposure, plate or fibre, judged without
    anomaly_reported: tuple[SharedFault, ...] = ()  # faults that are told with this answer and no other
    model: ModelSpectrum | None = None
    measurement: Measurement | None = None
