"""Who may ask, how much of a request is read, and what a browser may do with the answer."""

from __future__ import annotations

import asyncio
import hmac
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "spectraq"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}
LOOPBACK = ("127.0.0.1", "localhost", "::1")
MAX_BODY_BYTES = 16 << 10
MAX_HEADERS = 100
MAX_HEAD_BYTES = 16 << 10
BODY_S = 5.0
"""A body has come whole within this, or is not waited for."""
DROPPED_BYTES = 1 << 20
DROPPED_S = 1.0
"""Of a refused body so much more is read and dropped: a client that still sends sees no answer."""
READING = ("GET", "HEAD")
WELCOME = "/welcome"
"""Takes a token from a file of the user's own: a browser that comes from there sends the cookie from the page
after this one on, and so is not sent on at once but by the page itself."""
ALIVE = "/livez"
"""Answered without a token: whoever supervises the process asks here, and learns nothing else."""


class Guard:
    """Refuses who has no token where one is asked for, other sites' requests, and what is large or slow.

    What counts of a body is what is read of it, whatever was announced; who is refused is read no further.

    Parameters
    ----------
    app
        What is guarded.
    token
        What a viewer must show, once in the address and then in a cookie; None on this machine alone,
        where only requests to this machine's own names are answered, so that no web page can reach it
        under a name of its own.
    """

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = _malformed(scope, headers) or self._refusal(scope, headers)
        if scope["method"] not in READING:
            if refusal is None:
                refusal, receive = await _whole_body(receive)
            else:
                await _let_finish(receive)

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    given[name] = value
                given.setdefault("cache-control", "no-cache")
                if refusal is not None:
                    given["connection"] = "close"  # or the server would go on to read the body
            await send(message)

        await (refusal or self._app)(scope, receive, dressed)

    def _refusal(self, scope: Scope, headers: Headers) -> ASGIApp | None:
        if scope["path"] == ALIVE:
            return None
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if self._token is None and _host(headers.get("host", "")) not in LOOPBACK:
            return PlainTextResponse("this page is for this machine alone\n", 421)
        if self._token is not None:
            given = query.pop("token", [""])[0]
            if given and self._right(given):
                return self._welcome(scope, query)
            if not self._right(_shown(headers)):
                return PlainTextResponse(
                    "a token is needed: open the address that `spectraq web` printed\n", 401
                )
        return None if scope["method"] in READING else _refused_write(headers)

    def _right(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), (self._token or "").encode())

    def _welcome(self, scope: Scope, query: dict[str, list[str]]) -> ASGIApp:
        """Put the token into a cookie, and out of the address, where it would be seen and shared."""
        rest = urlencode(query, doseq=True)
        response: Response = RedirectResponse("/" + (f"?{rest}" if rest else ""), 303)
        if scope["path"] == WELCOME:
            response = HTMLResponse('<!doctype html><meta http-equiv="refresh" content="0; url=/">')
        secure = scope.get("scheme") == "https"
        response.set_cookie(COOKIE, self._token or "", httponly=True, samesite="strict", secure=secure)
        return response


def _malformed(scope: Scope, headers: Headers) -> ASGIApp | None:
    if len(scope["raw_path"]) + len(scope["query_string"]) > MAX_HEAD_BYTES:
        return PlainTextResponse(f"an address has at most {MAX_HEAD_BYTES} bytes\n", 414)
    size = sum(len(name) + len(value) for name, value in scope["headers"])
    if len(scope["headers"]) > MAX_HEADERS or size > MAX_HEAD_BYTES:
        return PlainTextResponse(
            f"at most {MAX_HEADERS} headers of {MAX_HEAD_BYTES} bytes together are taken\n", 431
        )
    announced = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
    if "transfer-encoding" in headers and "content-length" in headers:
        # two ends that differ on where it stops would let a second request hide in it (RFC 9112, 6.3)
        return PlainTextResponse("a body has one length: Content-Length or Transfer-Encoding\n", 400)
    if announced and scope["method"] in READING:
        return PlainTextResponse(f"{scope['method']} takes no body\n", 400)
    return None


def _refused_write(headers: Headers) -> ASGIApp | None:
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()) or int(length) > MAX_BODY_BYTES:
        return _too_large()
    if not headers.get("content-type", "").startswith("application/json"):
        return PlainTextResponse("JSON is needed\n", 415)
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2] != headers.get("host"):
        return PlainTextResponse("another site may not write here\n", 403)
    return None


def _too_large() -> ASGIApp:
    return PlainTextResponse(f"at most {MAX_BODY_BYTES} bytes are taken\n", 413)


async def _whole_body(receive: Receive) -> tuple[ASGIApp | None, Receive]:
    """Read a body, and return why it is refused, if it is, and what hands it to whoever answers."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            more = True
            while more:
                message = await receive()
                if message["type"] != "http.request":
                    return PlainTextResponse("the body ended early\n", 400), receive
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > MAX_BODY_BYTES:
                    if more:
                        await _let_finish(receive)
                    return _too_large(), receive
    except TimeoutError:
        return PlainTextResponse(f"a body has {BODY_S:.0f} s to come\n", 408), receive
    read: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

    async def again() -> Message:
        return read.pop() if read else await receive()

    return None, again


async def _let_finish(receive: Receive) -> None:
    """Drop the rest of a body, within bounds."""
    left = DROPPED_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(DROPPED_S):
            while left > 0:
                message = await receive()
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
                left -= len(message.get("body", b""))


def _host(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if ":" in host else host


def _shown(headers: Headers) -> str:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return cookie.value if cookie else ""
