"""Posts: signed, tried again, to judged addresses alone, and bounded whatever the other side does."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import ipaddress
import json
import socketserver
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spectraq.workers.filters.addresses import is_public
from spectraq.workers.filters.metrics import FilterMetrics
from spectraq.workers.filters.posting import post_all
from spectraq.workers.filters.webhook import PostError, Webhook
from spectraq.workers.operations.health import Health
from tests.workers.filters.conftest import Filters

KEY = b"a key of thirty-two bytes or so."
HERE = ("127.0.0.0/8",)


class Receiver:
    """An HTTP server that notes what is posted, and answers as it is told."""

    def __init__(self) -> None:
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.posts.append((dict(self.headers), body))
                status, headers = receiver.answers.pop(0) if receiver.answers else (200, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://localhost:{self.server.server_address[1]}/alerts?of=night"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_post_is_signed_with_its_time_and_named(receiver: Receiver) -> None:
    Webhook(receiver.url, HERE, 5.0, KEY).post(b'{"a":1}', "name-1")
    headers, body = receiver.posts[0]
    assert body == b'{"a":1}' and headers["Idempotency-Key"] == "name-1"
    time_s, signed = (part.partition("=")[2] for part in headers["X-Spectraq-Signature"].split(","))
    assert signed == hmac.new(KEY, f"{time_s}.".encode() + body, hashlib.sha256).hexdigest()
    assert abs(int(time_s) - time.time()) < 60


INNER = (
    "127.0.0.1 10.0.0.1 172.16.3.4 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255"
    " :: ::1 fe80::1 fd00::1 ::ffff:127.0.0.1 ::ffff:10.1.2.3 64:ff9b::7f00:1 64:ff9b::a01:203 2002:7f00:1::"
    " ff02::1"
)


@pytest.mark.parametrize("address", INNER.split())
def test_an_inner_address_is_none_of_the_internet(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


def test_addresses_of_the_internet_are_public() -> None:
    for address in ("8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808"):
        assert is_public(ipaddress.ip_address(address))


def test_a_name_of_an_inner_address_is_refused_before_anything_is_sent(receiver: Receiver) -> None:
    with pytest.raises(PostError, match="no public address"):
        Webhook(receiver.url).post(b"{}", "name")
    with pytest.raises(PostError, match="no public address"):
        Webhook(receiver.url, ("10.0.0.0/8",)).post(b"{}", "name")
    assert receiver.posts == []


def test_a_redirection_is_not_followed(receiver: Receiver) -> None:
    receiver.answers = [(307, {"Location": receiver.url})]
    with pytest.raises(PostError, match="answers 307: it leads elsewhere"):
        Webhook(receiver.url, HERE).post(b"{}", "name")
    assert len(receiver.posts) == 1


def test_an_answer_that_never_ends_is_ended() -> None:
    class Drip(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                self.request.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                for _ in range(100):
                    self.request.sendall(b"a")
                    time.sleep(0.1)
            except OSError:
                pass

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Drip) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for scheme in ("http", "https"):
            begun = time.monotonic()
            with pytest.raises(PostError):
                Webhook(f"{scheme}://localhost:{server.server_address[1]}/", HERE, 0.5).post(b"{}", "name")
            assert time.monotonic() - begun < 5
        server.shutdown()


def test_what_passes_is_posted_in_order_and_again_where_it_is_not_taken(
    filters: Filters, receiver: Receiver, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_bytes(KEY)
    filters.expressions = {"all": "redshift.z > -1.0"}
    filters.options = {"webhook_hosts": ["localhost"], "webhook_networks": HERE, "webhook_tries": 2}
    filters.webhooks = {"all": {"webhook": receiver.url, "webhook_key_file": key}}
    filters.publish(range(20))
    filters.drain()
    receiver.answers = [(503, {}), (200, {}), (500, {}), (500, {})]
    metrics, stop = FilterMetrics(), threading.Event()
    thread = threading.Thread(target=post_all, args=(filters.settings(), stop, metrics, Health(metrics)))
    thread.start()
    deadline = time.monotonic() + 30
    while len(receiver.posts) < 22 and time.monotonic() < deadline:
        time.sleep(0.05)
    stop.set()
    thread.join()
    names = [headers["Idempotency-Key"] for headers, _ in receiver.posts]
    assert names[0] == names[1] and names[2] == names[3]  # the first is taken, the second given up
    assert len(set(names)) == 20 and len(names) == 22
    assert {json.loads(body)["spectrum_id"] for _, body in receiver.posts} == {
        f"survey-{number:09d}" for number in range(20)
    }
    text = metrics.text().decode()
    assert 'spectraq_filter_posted_total{filter="all"} 19.0' in text
    assert 'spectraq_filter_posts_given_up_total{filter="all"} 1.0' in text
