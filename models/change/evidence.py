"""All that is measured of a pair before anything is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spectraq.models.anomaly.supernovae import Supernovae
from spectraq.models.change import light
from spectraq.models.change.absorption import NOTHING as NO_TROUGH
from spectraq.models.change.absorption import Trough, trough_change
from spectraq.models.change.broad_lines import BroadChange, broad_change
from spectraq.models.change.epoch import Epoch
from spectraq.models.change.identity import Likeness, likeness, preferred
from spectraq.models.change.light import AddedLight, KnownSupernova
from spectraq.models.change.narrow_lines import NarrowChange, narrow_change
from spectraq.models.change.pair import Pair, paired
from spectraq.models.change.response import Calibration
from spectraq.models.change.velocity import Shift, shift
from spectraq.models.classes import SAME_Z

TESTS = ("narrow_line", "broad_line", "velocity", "supernova", "continuum", "absorption", "likeness")
VELOCITY_FLOOR_KM_S = {"STAR": 5.5, "GALAXY": 5.5, "QSO": 14.0}
"""What wavelength calibrations of one object differ by, and of quasars their lines' profiles."""
LIGHT_FLOOR = {"STAR": 0.05, "GALAXY": 0.03, "QSO": 0.05}
"""Of the flux: what templates of added light are not told from responses by."""
SEPARATE_KM_S = 500.0
"""Beyond, a shift is a matter of redshifts and identities."""


@dataclass(frozen=True, slots=True)
class PairEvidence:
    """What was measured of one pair."""

    pair: Pair
    spectype: str
    z: float
    narrow: NarrowChange
    broad: BroadChange
    shift: Shift
    supernova: AddedLight
    continuum: AddedLight
    trough: Trough
    likeness: Likeness

    def strengths(self) -> dict[str, float]:
        """Return each test's statistic by name, signed; zero where it was not made."""
        alike = self.likeness
        return {
            "narrow_line": self.narrow.strength,
            "broad_line": self.broad.strength,
            "velocity": self.shift.km_s / self.velocity_error,
            "supernova": _floored(self.supernova, self.spectype),
            "continuum": _floored(self.continuum, self.spectype),
            "absorption": self.trough.strength,
            "likeness": max(1 - alike.value, 0.0) / alike.error if alike.seen else 0.0,
        }

    @property
    def velocity_error(self) -> float:
        """One standard deviation of the shift, calibrations included, km/s."""
        return float((self.shift.error_km_s**2 + VELOCITY_FLOOR_KM_S[self.spectype] ** 2) ** 0.5)


def _believed(earlier: Epoch, newer: Epoch, calibration: Calibration) -> Epoch:
    """Return the spectrum whose class and redshift are the object's.

    Where the two answers differ it is the one whose model explains both spectra better: a galaxy with a
    bright supernova may be taken for anything.
    """
    same_z = abs(newer.z - earlier.z) / (1 + earlier.z) < SAME_Z[earlier.spectype]
    if newer.spectype == earlier.spectype and same_z:
        return newer if newer.snr >= earlier.snr else earlier
    return newer if preferred(paired(earlier, newer, calibration)) > 0 else earlier


def _floored(found: AddedLight, spectype: str) -> float:
    if found.strength == 0:
        return 0.0
    error = found.fraction / found.strength
    return found.fraction / float((error**2 + LIGHT_FLOOR[spectype] ** 2) ** 0.5)


def measured(
    earlier: Epoch,
    newer: Epoch,
    calibration: Calibration,
    shapes: Supernovae,
    known: Sequence[KnownSupernova],
) -> PairEvidence:
    """Measure a pair.

    Parameters
    ----------
    calibration
        How much their flux calibrations may differ.
    shapes, known
        Eigenspectra of supernovae, and the observed ones as sums of these.

    Raises
    ------
    IncomparableError
        Where they share too few wavelengths.
    """
    object_ = _believed(earlier, newer, calibration)
    # A quasar's continuum varies beside lines that do not: without it they would all seem to change.
    free = light.power_law() if object_.spectype == "QSO" else None
    pair = paired(earlier, newer, calibration, free)
    moved = shift(earlier, newer, pair, calibration, free)
    # A moved object's lines would all seem to come and go.
    settled = moved.pair
    spectype, z = object_.spectype, object_.z
    galaxy, quasar = spectype == "GALAXY", spectype == "QSO"
    return PairEvidence(
        pair=settled,
        spectype=spectype,
        z=z,
        narrow=narrow_change(settled),
        broad=broad_change(settled, spectype, z),
        shift=moved,
        supernova=light.supernova_light(settled, z, shapes, known) if galaxy else light.NOTHING,
        continuum=light.blue_light(settled, z) if galaxy else light.continuum(settled),
        trough=trough_change(settled, z) if quasar else NO_TROUGH,
        likeness=likeness(settled),
    )
