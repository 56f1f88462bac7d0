"""The first SIGTERM or SIGINT asks a process to finish; the second ends it."""

from __future__ import annotations

import os
import signal
import threading

EXIT_INTERRUPTED = 130


def stopped_by_signals() -> threading.Event:
    """Return an event that the first SIGTERM or SIGINT sets; the second ends the process at once."""
    stop = threading.Event()

    def handle(signum: int, frame: object) -> None:
        if stop.is_set():
            os._exit(EXIT_INTERRUPTED)  # whatever is in hand is read again by the next owner
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return stop
