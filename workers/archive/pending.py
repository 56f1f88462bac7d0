"""What was read and is not written: rows of one table, as columns already, and the offsets behind them."""

from __future__ import annotations

import time
from typing import Any

import pyarrow as pa

from spectraq.workers.archive.columns import batch_of
from spectraq.workers.archive.table import ArchiveTable, Source


class Pending:
    """Rows of one table that wait to be written.

    Parameters
    ----------
    table
        That they are written to.

    Attributes
    ----------
    rows, bytes
        How many they are, and how much memory their columns take.
    since
        When the first message came (monotonic, in s); None where none did.
    """

    def __init__(self, table: ArchiveTable) -> None:
        self.table = table
        self.drop()

    def drop(self) -> None:
        """Forget all: it is written, or read again."""
        self.rows = 0
        self.bytes = 0
        self.since: float | None = None
        self._batches: list[pa.RecordBatch] = []
        self._offsets: dict[Source, int] = {}

    def add(self, rows: list[dict[str, Any]], offsets: dict[Source, int]) -> None:
        """Take rows, and the offsets behind the messages that they are of, rows or none."""
        if not offsets:
            return
        if self.since is None:
            self.since = time.monotonic()
        self._offsets |= offsets
        if rows:
            batch = batch_of(self.table.name, rows)
            self._batches.append(batch)
            self.rows += batch.num_rows
            self.bytes += batch.nbytes

    def write(self) -> None:
        """Write them in one transaction, with the offsets.

        Raises
        ------
        DeliveryError
            As `ArchiveTable.append` does; they are kept.
        """
        if self._offsets:
            self.table.append(self._batches, self._offsets)
        self.drop()
