"""One post of what passed a filter: signed, to the address that was judged, once, and bounded.

No redirection is followed, no proxy asked; however slowly the other side speaks, the post ends in time, and
of its answer no more is read than its head.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from spectraq.workers.errors import SettingsError, SpectraqError
from spectraq.workers.filters.addresses import judged_address

LARGEST_KEY = 4096
SHORTEST_KEY = 16


class PostError(SpectraqError):
    """A post that was not taken."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where posts of one filter go.

    Attributes
    ----------
    address
        http:// or https://.
    networks
        Inner networks that it may lie in.
    timeout_s
        One post takes no longer.
    key
        That posts are signed with; empty: they are not.
    """

    address: str
    networks: Sequence[str] = ()
    timeout_s: float = 5.0
    key: bytes = b""

    def post(self, body: bytes, name: str) -> None:
        """Post one message.

        Parameters
        ----------
        body
            In JSON.
        name
            The same whenever the same message is posted again.

        Raises
        ------
        PostError
            Where it was not taken: another status than 2xx, no answer in time, no address that is allowed.
        """
        where = urlsplit(self.address)
        host, port = where.hostname or "", where.port or (443 if where.scheme == "https" else 80)
        target = (where.path or "/") + (f"?{where.query}" if where.query else "")
        deadline = time.monotonic() + self.timeout_s
        connection = http.client.HTTPConnection(host, port)
        try:
            address = judged_address(host, port, self.networks)
            opened = [socket.create_connection((address, port), timeout=self._left_s(deadline))]
            ending = threading.Timer(self._left_s(deadline), _end, (opened,))
            ending.start()
            try:
                if where.scheme == "https":
                    _secure(opened, host)
                connection.sock = opened[-1]
                connection.request("POST", target, body, self._headers(body, name, where.netloc))
                status = connection.getresponse().status
                self._left_s(deadline)  # what was cut off by the deadline is no answer
            finally:
                ending.cancel()
                opened[-1].close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            late = time.monotonic() >= deadline
            why = f"no answer within {self.timeout_s} s" if late else str(error) or type(error).__name__
            raise PostError(f"{host}: {why}") from None
        finally:
            connection.close()
        if 300 <= status < 400:
            raise PostError(f"{host} answers {status}: it leads elsewhere, which is not followed")
        if not 200 <= status < 300:
            raise PostError(f"{host} answers {status}")

    def _left_s(self, deadline: float) -> float:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return left_s

    def _headers(self, body: bytes, name: str, host: str) -> dict[str, str]:
        headers = {
            "Host": host,
            "Content-Type": "application/json",
            "User-Agent": "spectraq",
            "Idempotency-Key": name,
        }
        if self.key:
            headers["X-Spectraq-Signature"] = signature(self.key, body, int(time.time()))
        return headers


def signature(key: bytes, body: bytes, time_s: int) -> str:
    """Return what a post is signed with.

    Parameters
    ----------
    key, body
        The key that both sides have, and the bytes that are posted.
    time_s
        When, since 1970 UTC; it is signed, too, so that old posts can be refused.
    """
    digest = hmac.new(key, f"{time_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={time_s},v1={digest}"


def key_of(path: Path | None) -> bytes:
    """Return the key in a file; empty where there is no file.

    Raises
    ------
    SettingsError
        Where it can't be read, or holds no key.
    """
    if path is None:
        return b""
    try:
        with path.open("rb") as file:
            key = file.read(LARGEST_KEY + 1).strip()
    except OSError as error:
        raise SettingsError(f"webhook_key_file: {path}: {error.strerror}") from None
    if not SHORTEST_KEY <= len(key) <= LARGEST_KEY:
        raise SettingsError(f"webhook_key_file: {path} holds {len(key)} bytes; {SHORTEST_KEY} at least")
    return key


def _secure(opened: list[socket.socket], host: str) -> None:
    """Go on with TLS, the certificate that of the name and not of the address."""
    context = ssl.create_default_context()
    # into the list before the handshake, which a slow other side could draw out, too
    secured = context.wrap_socket(opened[-1], server_hostname=host, do_handshake_on_connect=False)
    opened.append(secured)
    secured.do_handshake()


def _end(opened: list[socket.socket]) -> None:
    with contextlib.suppress(OSError):
        opened[-1].shutdown(socket.SHUT_RDWR)
