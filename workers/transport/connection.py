"""What every Kafka client of ours is told: where the brokers are, and who is asking."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kafka.errors import AuthorizationError, KafkaConnectionError, KafkaError, KafkaTimeoutError

from workers.errors import UnreachableError
from workers.settings import KafkaSettings

if TYPE_CHECKING:
    from kafka import KafkaAdminClient

RECONNECT_BACKOFF_MS = 20
RECONNECT_BACKOFF_MAX_MS = 1000
"""The client's own 50 ms doubling up to 30 s keeps a restarted broker waiting for up to 30 s."""

METADATA_MAX_AGE_MS = 5000
"""New topics and added partitions are seen within this; the client's own default is five minutes."""


def client_options(kafka: KafkaSettings, role: str) -> dict[str, Any]:
    """Options that consumers, producers and administrators share.

    Parameters
    ----------
    kafka
        The settings in force.
    role
        What this client is for; the broker's logs and quotas know it as `spectraq-<role>`.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": [
            server.strip() for server in kafka.bootstrap_servers.split(",") if server.strip()
        ],
        "client_id": f"spectraq-{role}",
        "security_protocol": kafka.security_protocol,
        "bootstrap_timeout_ms": int(kafka.bootstrap_timeout_s * 1000),
        "reconnect_backoff_ms": RECONNECT_BACKOFF_MS,
        "reconnect_backoff_max_ms": RECONNECT_BACKOFF_MAX_MS,
        "metadata_max_age_ms": METADATA_MAX_AGE_MS,
    }
    if kafka.ssl_cafile is not None:
        options["ssl_cafile"] = kafka.ssl_cafile
    if kafka.sasl_mechanism is not None:
        options["sasl_mechanism"] = kafka.sasl_mechanism
        options["sasl_plain_username"] = kafka.sasl_username
        options["sasl_plain_password"] = (
            kafka.sasl_password.get_secret_value() if kafka.sasl_password else None
        )
    return options


@contextmanager
def reaching(kafka: KafkaSettings) -> Iterator[None]:
    """Turn a client's failure to connect into one line that names the cause.

    A wrong password, a missing CA and a closed port are all the same `KafkaTimeoutError`; the cause is only
    in the client's log, so that is listened to meanwhile.

    Raises
    ------
    UnreachableError
        Naming the servers, the cause where the client knew one, and what to check.
    """
    listener = _LastError()
    logger = logging.getLogger("kafka")
    logger.addHandler(listener)
    try:
        yield
    except AuthorizationError as error:
        raise UnreachableError(
            f"Kafka at {kafka.bootstrap_servers} refuses: {error}; ask its administrator for this right"
        ) from error
    except (KafkaTimeoutError, KafkaConnectionError, OSError) as error:
        cause = listener.message or str(error)
        raise UnreachableError(
            f"Kafka at {kafka.bootstrap_servers} does not answer ({cause}); "
            "check kafka.bootstrap_servers and credentials, or start one with `spectraq up`"
        ) from error
    finally:
        logger.removeHandler(listener)


@contextmanager
def administrator(kafka: KafkaSettings) -> Iterator[KafkaAdminClient]:
    """Give an administrator's client, closed at the end.

    Raises
    ------
    UnreachableError
        Where the broker does not answer.
    """
    from kafka import KafkaAdminClient

    with reaching(kafka):
        options = client_options(kafka, "admin")
        client = KafkaAdminClient(request_timeout_ms=int(kafka.call_timeout_s * 1000), **options)
    try:
        with reaching(kafka):
            yield client
    finally:
        close_quietly(client)


def close_quietly(client: Any, **options: Any) -> None:
    """Close a client whose last words no longer matter."""
    try:
        client.close(**options)
    except (KafkaError, OSError, RuntimeError):
        logging.getLogger(__name__).debug("a Kafka client did not close cleanly", exc_info=True)


class _LastError(logging.Handler):
    """Remembers the last error that the client logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.message = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.message = record.getMessage()
