"""The messages that go out: one of each kind for every spectrum."""

from __future__ import annotations

import json
import uuid
from typing import Annotated, ClassVar

from pydantic import Field

from spectraq.schemas.message import Message, Part
from spectraq.schemas.pixels import NO_PIXELS, Float32Pixels

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:spectraq:result")
_compact = json.JSONEncoder(separators=(",", ":"))


def result_id(
    kind: str, spectrum_id: str, spectrum_digest: str, ensemble_digest: str, ensemble_version: str
) -> str:
    """Name a result by what it was made from, so that the same work gives the same name.

    Parameters
    ----------
    kind
        "classification", "redshift", "anomaly", "model_spectrum" or "measurement" (`Result.kind`).

    Returns
    -------
    str
        A UUID of version 5 over the JSON array of the five arguments.
    """
    parts = [kind, spectrum_id, spectrum_digest, ensemble_digest, ensemble_version]
    return str(uuid.uuid5(_NAMESPACE, _compact.encode(parts)))


def fault_id(survey: str | None, group: str, name: str, kind: str) -> str:
    """Name a fault that spectra of a group share, so that whoever finds it gives it the same name.

    Parameters
    ----------
    group
        "exposure", "plate" or "fiber".
    name
        Of the group.
    kind
        Of the fault.

    Returns
    -------
    str
        A UUID of version 5 over the JSON array of "shared_fault" and the four arguments.
    """
    parts = ["shared_fault", (survey or "").lower(), group, name, kind]
    return str(uuid.uuid5(_NAMESPACE, _compact.encode(parts)))


class Provenance(Part):
    """What a result was made from."""

    spectrum_digest: str  # sha256 in hex of the pixels
    ensemble_digest: str  # of all weights and constants
    ensemble_version: str


class Result(Message):
    """What all results have: whose they are, and enough of the spectrum to filter without a join."""

    kind: ClassVar[str]

    result_id: str
    spectrum_id: str
    provenance: Provenance
    survey: str | None = None
    target_id: str | None = None
    ra: float | None = None  # deg, ICRS
    dec: float | None = None  # deg, ICRS
    mjd: float | None = None  # day, UTC
    snr: float  # median S/N a pixel
    zwarn: int  # bits of ZWarn
    zwarn_names: tuple[str, ...]  # the same bits by name


class Classification(Result):
    """What the object is: calibrated probabilities, and how far the networks differ on them."""

    kind: ClassVar[str] = "classification"

    spectype: str
    subtype: str
    class_probability: dict[str, float]  # sums to one
    class_spread: dict[str, float]  # standard deviation over the ensemble
    subclass_probability: dict[str, float]
    subclass_spread: dict[str, float]


class Candidate(Part):
    """One minimum of chi2(z) of one class."""

    spectype: str
    subtype: str
    z: float
    zerr: float
    chi2: float
    deltachi2: float  # chi2 minus the best candidate's
    probability: float


class Redshift(Result):
    """How fast it recedes: the best redshift, its error, and the other candidates."""

    kind: ClassVar[str] = "redshift"

    spectype: str
    subtype: str
    z: float
    zerr: float  # one standard deviation
    z_spread: float  # standard deviation over the ensemble
    chi2: float
    rchi2: float
    deltachi2: float
    npixels: int
    robustness: float
    coeff: tuple[float, ...]
    candidates: tuple[Candidate, ...]  # best first


class Reason(Part):
    """One cause of an anomaly flag."""

    kind: str
    origin: str  # "sky" or "instrument"
    strength: float  # in standard deviations
    wavelength_min: float  # vacuum angstrom, observed
    wavelength_max: float  # vacuum angstrom, observed
    message: str


class SharedFault(Part):
    """A pattern that many spectra of one exposure, plate or fibre share."""

    fault_id: str  # a UUID, as of `fault_id`
    group: str  # "exposure", "plate" or "fiber"
    name: str  # of the exposure, plate or fibre
    kind: str
    fraction: float  # of the flux, where it is strongest; of a step the jump
    strength: float  # in standard deviations of the means of groups without a fault
    spectra: int  # that were looked at
    sharing: int  # of these, those that show it by themselves
    wavelength_min: float  # vacuum angstrom, observed
    wavelength_max: float  # vacuum angstrom, observed
    message: str


