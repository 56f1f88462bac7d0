"""A wire between clients and a broker that can be cut, slowed down and silenced; and a broker behind one."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path

from spectraq.workers.local import kafka as local
from spectraq.workers.local.jars import Distribution
from spectraq.workers.local.ports import free_port

LISTENERS = """
listeners=PLAINTEXT://127.0.0.1:{port},WIRED://127.0.0.1:{wired},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},WIRED://127.0.0.1:{wire}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,WIRED:PLAINTEXT,CONTROLLER:PLAINTEXT
"""


def said_again(properties: str, again: str) -> str:
    """A broker's settings, with some of them said anew."""
    names = {line.partition("=")[0] for line in again.splitlines() if "=" in line}
    kept = [line for line in properties.splitlines() if line.partition("=")[0] not in names]
    return "\n".join(kept) + again


class Wire:
    """Takes connections on a port of its own and passes bytes on to another."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._open.set()
        self.delay_s = 0.0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> int:
        """Break every connection that there is; gives how many ends there were."""
        with self._lock:
            ends, self._ends = self._ends, set()
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        return len(ends)

    def silence(self, silent: bool) -> None:
        """Let nothing through, and say nothing, as a switch does that lost its power."""
        (self._open.clear if silent else self._open.set)()

    def close(self) -> None:
        """Take no more connections and break those that there are."""
        self._listener.close()
        self._open.set()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
                there = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                if self._listener.fileno() == -1:
                    return
                here.close()
                continue
            with self._lock:
                self._ends |= {here, there}
            for source, sink in ((here, there), (there, here)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(1 << 16):
                time.sleep(self.delay_s)
                self._open.wait()
                sink.sendall(chunk)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._ends -= {source, sink}
        source.close()


class WiredKafka(local.Kafka):
    """A broker with a second door, behind a wire that a test may break."""

    def __init__(self, distribution: Distribution, folder: Path) -> None:
        super().__init__(distribution, folder)
        self._wired = free_port()
        self.wire = Wire(self._wired)

    @property
    def wired_servers(self) -> str:
        """Address for clients at the far end of the wire."""
        return f"127.0.0.1:{self.wire.port}"

    def properties(self, values: dict[str, object]) -> str:
        """The settings of a local broker, with two doors."""
        again = LISTENERS.format(**values, wired=self._wired, wire=self.wire.port)
        return said_again(super().properties(values), again)

    def stop(self) -> None:
        """End the broker and the wire."""
        super().stop()
        self.wire.close()
