"""The tally on a terminal: a picture that is drawn anew, or lines where there is no terminal."""

from __future__ import annotations

import time
from io import StringIO
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from spectraq.schemas.results import Anomaly
from spectraq.workers.class_colours import CLASS_COLOURS
from spectraq.workers.contract.gathered_results import GatheredResults
from spectraq.workers.demonstration.tally import Tally

ANOMALIES_SHOWN = 6
LINE_EVERY_S = 2.0


class View:
    """Shows a tally while it grows."""

    def __init__(self, console: Console, tally: Tally) -> None:
        self._console = console
        self._tally = tally
        self._live = (
            Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        )
        self._last_line = 0.0

    def __enter__(self) -> Self:
        """Begin to draw."""
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""
        if self._live:
            self._live.stop()

    def anomaly(self, anomaly: Anomaly) -> None:
        """Say an anomaly where there is no picture."""
        if not self._live:
            self._console.print(_anomaly_line(anomaly))

    def update(self, sent: int) -> None:
        """Draw what is known now."""
        if self._live:
            self._live.update(picture(self._tally, sent), refresh=True)
        elif time.monotonic() - self._last_line > LINE_EVERY_S:
            self._last_line = time.monotonic()
            self._console.print(header(self._tally, sent))


def header(tally: Tally, sent: int) -> Text:
    """Return the counts in one line."""
    line = Text.assemble(
        ("spectraq", "bold"),
        f"  {tally.rate():5.1f} spectra/s   sent {sent}   answered {tally.answered}",
        f"   dead letters {tally.letters.total()}   in hand {max(sent - tally.settled, 0)}",
    )
    for spectype, colour in CLASS_COLOURS.items():
        line.append(f"   {spectype} {tally.classes[spectype]}", colour)
    line.append(f"   anomalies {len(tally.anomalies)}", "red")
    return line


def picture(tally: Tally, sent: int) -> RenderableType:
    """Return counts, the latest results and the latest anomalies, one below the other."""
    parts: list[RenderableType] = [header(tally, sent), Text(), latest(tally)]
    if tally.anomalies:
        parts += [Text(), Text("Anomalies", "bold red")]
        parts += [_anomaly_line(anomaly) for anomaly in tally.anomalies[-ANOMALIES_SHOWN:]]
    return Group(*parts)


def latest(tally: Tally) -> Table:
    """Return the latest results as a table."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("spectrum", "class", "subclass"):
        table.add_column(name, no_wrap=True, min_width=8)
    for name in ("p", "z", "±", "S/N", *(["lines"] if tally.measured else [])):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("warnings", no_wrap=True)
    for results in reversed(tally.latest):
        table.add_row(*_row(results))
    return table


def _row(results: GatheredResults) -> tuple[str | Text, ...]:
    classification, redshift = results.classification, results.redshift
    assert classification and redshift
    return (
        classification.spectrum_id,
        Text(classification.spectype, CLASS_COLOURS.get(classification.spectype, "")),
        classification.subtype,
        f"{classification.class_probability[classification.spectype]:.2f}",
        f"{redshift.z:.5f}",
        f"{redshift.zerr:.5f}",
        f"{redshift.snr:.1f}",
        *([str(len(results.measurement.seen))] if results.measurement else []),
        " ".join(redshift.zwarn_names),
    )


def _anomaly_line(anomaly: Anomaly) -> Text:
    words = anomaly.reasons[0].message if anomaly.reasons else "unlike every known kind"
    return Text.assemble(
        ("! ", "bold red"),
        (f"{anomaly.spectrum_id}  ", "bold"),
        f"{anomaly.spectype} at z {anomaly.z:.4f}: {words}",
    )


def save(path: Path, tally: Tally, sent: int) -> None:
    """Write the picture as an SVG file."""
    console = Console(record=True, width=120, file=StringIO(), force_terminal=True)
    console.print(picture(tally, sent))
    console.save_svg(str(path), title="spectraq demo")


def summary(console: Console, tally: Tally, read: int) -> None:
    """Print the last word: how much, how right, and whether every message is accounted for."""
    console.print(latest(tally))
    classes = ", ".join(f"{tally.classes[name]} {name}" for name in CLASS_COLOURS)
    rate = f"{tally.mean_rate:.0f} a second"
    console.print(
        f"\n{tally.answered} spectra, {rate}: {classes}; {len(tally.anomalies)} flagged as anomalies",
        highlight=False,
    )
    if tally.judged:
        console.print(
            f"against the known truth: class right {tally.right_class / tally.judged:.1%}, "
            f"redshift right {tally.right_z / tally.judged:.1%} of {tally.judged}",
            highlight=False,
        )
    for reason, count in tally.letters.most_common():
        console.print(f"dead letters  {reason}: {count}", highlight=False)
    balanced = tally.balanced(read)
    verdict = ("balanced", "bold green") if balanced else ("DOES NOT BALANCE", "bold red")
    ledger = f"read {read} {'=' if balanced else '!='} published {tally.answered}"
    ledger += f" + dead-lettered {tally.letters.total()}   (duplicates {tally.duplicates})   "
    console.print(Text.assemble(("ledger, counted from the topics: ", "bold"), ledger, verdict))
