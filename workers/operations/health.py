"""/livez, /readyz and /metrics over HTTP, for whoever runs the pods."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

import structlog
from prometheus_client import CONTENT_TYPE_LATEST

from spectraq.schemas.text import escaped
from spectraq.workers.errors import SettingsError
from spectraq.workers.operations.masking import masked
from spectraq.workers.settings import WorkerSettings

ALIVE_S = 30.0
"""Longer than any one call in the loop may take; the watchdog ends a stuck process before."""

SILENT_S = 10.0
"""A client that begins a request and says no more is let go after this."""

log = structlog.get_logger(__name__)


class Gauge(Protocol):
    """A number that is shown."""

    def set(self, value: float) -> None:
        """Show another one."""


class Shown(Protocol):
    """Metrics of a process, of which it says itself whether it is ready."""

    @property
    def ready(self) -> Gauge:
        """1 while it is."""

    def text(self) -> bytes:
        """All of them in Prometheus's text format."""


class Health:
    """What the worker says of itself; the loop writes, the server reads."""

    def __init__(self, metrics: Shown) -> None:
        self.metrics = metrics
        self._lock = threading.Lock()
        self._turned = time.monotonic()
        self._troubles = {"worker": "starting"}
        self._notices: dict[str, str] = {}

    def turned(self) -> None:
        """The loop has begun another turn."""
        with self._lock:
            self._turned = time.monotonic()

    def trouble(self, source: str, what: str) -> None:
        """What keeps `source` from working; an empty string when nothing does."""
        with self._lock:
            if what:
                self._troubles[source] = escaped(masked(what))
            else:
                self._troubles.pop(source, None)
            ready = not self._troubles
        self.metrics.ready.set(ready)

    def notice(self, source: str, what: str) -> None:
        """What is wrong beside this worker, which works all the same; an empty string when nothing is."""
        with self._lock:
            self._notices[source] = what

    def alive(self) -> tuple[bool, str]:
        """Return whether the loop turns, and a sentence on it."""
        with self._lock:
            silent = time.monotonic() - self._turned
        return silent < ALIVE_S, f"the loop turned {silent:.1f} s ago"

    def readiness(self) -> tuple[bool, str]:
        """Return whether results flow, and a sentence on it."""
        with self._lock:
            troubles = [f"{source}: {what}" for source, what in self._troubles.items()]
            notices = [f"{source}: {what}" for source, what in self._notices.items() if what]
        return not troubles, "; ".join([*(troubles or ["reading and publishing"]), *notices])


class HealthServer:
    """The HTTP server of one worker.

    Raises
    ------
    SettingsError
        Where the port is taken.
    """

    def __init__(self, health: Health, settings: WorkerSettings) -> None:
        handler = type("Handler", (_Handler,), {"health": health})
        try:
            self._server = ThreadingHTTPServer((settings.health_host, settings.health_port), handler)
        except OSError as error:
            raise SettingsError(
                f"worker.health_port: {settings.health_host}:{settings.health_port} can't be listened on"
                f" ({error.strerror}); choose another, or 0 for a free one"
            ) from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> HealthServer:
        """Begin to answer."""
        self._thread.start()
        log.info("health_listens", url=self.url)
        return self

    def stop(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def served_health(metrics: Shown, settings: WorkerSettings) -> Iterator[Health]:
    """Give the health of a process with these metrics, which is told over HTTP until the block ends.

    Raises
    ------
    SettingsError
        Where the port is taken.
    """
    health = Health(metrics)
    server = HealthServer(health, settings).start()
    try:
        yield health
    finally:
        server.stop()


class _Handler(BaseHTTPRequestHandler):
    health: Health
    timeout = SILENT_S

    def do_GET(self) -> None:
        if self.path == "/livez":
            self._say(*self.health.alive())
        elif self.path == "/readyz":
            self._say(*self.health.readiness())
        elif self.path == "/metrics":
            self._send(200, self.health.metrics.text(), CONTENT_TYPE_LATEST)
        else:
            self._send(404, b"try /livez, /readyz or /metrics\n", "text/plain")

    def log_message(self, format: str, *args: Any) -> None:
        """Probes come every few seconds and are no news."""

    def _say(self, good: bool, sentence: str) -> None:
        self._send(200 if good else 503, f"{sentence}\n".encode(), "text/plain; charset=utf-8")

    def _send(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