class Anomaly(Result):
    """How unlike everything known it is; one for every spectrum, flagged or not."""

    kind: ClassVar[str] = "anomaly"

    spectype: str
    z: float
    score: float
    false_positive_rate: float
    flagged: bool
    reasons: tuple[Reason, ...]
    reference: str
    judgement: str = ""  # "alone", "adapted" or "outside_reference"; "" in what version 1.0 wrote
    shared: tuple[str, ...] = ()  # faults of its exposure, plate or fibre that it was judged without
    reported: tuple[SharedFault, ...] = ()  # faults that are told here and in no other Anomaly


class Chi2Curve(Part):
    """chi2(z) of one class."""

    spectype: str
    z: Float32Pixels  # (k,)
    chi2: Float32Pixels  # (k,)


class ModelSpectrum(Result):
    """The final fit on its own grid, and the curves that class and redshift were chosen by."""

    kind: ClassVar[str] = "model_spectrum"

    spectype: str
    subtype: str
    z: float
    loglam0: float  # log10(vacuum angstrom) of pixel 0
    dloglam: Annotated[float, Field(gt=0)]  # log10(angstrom) a pixel
    flux: Float32Pixels  # (m,) in flux_unit
    sigma: Float32Pixels  # (m,) in flux_unit, one standard deviation of the model
    flux_unit: str = ""
    curves: tuple[Chi2Curve, ...] = ()
    denoised: Float32Pixels = NO_PIXELS  # (m,) in flux_unit: the fit, and what of the rest is signal
    denoised_sigma: Float32Pixels = NO_PIXELS  # (m,) in flux_unit
    rest_loglam0: float = 0.0  # log10(vacuum angstrom) of pixel 0 of `rest`, rest frame
    rest: Float32Pixels = NO_PIXELS  # (k,) what the encoder expects of the object, median one
    nparameters: float = 0.0  # effective number of parameters of the fit
    noise_rchi2: float = 0.0  # chi2 with the spectrum's noise alone, over pixels less parameters
    continuum: Float32Pixels | None = None  # (m,) in flux_unit: flux less the three components below
    narrow: Float32Pixels | None = None  # (m,) in flux_unit: narrow lines; None of stars
    broad: Float32Pixels | None = None  # (m,) in flux_unit: broad lines; None where there are none
    iron: Float32Pixels | None = None  # (m,) in flux_unit: blends of Fe II; None but of quasars
    response: Float32Pixels | None = None  # (m,) the smooth factor that templates have in the fit


class Quantity(Part):
    """One measured number; where there is none, the reason says why."""

    name: str
    value: float | None = None
    error: float | None = None  # one standard deviation
    unit: str = ""
    reason: str | None = None


class MeasuredLine(Part):
    """One emission line; what could not be measured is None, and the reason says why."""

    name: str
    component: str  # "narrow" or "broad"
    wavelength: float  # vacuum angstrom, at rest
    flux: float | None = None  # flux_unit * angstrom
    flux_error: float | None = None  # flux_unit * angstrom
    upper_limit: float | None = None  # flux_unit * angstrom, three standard deviations, where it is not seen
    ew: float | None = None  # angstrom, at rest, positive in emission
    ew_error: float | None = None  # angstrom
    sigma: float | None = None  # km/s, the instrument's share taken out
    sigma_error: float | None = None  # km/s
    offset: float | None = None  # km/s from the redshift, positive to the red
    offset_error: float | None = None  # km/s
    reason: str | None = None


class Measurement(Result):
    """What the spectrum says of the object at the best class and redshift: lines, and what follows."""

    kind: ClassVar[str] = "measurement"

    spectype: str
    subtype: str
    z: float
    flux_unit: str = ""
    lines: tuple[MeasuredLine, ...] = ()
    quantities: tuple[Quantity, ...] = ()
    bpt: str | None = None

    @property
    def seen(self) -> tuple[MeasuredLine, ...]:
        """The lines that have a flux and no mere upper limit."""
        return tuple(line for line in self.lines if line.flux is not None and line.upper_limit is None)

    def quantity(self, name: str) -> Quantity | None:
        """Return the quantity of a name."""
        return next((quantity for quantity in self.quantities if quantity.name == name), None)

    def line(self, name: str, component: str = "narrow") -> MeasuredLine | None:
        """Return the line of a name and component."""
        rows = (line for line in self.lines if (line.name, line.component) == (name, component))
        return next(rows, None)
