"""Requests to a Schema Registry, by the standard library.

No redirection is followed and no proxy is asked, so that no request goes anywhere but to the address of the
settings; and none takes longer, or brings more, than was said.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import time
from typing import Any
from urllib.parse import urlsplit

from pydantic_core import from_json

from spectraq.workers.errors import UnreachableError
from spectraq.workers.feed_settings import SchemaRegistrySettings

MOST_BYTES = 4 << 20
PIECE_BYTES = 1 << 16
JSON_TYPE = "application/vnd.schemaregistry.v1+json"

MEANT = frozenset({200, 404, 409, 422})
"""Answers on what was asked; all others are on who asks, or on the state of the registry."""

ADVICE = {
    401: ": look at kafka.schema_registry.username and password, or token",
    403: ": this user may not do that",
    **dict.fromkeys((301, 302, 303, 307, 308), ": it leads elsewhere, which is not followed: name that"),
}


class RegistryAwayError(UnreachableError):
    """The registry does not answer, or not as one: nothing is known of what was asked for."""


def ask(
    settings: SchemaRegistrySettings, method: str, path: str, deadline: float, body: Any = None
) -> tuple[int, dict[str, Any]]:
    """Make one request.

    Parameters
    ----------
    settings
        With an address.
    method, path, body
        The path begins behind that address; the body is written as JSON.
    deadline
        Of `time.monotonic`, for the whole answer.

    Returns
    -------
    status, content
        Of the answer; empty where it is no object of JSON.

    Raises
    ------
    RegistryAwayError
        Where there is no answer, or none of a registry on what was asked.
    """
    where = urlsplit(str(settings.url))
    try:
        connection = _connection(settings, where.hostname or "", where.port, where.scheme, _left_s(deadline))
        try:
            connection.connect()
            connection.sock.settimeout(_left_s(deadline))
            text = None if body is None else json.dumps(body)
            connection.request(method, where.path.rstrip("/") + path, text, _headers(settings))
            response = connection.getresponse()
            content = _content(response, deadline)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = str(error) or type(error).__name__
        raise RegistryAwayError(f"{settings.url} does not answer: {why}") from None
    if response.status in MEANT:
        return response.status, _object(content)
    raise RegistryAwayError(f"{settings.url} answers {response.status}{ADVICE.get(response.status, '')}")


def _left_s(deadline: float) -> float:
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("not within kafka.schema_registry.timeout_s")
    return left_s


def _connection(
    settings: SchemaRegistrySettings, host: str, port: int | None, scheme: str, timeout_s: float
) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=timeout_s)
    context = ssl.create_default_context(cafile=settings.ssl_cafile)
    if settings.ssl_certfile:
        context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile)
    return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)


def _headers(settings: SchemaRegistrySettings) -> dict[str, str]:
    headers = {"Accept": f"{JSON_TYPE}, application/json", "Content-Type": JSON_TYPE}
    if settings.token is not None:
        headers["Authorization"] = f"Bearer {settings.token.get_secret_value()}"
    elif settings.username is not None and settings.password is not None:
        pair = f"{settings.username}:{settings.password.get_secret_value()}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return headers


def _content(response: http.client.HTTPResponse, deadline: float) -> bytes:
    content = b""
    while piece := response.read1(PIECE_BYTES):
        content += piece
        _left_s(deadline)
        if len(content) > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES} bytes")
    return content


def _object(content: bytes) -> dict[str, Any]:
    try:
        said = from_json(content) if content else {}
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
