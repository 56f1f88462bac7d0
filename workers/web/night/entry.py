"""One spectrum as the page knows it: three results, packed as they came, and a row to list and filter by."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from spectraq.schemas import codec
from spectraq.schemas.results import Anomaly, Classification, Redshift, Result
from spectraq.schemas.text import unprintable
from spectraq.workers.contract.gathered_results import RESULT_KINDS
from spectraq.workers.web.night.message_store import Name

DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(slots=True)
class Row:
    """What is listed of a spectrum."""

    spectrum_id: str
    digest: str  # of the pixels
    spectype: str = ""
    subtype: str = ""
    probability: float = 0.0
    z: float = 0.0
    zerr: float = 0.0
    snr: float = 0.0
    zwarn: int = 0
    warnings: tuple[str, ...] = ()
    flagged: bool = False
    score: float = 0.0
    rate: float = 1.0  # false-positive rate
    reason: str = ""
    kind: str = ""
    origin: str = ""
    strength: float = 0.0
    interval: tuple[float, float] | None = None  # vacuum angstrom
    shared: tuple[str, ...] = ()  # faults of its exposure, plate or fibre that it was judged without
    fault: str = ""  # the strongest that is told with it, if any
    fault_kind: str = ""
    fault_strength: float = 0.0
    survey: str | None = None
    target_id: str | None = None
    ra: float | None = None
    dec: float | None = None
    at: float = 0.0  # unix seconds of the newest of its results

    def take(self, result: Result) -> None:
        """Copy what is listed from one of the results."""
        self.snr, self.zwarn, self.warnings = result.snr, result.zwarn, result.zwarn_names
        self.survey, self.target_id, self.ra, self.dec = (
            result.survey,
            result.target_id,
            result.ra,
            result.dec,
        )
        match result:
            case Classification():
                self.spectype, self.subtype = result.spectype, result.subtype
                self.probability = result.class_probability.get(result.spectype, 0.0)
            case Redshift():
                self.z, self.zerr = result.z, result.zerr
            case Anomaly():
                self._take_anomaly(result)

    def _take_anomaly(self, anomaly: Anomaly) -> None:
        self.flagged, self.score, self.rate = anomaly.flagged, anomaly.score, anomaly.false_positive_rate
        self.shared, self.fault, self.fault_kind, self.fault_strength = anomaly.shared, "", "", 0.0
        if anomaly.reported:
            strongest = max(anomaly.reported, key=lambda fault: fault.strength)
            self.fault, self.fault_kind = strongest.message, strongest.kind
            self.fault_strength = strongest.strength
        if anomaly.flagged and anomaly.reasons:
            first = anomaly.reasons[0]
            self.reason, self.kind, self.origin = first.message, first.kind, first.origin
            self.strength = first.strength
            self.interval = (first.wavelength_min, first.wavelength_max)

    def as_json(self) -> dict[str, Any]:
        """Return it for the page."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class Entry:
    """The results of one spectrum that have come so far."""

    row: Row
    packed: dict[str, bytes] = field(default_factory=dict)  # framed Avro by kind
    names: dict[str, str] = field(default_factory=dict)  # result_id by kind
    counted: bool = False
    timed: bool = False  # its latency is among those counted

    @property
    def name(self) -> Name:
        """Which spectrum it is."""
        return Name(self.row.spectrum_id, self.row.digest)

    @property
    def complete(self) -> bool:
        """Whether all three have come."""
        return len(self.packed) == len(RESULT_KINDS)

    def results(self) -> dict[str, Any]:
        """Return the results by kind in JSON's types."""
        return {kind: codec.decode(body).to_json_dict() for kind, body in self.packed.items()}

    def take(self, result: Result, body: bytes, at: float) -> None:
        """Keep a result; what it says replaces what was said before."""
        self.row.take(result)
        self.row.at = max(self.row.at, at)
        self.packed[result.kind] = body
        self.names[result.kind] = result.result_id


def name_of(result: Result) -> Name:
    """Return which spectrum a result is of."""
    return Name(result.spectrum_id, result.provenance.spectrum_digest)


def is_ours(result: Result) -> bool:
    """Return whether a worker can have written it, by its id and its digest of pixels."""
    return unprintable(result.spectrum_id) is None and bool(DIGEST.fullmatch(name_of(result).digest))


def is_listed(result: object) -> bool:
    """Return whether a message is one of the three results that a row is made of."""
    return isinstance(result, RESULT_KINDS)
