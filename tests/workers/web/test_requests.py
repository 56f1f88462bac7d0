"""What a request may be: limits hold for what is read, and nothing that is sent makes the server fail."""

from __future__ import annotations

import json
import socket
import time
import urllib.parse
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spectraq.workers.local.stack import LocalStack
from spectraq.workers.web.night.filters import Filters
from spectraq.workers.web.night.night import Night as Kept
from spectraq.workers.web.serve import REQUEST_S
from spectraq.workers.web.server.guard import BODY_S, DROPPED_BYTES, MAX_BODY_BYTES, MAX_HEADERS
from spectraq.workers.web.server.routes import Page, make_app
from spectraq.workers.web.server.verdicts import Said
from tests.support.pagenight import PATIENCE_S, Night, Server, results, until

HUGE = 300 << 20
IN_FLIGHT = 16 << 20
"""Bytes that buffers on both sides of a connection may hold."""
PATHS = (
    "/api/spectrum",
    "/api/model",
    "/api/measurement",
    "/api/small",
    "/api/results",
    "/api/frame",
    "/",
    "/static/page.js",
    "/static/constants.js",
    "/livez",
)
NAMES = (*Filters.model_fields, "id", "digest", "token", "nonsense")
GOOD: dict[str, Any] = {"spectrum_id": "a", "spectype": "QSO", "z": 1.0, "quality": 3, "author": "Vera"}
STRANGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.floats(),
    st.text(max_size=300),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.none(), max_size=2),
)


