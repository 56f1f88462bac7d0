"""The table that `spectraq watch` keeps on a terminal: one row a spectrum, the newest at the bottom."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from spectraq.schemas.results import Anomaly, Classification, Measurement, Result
from spectraq.schemas.text import escaped
from spectraq.workers.class_colours import CLASS_COLOURS
from spectraq.workers.cli.oddity import oddity
from spectraq.workers.contract.gathered_results import RESULT_KINDS, GatheredResults

if TYPE_CHECKING:
    from spectraq.schemas.message import Message
    from spectraq.workers.transport.messages import Record

SHOWN: tuple[type[Result], ...] = (*RESULT_KINDS, Measurement)
ROWS_KEPT = 200
"""More than any terminal is high."""
AROUND_ROWS = 4
"""Lines of the terminal that the rows can't have: the summary, the heading, and room for the prompt."""
RATE_OVER_S = 10.0


@dataclass
class Row:
    """One spectrum in the table, and when the first of its results came."""

    came: str
    results: GatheredResults = field(default_factory=GatheredResults)

    def cells(self, spectrum_id: str) -> tuple[Text, ...]:
        """Return the cells of the table."""
        classification, redshift = self.results.classification, self.results.redshift
        spectype = classification.spectype if classification else ""
        probability = classification.class_probability.get(spectype, float("nan")) if classification else None
        return (
            Text(self.came, style="dim"),
            Text(escaped(spectrum_id)),
            Text(escaped(spectype), style=CLASS_COLOURS.get(spectype, "")),
            Text(escaped(classification.subtype) if classification else ""),
            Text("" if probability is None else f"{probability:.2f}"),
            Text(f"{redshift.z:.5f}" if redshift else ""),
            Text(f"{redshift.zerr:.5f}" if redshift else ""),
            Text(str(len(self.results.measurement.seen)) if self.results.measurement else ""),
            self._remark(),
        )

    def _remark(self) -> Text:
        anomaly, redshift = self.results.anomaly, self.results.redshift
        if anomaly is not None and anomaly.flagged:
            reasons = "; ".join(reason.message for reason in anomaly.reasons) or "anomaly"
            return Text(escaped(f"{oddity(anomaly)}: {reasons}"), style="bold red")
        warnings = redshift.zwarn_names if redshift else ()
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
        if not isinstance(message, SHOWN):
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
        row.results.take(message)
        if len(self._rows) > ROWS_KEPT:
            self._rows.popitem(last=False)

    def summary(self) -> str:
        """Return in one line how much has come."""
        start = time.monotonic() - RATE_OVER_S
        while self._arrivals and self._arrivals[0] < start:
            self._arrivals.popleft()
        parts = [f"{len(self._arrivals) / RATE_OVER_S:.1f} spectra/s"]
        parts += [f"{spectype} {self._counts[spectype]}" for spectype in CLASS_COLOURS]
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
        for name in ("p", "z", "± zerr", "lines"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("warnings, anomalies", no_wrap=True, overflow="ellipsis", ratio=1)
        fits = max(1, console.height - AROUND_ROWS)
        for spectrum_id, row in list(self._rows.items())[-fits:]:
            table.add_row(*row.cells(spectrum_id))
        yield Text(self.summary(), style="bold")
        yield table
