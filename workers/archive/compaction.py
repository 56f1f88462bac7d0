"""Small files are made large ones, beside the stream."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence

import structlog

from spectraq.workers.archive.table import ArchiveTable, RefusedError
from spectraq.workers.archive_settings import ArchiveSettings
from spectraq.workers.errors import SpectraqError

LEAVING_S = 5.0

log = structlog.get_logger(__name__)


def compact(
    tables: Sequence[str], url: str, settings: ArchiveSettings, storage: Mapping[str, str]
) -> Iterator[tuple[str, dict[str, int]]]:
    """Compact tables, one after the other, and yield what was done to each.

    Where another sink does the same, one of the two leaves it.

    Raises
    ------
    SpectraqError
        Where one could not be compacted.
    """
    for name in tables:
        begun = time.monotonic()
        try:
            done = ArchiveTable(url, name, settings.partition_by, storage).compact(settings.file_bytes)
        except RefusedError as error:
            log.info("compaction_refused", table=name, error=str(error))
            continue
        log.info("compacted", table=name, seconds=round(time.monotonic() - begun, 3), **done)
        yield name, done


class Compaction:
    """Compacts from time to time, in a thread of its own.

    Parameters
    ----------
    tables, url, settings, storage
        As of `compact`.
    """

    def __init__(
        self, tables: Sequence[str], url: str, settings: ArchiveSettings, storage: Mapping[str, str]
    ) -> None:
        self._arguments = (tables, url, settings, storage)
        self._every_s = settings.compact_s
        self._last = time.monotonic()
        self._thread: threading.Thread | None = None

    def begin_where_due(self) -> None:
        """Begin, where it is time and none is under way."""
        is_busy = self._thread is not None and self._thread.is_alive()
        if not self._every_s or is_busy or time.monotonic() - self._last < self._every_s:
            return
        self._last = time.monotonic()
        self._thread = threading.Thread(target=self._compact, name="compaction", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Wait a moment for what is under way; what it has not committed by then never was."""
        if self._thread is not None:
            self._thread.join(LEAVING_S)

    def _compact(self) -> None:
        try:
            for _ in compact(*self._arguments):
                pass
        except SpectraqError as error:
            log.warning("compaction_failed", error=str(error))
