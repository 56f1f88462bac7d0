"""Run the page: on the topics, or on files."""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import structlog
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.errors import ReadError, SettingsError
from spectraq.workers.inference import load_ranking
from spectraq.workers.settings import Settings
from spectraq.workers.web.night.night import Night
from spectraq.workers.web.server.guard import LOOPBACK
from spectraq.workers.web.server.opening import Opening
from spectraq.workers.web.server.routes import Page, make_app
from spectraq.workers.web.server.verdicts import publisher
from spectraq.workers.web.sources.best_fits import Modelling
from spectraq.workers.web.sources.files import Reading
from spectraq.workers.web.sources.finder import Finder
from spectraq.workers.web.sources.lookup import Lookup
from spectraq.workers.web.sources.topics import Following
from spectraq.workers.web.sources.vitals import Vitals

log = structlog.get_logger(__name__)

FILE_PIXEL_BYTES = 1 << 30
"""Of files there is no topic to read pixels from again."""
GRACE_S = 2
LOADING_S = 60
REQUEST_S = 5.0
"""A request's headers have come whole within this, or the connection is closed."""


@dataclass(frozen=True)
class Listening:
    """Where the page listens, and who may look.

    Parameters
    ----------
    host, port
        Address; port 0 is a free one.
    token
        What viewers must show; made up where the address is not this machine alone and none is given.
    """

    host: str = "127.0.0.1"
    port: int = 0
    token: str | None = None

    def demanded(self) -> str | None:
        """Return the token that is demanded, if any."""
        return self.token or (None if self.host in LOOPBACK else secrets.token_urlsafe(24))


@dataclass
class Parts:
    """The page, and what runs beside it until the page ends."""

    page: Page
    threads: list[Any] = field(default_factory=list)
    close: Callable[[], None] = lambda: None
    _warming: threading.Thread | None = None

    def start(self) -> None:
        """Start the threads."""
        for thread in self.threads:
            thread.start()
        self._warming = threading.Thread(target=self.page.finder.warm, name="warming", daemon=True)
        self._warming.start()

    def stop(self) -> None:
        """Stop the threads."""
        for thread in self.threads:
            thread.stop.set()
        for thread in self.threads:
            thread.join(timeout=GRACE_S)
        if self._warming is not None:
            # A process that ends while its networks are loading is ended by their library, with SIGABRT.
            self._warming.join(timeout=LOADING_S)
        self.close()


def of_topics(settings: Settings, keep: int, with_models: bool = True) -> Parts:
    """Return the page of a stream.

    Parameters
    ----------
    keep
        Results that are kept.
    with_models
        Whether best fits that no topic carries are made here.
    """
    night = Night(keep, weights=load_ranking(settings.worker))
    lookup, vitals = Lookup(settings), Vitals(settings)
    modelling = Modelling(settings.worker) if with_models else None
    finder = Finder(night, settings, modelling, lookup)
    source = f"Kafka at {settings.kafka.bootstrap_servers}"
    page = Page(night, finder, lambda: vitals.latest, source, judge=publisher(settings))
    return Parts(page, [Following(settings, night), vitals], lookup.close)


def of_files(settings: Settings, items: Iterable[Spectrum | ReadError], keep: int) -> Parts:
    """Return the page of files."""
    night = Night(keep, FILE_PIXEL_BYTES, load_ranking(settings.worker))
    modelling = Modelling(settings.worker)
    finder = Finder(night, settings, modelling, None)
    return Parts(Page(night, finder, dict, "files"), [Reading(items, night, modelling, settings.worker)])


def of_answers(settings: Settings, night: Night) -> Parts:
    """Return the page of what has been analysed already."""
    night.trouble = ""
    finder = Finder(night, settings, Modelling(settings.worker), None)
    return Parts(Page(night, finder, dict, "files"))


def serve(parts: Parts, listening: Listening, announce: Callable[[str], None], browse: bool = False) -> None:
    """Serve the page until the process is told to end.

    Parameters
    ----------
    announce
        Called with the page's address once it answers.
    browse
        Whether to show it in the user's browser.

    Raises
    ------
    SettingsError
        Where the address can't be listened on.
    """
    token = listening.demanded()
    app, broadcast = make_app(parts.page, token)
    listener = _listener(listening)
    port = listener.getsockname()[1]
    address = f"http://{'[::1]' if listening.host == '::1' else listening.host}:{port}/"
    config = uvicorn.Config(
        app,
        http=_Connection,
        ws="none",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=GRACE_S,
        lifespan="on",
    )
    server = _Server(config, lambda: announce(address + (f"?token={token}" if token else "")))
    server.broadcast = broadcast
    opening = Opening(address, token) if browse else None
    if opening:
        threading.Timer(0.5, opening.show).start()
    parts.start()
    try:
        server.run(sockets=[listener])
    finally:
        listener.close()
        if opening:
            opening.close()
        parts.stop()


class _Connection(H11Protocol):
    """A connection that is closed where a request does not come whole: the server waits for one for ever."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_request()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._await_request()

    def _await_request(self) -> None:
        self.loop.call_later(REQUEST_S, self._give_up, self.cycle)

    def _give_up(self, before: RequestResponseCycle | None) -> None:
        if self.cycle is before and (before is None or before.response_complete):
            self.transport.close()


class _Server(uvicorn.Server):
    """Says when it answers, and lets viewers go at the end: their streams never end by themselves."""

    broadcast: Any

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = started

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig == signal.SIGTERM and not self.should_exit:
            self.should_exit = True  # told to end, not interrupted: the exit code is 0
        else:
            super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self.broadcast.close()
        await super().shutdown(sockets)


def _listener(listening: Listening) -> socket.socket:
    family = socket.AF_INET6 if ":" in listening.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((listening.host, listening.port))
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"{listening.host}:{listening.port} can't be listened on ({error.strerror});"
            " choose another --host or --port; --port 0 is a free one"
        ) from error
    return listener
