"""One line a spectrum for people: what it is, how far, how sure, and what is odd about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from spectraq.schemas.text import escaped
from spectraq.workers.class_colours import CLASS_COLOURS
from spectraq.workers.cli.oddity import oddity
from spectraq.workers.cli.terminal import stdout

if TYPE_CHECKING:
    from spectraq.workers.files.analyze_files import Answered

# Fixed widths, as lines are printed while later spectra are still being read.
WIDTHS = {"spectrum": -25, "class": -6, "subtype": -12, "p": 4, "z": 9, "± zerr": 9, "S/N": 5}


def heading() -> None:
    """Print the names of the columns."""
    cells = [_cell(name, width) for name, width in WIDTHS.items()]
    stdout.print(Text("  ".join([*cells, "warnings, anomalies"]), style="bold"))


def line(answered: Answered) -> None:
    """Print one spectrum's results."""
    classification, redshift = answered.results.classification, answered.results.redshift
    anomaly, spectype = answered.results.anomaly, classification.spectype
    values = (
        escaped(answered.subject.spectrum_id),
        escaped(spectype),
        escaped(classification.subtype),
        f"{classification.class_probability.get(spectype, 0.0):.2f}",
        f"{redshift.z:.6f}",
        f"{redshift.zerr:.6f}" if redshift.zerr < 100 else f"{redshift.zerr:.0e}",
        f"{redshift.snr:.1f}",
    )
    text = Text("  ").join(Text(_cell(v, w)) for v, w in zip(values, WIDTHS.values(), strict=True))
    text.highlight_words([spectype], CLASS_COLOURS.get(spectype, ""))
    if redshift.zwarn_names:
        text.append("  " + escaped(" ".join(redshift.zwarn_names)), style="yellow")
    if anomaly.flagged:
        why = anomaly.reasons[0].message if anomaly.reasons else "anomaly"
        text.append(f"  {oddity(anomaly)}: {escaped(why)}", style="bold red")
    stdout.print(text)


def _cell(value: str, width: int) -> str:
    return value.ljust(-width) if width < 0 else value.rjust(width)
