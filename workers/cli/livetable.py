"""The table that `spectraq watch` keeps on a terminal: one row a spectrum, the newest at the bottom."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from spectraq.schemas.results import Anomaly, Classification, Redshift
from spectraq.schemas.text import escaped
from spectraq.workers.cli.oddity import oddity
from spectraq.workers.cli.resultlines import CLASS_STYLES

if TYPE_CHECKING:
    from spectraq.schemas.message import Message
    from spectraq.workers.transport.messages import Record

ROWS_KEPT = 200
"""More than any terminal is high."""
AROUND_ROWS = 4
"""Lines of the terminal that the rows can't have: the summary, the heading, and room for the prompt."""
RATE_OVER_S = 10.0


@dataclass
class Row:
    """What has come of one spectrum so far; its results come on three topics, in any order."""

    came: str
    classification: Classification | None = None
    redshift: Redshift | None = None
    anomaly: Anomaly | None = None

    def cells(self, spectrum_id: str) -> tuple[Text, ...]:
        """Return the cells of the table."""
        kind, redshift = self.classification, self.redshift
        spectype = kind.spectype if kind else ""
        probability = f"{kind.class_probability.get(spectype, float('nan')):.2f}" if kind else ""
        return (
            Text(self.came, style="dim"),
            Text(escaped(spectrum_id)),
            Text(escaped(spectype), style=CLASS_STYLES.get(spectype, "")),
            Text(escaped(kind.subtype) if kind else ""),
            Text(probability),
            Text(f"{redshift.z:.5f}" if redshift else ""),
            Text(f"{redshift.zerr:.5f}" if redshift else ""),
            self._remark(),
        )

    def _remark(self) -> Text:
        if self.anomaly is not None and self.anomaly.flagged:
            reasons = "; ".join(reason.message for reason in self.anomaly.reasons) or "anomaly"
            return Text(escaped(f"{oddity(self.anomaly)}: {reasons}"), style="bold red")
        warnings = self.redshift.zwarn_names if self.redshift else ()
        return Text(escaped(" ".join(warnings)), style="yellow")


class LiveTable:
    """The last spectra and what there was of them, drawn as high as the terminal is.

    Parameters
    ----------
    flagged_only
        Whether only flagged spectra get a row.
    """

    def __init__(self, flagged_only: bool = False) -> None:
        self._flagged_only = flagged_only
        self._rows: OrderedDict[str, Row] = OrderedDict()
        self._arrivals: deque[float] = deque()
        self._counts: Counter[str] = Counter()
        self._unreadable = 0

    def take(self, record: Record, message: Message | str) -> None:
        """Put a message into its row."""
        if not isinstance(message, (Classification, Redshift, Anomaly)):
            self._unreadable += 1
            return
        if isinstance(message, Classification):
            self._counts[message.spectype] += 1
        if isinstance(message, Anomaly):
            self._counts["flagged"] += message.flagged
            self._arrivals.append(time.monotonic())
        if self._flagged_only and not (isinstance(message, Anomaly) and message.flagged):
            return
        came = datetime.fromtimestamp(record.timestamp_ms / 1000).strftime("%H:%M:%S")
        row = self._rows.setdefault(message.spectrum_id, Row(came))
        setattr(row, message.kind, message)
        if len(self._rows) > ROWS_KEPT:
            self._rows.popitem(last=False)

    def summary(self) -> str:
        """Say in one line how much has come."""
        start = time.monotonic() - RATE_OVER_S
        while self._arrivals and self._arrivals[0] < start:
            self._arrivals.popleft()
        parts = [f"{len(self._arrivals) / RATE_OVER_S:.1f} spectra/s"]
        parts += [f"{spectype} {self._counts[spectype]}" for spectype in CLASS_STYLES]
        parts.append(f"flagged {self._counts['flagged']}")
        if self._unreadable:
            parts.append(f"unreadable {self._unreadable}")
        return "   ".join(parts)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw what fits."""
        table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
        table.add_column("time", no_wrap=True)
        table.add_column("spectrum", no_wrap=True, min_width=16)
        table.add_column("class", no_wrap=True, min_width=6)
        table.add_column("subclass", no_wrap=True)
        for name in ("p", "z", "± zerr"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("warnings, anomalies", no_wrap=True, overflow="ellipsis", ratio=1)
        fits = max(1, console.height - AROUND_ROWS)
        for spectrum_id, row in list(self._rows.items())[-fits:]:
            table.add_row(*row.cells(spectrum_id))
        yield Text(self.summary(), style="bold")
        yield table
