"""The list of what deserves a look most, of all that is flagged."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.text import Text

from spectraq.schemas.text import escaped
from spectraq.workers.cli.oddity import oddity

if TYPE_CHECKING:
    from rich.console import Console

    from spectraq.models.ranking import FlaggedSpectrum, VerdictWeights
    from spectraq.workers.files.analyze_files import Answered

OUTSIDE = "outside_reference"


class Strangest:
    """Keeps what is flagged, and lists it in the order of its interest.

    Parameters
    ----------
    most
        How many are listed.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._flagged: list[tuple[FlaggedSpectrum, str]] = []
        self._outside = 0

    def take(self, answered: Answered) -> None:
        """Keep a spectrum that is flagged, and what is told with it of others that share a fault."""
        from spectraq.models.ranking import INSTRUMENT, FlaggedSpectrum
        from spectraq.workers.anomaly_verdicts import flagged_spectrum

        anomaly = answered.results.anomaly
        for fault in anomaly.reported:
            shared = FlaggedSpectrum(fault.kind, INSTRUMENT, fault.strength, anomaly.snr, anomaly.survey)
            self._flagged.append((shared, fault.message))
        self._outside += anomaly.judgement == OUTSIDE
        if flagged := flagged_spectrum(anomaly):
            what = f"{anomaly.spectype} z {anomaly.z:.4f}, S/N {anomaly.snr:.1f}, {oddity(anomaly)}"
            self._flagged.append((flagged, f"{anomaly.spectrum_id}  {what}: {anomaly.reasons[0].message}"))

    def show(self, weights: VerdictWeights, console: Console) -> None:
        """Print one line each, the most interesting first; what no rate is known of is only counted."""
        from spectraq.models.ranking import interest

        kinds = Counter(flagged.kind for flagged, _ in self._flagged)
        ordered = sorted(self._flagged, key=lambda pair: -interest(pair[0], kinds, weights))
        console.print(Text(f"the strangest of {len(ordered)} flagged:", style="bold"))
        for place, (_, line) in enumerate(ordered[: self._most], 1):
            console.print(Text(f"{place:3d}  {escaped(line)}"))
        if self._outside:
            console.print(
                Text(f"{self._outside} outside the reference have no rate, and no place in the list")
            )
