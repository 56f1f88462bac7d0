"""Addresses without their secrets, for all that is printed, logged or answered.

What a URL may hold of a secret: all that stands before its host, any value of its query that is not known to
be harmless, and its fragment. Where a password was written without the percent signs that it needs, nobody
can say where it ends: then nothing but the scheme is shown.
"""

from __future__ import annotations

import re

MASK = "***"

HARMLESS = frozenset(
    {
        "client_name",
        "db",
        "decode_responses",
        "encoding",
        "health_check_interval",
        "max_connections",
        "protocol",
        "retry_on_timeout",
        "socket_connect_timeout",
        "socket_keepalive",
        "socket_timeout",
        "ssl_ca_certs",
        "ssl_ca_path",
        "ssl_cert_reqs",
        "ssl_certfile",
        "ssl_check_hostname",
        "ssl_keyfile",
        "ssl_min_version",
        "timeout",
    }
)
"""Options in the query of a Redis URL that are no secrets; whatever else stands there is masked."""

_URL = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]*)://(\S*)")
_AUTHORITY = re.compile(r"[^/?#]*")
_PLAIN = re.compile(r"[\w./:+-]*")


def masked(text: str) -> str:
    """Return a text in which the URLs show no secret; a text without any stays as it is."""
    if "://" not in text:
        return text
    return _URL.sub(lambda url: f"{url[1]}://{_masked_rest(url[2])}", text)


def masked_secret(secret: str) -> str:
    """Return what may be shown of a setting that is a secret: of a URL where it leads, else nothing."""
    url = _URL.fullmatch(secret)
    return masked(secret) if url and url[2] else MASK


def _masked_rest(rest: str) -> str:
    authority = _AUTHORITY.match(rest)
    assert authority is not None
    beyond = rest[authority.end() :]
    if "@" in beyond:
        return MASK  # a password with a slash, a question mark or a hash in it, or an address in the query
    path, hash_mark, _ = beyond.partition("#")
    path, question_mark, query = path.partition("?")
    _, at_sign, host = authority[0].rpartition("@")
    shown = (f"{MASK}@" if at_sign else "") + host + path
    if question_mark:
        shown += "?" + "&".join(_masked_option(option) for option in query.split("&"))
    return shown + (f"#{MASK}" if hash_mark else "")


def _masked_option(option: str) -> str:
    name, equals, value = option.partition("=")
    if not equals:
        return MASK if name else ""
    return option if name in HARMLESS and _PLAIN.fullmatch(value) else f"{name}={MASK}"
