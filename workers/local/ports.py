"""Ports on the loopback interface."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spectraq.workers.errors import StackError
from spectraq.workers.local.child import Child

POLL_S = 0.03


@contextmanager
def choosing() -> Iterator[None]:
    """Let one stack of this user choose ports and take them at a time: a free port is free for everybody."""
    path = Path(tempfile.gettempdir()) / f"spectraq-ports-{os.getuid()}.lock"
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def free_port(preferred: int = 0) -> int:
    """Return `preferred` when nobody listens there, else any free port."""
    for port in (preferred, 0) if preferred else (0,):
        with socket.socket() as probe:
            # As the servers do it: connections of an ended one, waiting to be forgotten, are no hindrance.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise StackError("no free port on 127.0.0.1")


def require_free(port: int, name: str) -> None:
    """See to it that nobody else listens where a server is about to.

    Raises
    ------
    StackError
        Where somebody does: clients would talk to them.
    """
    if free_port(port) != port:
        raise StackError(
            f"port {port} on 127.0.0.1, which {name} had, was taken by another program: end that, or start"
            " anew"
        )


def wait_for(child: Child, port: int, timeout_s: float) -> None:
    """Wait until the child listens on a port.

    Raises
    ------
    StackError
        When it ends before, or takes longer.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        child.require_running()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(POLL_S)
        else:
            return
    raise StackError(f"{child.name} did not listen on port {port} within {timeout_s:.0f} s:\n{child.tail()}")
