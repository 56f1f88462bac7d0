"""What the page's server answers: the page, frames of the stream, lists, and single spectra."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from starlette.responses import FileResponse, Response, StreamingResponse

from spectraq.schemas.verdict import Verdict
from spectraq.workers.errors import SpectraqError
from spectraq.workers.web.night.entry import Entry
from spectraq.workers.web.night.filters import Filters
from spectraq.workers.web.night.message_store import Name
from spectraq.workers.web.night.night import Night
from spectraq.workers.web.night.spectrum_json import entry_json, pixels_json, small_json
from spectraq.workers.web.server import constants_module
from spectraq.workers.web.server.broadcast import Broadcast, as_json
from spectraq.workers.web.server.guard import ALIVE, Guard
from spectraq.workers.web.server.verdicts import NotSaidError, Said
from spectraq.workers.web.sources.finder import Finder

STATIC = Path(str(files("spectraq.workers.web") / "static"))
SpectrumId = Annotated[str, Query(alias="id", min_length=1, max_length=200)]
Digest = Annotated[str, Query(max_length=64)]
"""Of the pixels that are meant; where it is empty, those that were answered last."""


@dataclass
class Page:
    """What the page is made of.

    Parameters
    ----------
    night
        The results.
    finder
        Pixels, fits and measurements.
    vitals
        Returns lag, workers and cache; an empty dict where there are none.
    source
        Where it all comes from, in words.
    judge
        Publishes a verdict; None where there is nowhere to publish it.
    """

    night: Night
    finder: Finder
    vitals: Callable[[], dict[str, Any]]
    source: str
    judge: Callable[[Verdict], None] | None = None

    def name(self, spectrum_id: str, digest: str) -> Name:
        """Return which spectrum is meant."""
        newest = None if digest else self.night.newest(spectrum_id)
        return newest or Name(spectrum_id, digest)

    def frame(self) -> dict[str, Any]:
        """Return the whole picture of the stream view."""
        return self.night.as_json() | self.vitals() | {"source": self.source}


def make_app(page: Page, token: str | None) -> tuple[FastAPI, Broadcast]:
    """Return the server's application, and what sends its frames."""
    broadcast = Broadcast(page.frame)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        frames = asyncio.create_task(broadcast.run())
        yield
        frames.cancel()
        with suppress(asyncio.CancelledError):
            await frames

    app = FastAPI(lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    _constants_route(app)  # before the folder, whose files it stands among
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    _stream_routes(app, page, broadcast)
    _spectrum_routes(app, page)
    _fit_routes(app, page)
    _verdict_routes(app, page)
    app.add_exception_handler(RequestValidationError, _refused)
    app.add_middleware(Guard, token=token)
    return app, broadcast


def _constants_route(app: FastAPI) -> None:
    @app.get(constants_module.PATH)
    def constants() -> Response:
        return Response(constants_module.constants_module(), media_type="text/javascript")


def _stream_routes(app: FastAPI, page: Page, broadcast: Broadcast) -> None:
    @app.get("/")
    def index() -> Response:
        return FileResponse(STATIC / "index.html")

    @app.get(ALIVE)
    def alive() -> Response:
        return Response("alive\n", media_type="text/plain")

    @app.get("/api/frame")
    def frame() -> Response:
        return _json(page.frame())

    @app.get("/api/stream")
    async def stream() -> Response:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(broadcast.frames(), media_type="text/event-stream", headers=headers)

    @app.get("/api/results")
    def results(filters: Annotated[Filters, Query()]) -> Response:
        rows, total = page.night.rows(filters)
        return _json({"total": total, "rows": [row.as_json() for row in rows]})


def _spectrum_routes(app: FastAPI, page: Page) -> None:
    @app.get("/api/spectrum")
    def spectrum(spectrum_id: SpectrumId, digest: Digest = "") -> Response:
        reading, judged = bool(page.night.trouble), page.night.judged  # before what may change them
        name = page.name(spectrum_id, digest)
        entry, kept = page.night.entry(name), page.finder.spectrum(name)
        if entry is None and kept is None:
            error = f"{spectrum_id}: unknown here; the page keeps the last {page.night.keep} results"
            return _json({"error": error, "reading": reading}, 404)
        verdicts = [verdict.to_json_dict() for verdict in page.night.verdicts(name)]
        body = {
            **name._asdict(),
            "pixels": None,
            "verdicts": verdicts,
            "judged": judged,
            **_results_json(entry),
        }
        body |= {"judging": page.judge is not None, "reading": reading}
        return _json(body | ({"pixels": pixels_json(kept)} if kept is not None else {}))

    @app.get("/api/small")
    def small(spectrum_id: SpectrumId, digest: Digest = "") -> Response:
        name = page.name(spectrum_id, digest)
        entry, kept = page.night.entry(name), page.finder.spectrum(name)
        if entry is None or kept is None:
            return _missing(f"{spectrum_id}: its pixels are no longer kept")
        return _json(small_json(kept, entry.row))


def _fit_routes(app: FastAPI, page: Page) -> None:
    @app.get("/api/model")
    def model(spectrum_id: SpectrumId, digest: Digest = "") -> Response:
        return fitted(page.finder.model, spectrum_id, digest)

    @app.get("/api/measurement")
    def measurement(spectrum_id: SpectrumId, digest: Digest = "") -> Response:
        return fitted(page.finder.measurement, spectrum_id, digest)

    def fitted(find: Callable[[Name], dict[str, Any] | None], spectrum_id: str, digest: str) -> Response:
        try:
            result = find(page.name(spectrum_id, digest))
        except SpectraqError as error:
            return _missing(f"{spectrum_id}: {error}")
        if result is not None:
            return _json(result)
        why = "its pixels are no longer kept"
        if page.finder.modelling is None:
            why = "no topic carries it, and it may not be made here"
        return _missing(f"{spectrum_id}: {why}")


def _verdict_routes(app: FastAPI, page: Page) -> None:
    @app.post("/api/verdicts")
    def judge(body: Annotated[bytes, Depends(_body)]) -> Response:
        if page.judge is None:
            return _json({"error": "files have no topic for verdicts; publish them first"}, 409)
        try:
            said = Said.read(body)
        except NotSaidError as error:
            return _json({"error": str(error)}, error.status)
        entry = page.night.entry(page.name(said.spectrum_id, said.digest))
        if entry is None:
            return _missing(f"{said.spectrum_id}: unknown here")
        verdict = said.verdict(entry)
        try:
            page.judge(verdict)
        except SpectraqError as error:
            return _json({"error": str(error)}, 503)
        page.night.take_verdict(verdict)
        return _json(verdict.to_json_dict(), 201)


def _results_json(entry: Entry | None) -> dict[str, Any]:
    return {"row": None, "results": {}} if entry is None else entry_json(entry)


async def _body(request: Request) -> bytes:
    return await request.body()


def _refused(request: Request, error: Exception) -> Response:
    """Say in one line what is wrong with an address; what was given is not repeated, as it may be no JSON."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return _json({"error": f"{first['loc'][-1]}: {first['msg']}"}, 422)


def _json(value: Any, status: int = 200) -> Response:
    return Response(as_json(value), status, media_type="application/json")


def _missing(sentence: str) -> Response:
    return _json({"error": sentence}, 404)