@pytest.fixture(scope="module")
def asked(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The page of one result; at the end its log holds no failure."""
    night = Night(stack, tmp_path_factory.mktemp("asked"))
    night.answer(results("a"))
    server = Server(night.folder, night.environment, "--no-models")
    until(lambda: b'"a"' in server.get("/api/results")[2], "the result")
    yield server
    assert server.stop() == 0
    log = Path(server._log).read_text()
    assert "Traceback" not in log
    assert "Exception" not in log


def send(server: Server, head: str, chunks: Iterable[bytes] = ()) -> tuple[int, int]:
    """Send a request as it is written here; returns the status and how many bytes of the body were taken."""
    sent = 0
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as client:
        client.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
        try:
            for chunk in chunks:
                client.sendall(chunk)
                sent += len(chunk)
        except OSError:  # the other end has closed
            pass
        try:
            answer = client.recv(65536)
        except ConnectionResetError:
            return 0, sent
    return int(answer.split()[1]) if answer else 0, sent


def chunked(total: int, size: int = 1 << 20) -> Iterator[bytes]:
    """A body in chunks."""
    for _ in range(0, total, size):
        yield b"%x\r\n%s\r\n" % (size, b" " * size)
    yield b"0\r\n\r\n"


def post(*lines: str) -> str:
    return "\n".join(
        ("POST /api/verdicts HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", *lines)
    )


def test_the_limit_of_a_body_holds_for_what_is_read_whatever_was_announced(asked: Server) -> None:
    status, sent = send(asked, post("Content-Length: 10", "Transfer-Encoding: chunked"), chunked(HUGE))
    assert status in (400, 0)
    assert sent < IN_FLIGHT
    status, sent = send(asked, post("Transfer-Encoding: chunked"), chunked(HUGE))
    assert status in (413, 0)
    assert sent < DROPPED_BYTES + IN_FLIGHT
    assert send(asked, post("Transfer-Encoding: chunked"), chunked(2 * MAX_BODY_BYTES, 1024))[0] == 413
    assert send(asked, post("Transfer-Encoding: chunked"), chunked(1024, 512))[0] == 400  # no JSON
    assert send(asked, post("Content-Length: 10", "Transfer-Encoding: chunked"))[0] == 400
    assert send(asked, post("Content-Length: 10", "Content-Length: 20"))[0] == 400
    assert (
        send(asked, "GET /api/frame HTTP/1.1\nHost: 127.0.0.1\nTransfer-Encoding: chunked", chunked(HUGE))[1]
        < IN_FLIGHT
    )
    assert asked.get("/api/frame")[0] == 200


def test_headers_have_limits_too(asked: Server) -> None:
    many = "\n".join(
        ["GET /api/frame HTTP/1.1", "Host: 127.0.0.1", *(f"X-{i}: x" for i in range(MAX_HEADERS))]
    )
    assert send(asked, many)[0] == 431
    assert send(asked, "GET /api/frame HTTP/1.1\nHost: 127.0.0.1\nX: " + "x" * 100_000)[0] in (431, 400)
    assert send(asked, f"GET /api/results?text={'x' * 100_000} HTTP/1.1\nHost: 127.0.0.1")[0] in (414, 400)


def test_who_sends_slowly_is_not_waited_for(asked: Server) -> None:
    def dripped(head: str) -> tuple[bytes, float]:
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", asked.port), timeout=0.5) as client:
            client.sendall(head.replace("\n", "\r\n").encode())
            while time.monotonic() - began < 4 * REQUEST_S:
                try:
                    client.sendall(b"x")
                    answer = client.recv(1000)
                except TimeoutError:
                    continue
                except OSError:
                    answer = b""
                return answer, time.monotonic() - began
        raise AssertionError("the server waits for ever")

    with ThreadPoolExecutor() as pool:
        body = pool.submit(dripped, post("Content-Length: 1000") + "\n\n")
        headers = pool.submit(dripped, "GET / HTTP/1.1\nHost: ")
        answer, took = body.result()
        assert answer.startswith(b"HTTP/1.1 408")
        assert took < BODY_S + 5
        answer, took = headers.result()
        assert answer == b""
        assert took < REQUEST_S + 5


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[1]", 422),
        (b'{"z": NaN}', 400),
        (b'{"z": Infinity}', 400),
        (b'{"z": 1e999}', 422),
        (b'{"comment": "\\ud800"}', 400),
        (b'{"comment": "\xff"}', 400),
        (b'{"z": ' + b"9" * 5000 + b"}", 400),
        (b"[" * 5000, 400),
        (json.dumps(GOOD | {"spectrum_id": "a\u202e"}).encode(), 422),
        (json.dumps(GOOD | {"\n\u202e": 1}).encode(), 422),
    ],
)
def test_json_is_strict_and_what_is_wrong_is_one_line(asked: Server, body: bytes, status: int) -> None:
    answered, _, said = asked.post("/api/verdicts", body)
    assert answered == status, said
    sentence = json.loads(said)["error"]
    assert sentence.isprintable()
    assert len(sentence) < 400


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(PATHS),
    pairs=st.lists(
        st.tuples(st.sampled_from(NAMES), st.text(max_size=30) | st.floats().map(str)), max_size=4
    ),
    tail=st.binary(max_size=10),
)
def test_no_address_makes_the_server_fail(
    asked: Server, path: str, pairs: list[tuple[str, str]], tail: bytes
) -> None:
    query = urllib.parse.urlencode(pairs, errors="surrogatepass")
    status, _, _ = asked.get(f"{path}?{query}&{urllib.parse.quote(tail)}")
    assert 200 <= status < 500, (status, path, query)
    status, _, _ = asked.get(f"{path}{urllib.parse.quote(tail)}")
    assert 200 <= status < 500, (status, path, tail)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(st.sampled_from([*Said.model_fields, "nonsense"]), STRANGE, max_size=3))
def test_no_verdict_makes_the_server_fail(asked: Server, changes: dict[str, Any]) -> None:
    status, _, said = asked.post("/api/verdicts", json.dumps(GOOD | changes).encode())
    assert 200 <= status < 500, (status, said, changes)


def test_every_path_of_the_page_is_tried_here() -> None:
    app, _ = make_app(Page(Kept(1), None, dict, ""), None)  # type: ignore[arg-type]
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    paths = {route.path for route in routes if "GET" in route.methods} - {"/api/stream"}  # which never ends
    assert paths <= set(PATHS)
    assert {route.path for route in routes if "POST" in route.methods} == {"/api/verdicts"}
