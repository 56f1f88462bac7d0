"""What every Kafka client of ours is told: where the brokers are, and who is asking."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from kafka import KafkaAdminClient
from kafka.errors import (
    AuthorizationError,
    KafkaConfigurationError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
)
from kafka.net.compat import KafkaNetClient
from kafka.net.sasl.oauth import AbstractTokenProvider

from spectraq.workers.errors import SettingsError, UnreachableError
from spectraq.workers.settings import KafkaSettings
from spectraq.workers.transport import client_repairs

Client = TypeVar("Client")

RECONNECT_BACKOFF_MS = 20
RECONNECT_BACKOFF_MAX_MS = 1000
"""The client's own 50 ms doubling up to 30 s keeps a restarted broker waiting for up to 30 s."""

PORT_TIMEOUT_S = 2.0
PORT_WAIT_S = 0.05
SILENT = "it takes connections but says nothing: is it Kafka, and is kafka.security_protocol right?"

METADATA_MAX_AGE_MS = 5000
"""New topics and added partitions are seen within this; the client's own default is five minutes."""


class _Unprinted(str):
    """A password that does not show where a client logs its options, as this one does when debugging."""

    def __repr__(self) -> str:
        return "'**********'"


class TokenFile(AbstractTokenProvider):  # type: ignore[misc]  # the client has no types
    """Gives the token that a file holds now; who renews it (a sidecar, the kubelet) replaces the file."""

    def __init__(self, kafka: KafkaSettings) -> None:
        if kafka.sasl_token_file is None:
            raise SettingsError("settings: kafka.sasl_token_file: OAUTHBEARER needs the file of a token")
        self._path = kafka.sasl_token_file

    def token(self) -> str:
        """Read it.

        Raises
        ------
        KafkaConfigurationError
            Where there is no such file, or none that can be read.
        """
        try:
            return self._path.read_text("ascii").strip()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "is no token"
            raise KafkaConfigurationError(f"kafka.sasl_token_file: {self._path}: {why}") from None


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
    if kafka.sasl_mechanism == "OAUTHBEARER":
        options |= {"sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_provider": TokenFile(kafka)}
    elif kafka.sasl_mechanism is not None:
        options["sasl_mechanism"] = kafka.sasl_mechanism
        options["sasl_plain_username"] = kafka.sasl_username
        options["sasl_plain_password"] = (
            _Unprinted(kafka.sasl_password.get_secret_value()) if kafka.sasl_password else None
        )
    return options


@contextmanager
def reaching(kafka: KafkaSettings, what: str = "") -> Iterator[None]:
    """Turn a client's failure to connect into one line that names the cause.

    A wrong password, a missing CA and a closed port are all the same `KafkaTimeoutError`; the cause is only
    in the client's log, so that is listened to meanwhile.

    Parameters
    ----------
    kafka
        What is connected to.
    what
        What is asked for, where the client's refusal does not name it.

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
            f"Kafka at {kafka.bootstrap_servers} refuses {what or 'this'}: {error};"
            " ask its administrator for this right"
        ) from error
    except (KafkaTimeoutError, KafkaConnectionError, OSError) as error:
        raise _unreachable(kafka, listener.message or SILENT) from error
    finally:
        logger.removeHandler(listener)


def connect(kind: Callable[..., Client], kafka: KafkaSettings, options: dict[str, Any]) -> Client:
    """Make a client of one kind (`KafkaConsumer`, `KafkaProducer`, `KafkaAdminClient`) that is connected.

    A client that fails to connect leaves its thread and its sockets behind, so one is made only where
    somebody listens, and taken apart where it fails all the same.

    Raises
    ------
    UnreachableError
        Where the broker does not answer.
    """
    _wait_for_port(kafka)
    made: list[KafkaNetClient] = []

    def network(**config: Any) -> KafkaNetClient:
        made.append(KafkaNetClient(**config))
        return made[-1]

    with reaching(kafka):
        try:
            return kind(**options, kafka_client=network)
        except BaseException:
            for client in made:
                close_quietly(client)
                client_repairs.stop_network(client)
            raise


@contextmanager
def administrator(kafka: KafkaSettings) -> Iterator[KafkaAdminClient]:
    """Yield an administrator's client, closed at the end.

    Raises
    ------
    UnreachableError
        Where the broker does not answer.
    """
    options = client_options(kafka, "admin") | {"request_timeout_ms": int(kafka.call_timeout_s * 1000)}
    client = connect(KafkaAdminClient, kafka, options)
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


def close_producer(client: Any, timeout_s: float) -> None:
    """Close a client that publishes, whether or not it gets rid of what it holds."""
    try:
        client.close(timeout=timeout_s)
    except (KafkaError, RuntimeError, OSError):
        client_repairs.force_close(client)


def _wait_for_port(kafka: KafkaSettings) -> None:
    """Return once any of the brokers takes a connection."""
    deadline = time.monotonic() + kafka.bootstrap_timeout_s
    cause = "no address is given"
    while True:
        for server in client_options(kafka, "")["bootstrap_servers"]:
            host, _, port = server.rpartition(":")
            try:
                with socket.create_connection(
                    (host.strip("[]") or server, int(port)), timeout=PORT_TIMEOUT_S
                ):
                    return
            except (OSError, ValueError, OverflowError) as error:
                cause = f"{server}: {getattr(error, 'strerror', None) or error}"
        if time.monotonic() > deadline:
            raise _unreachable(kafka, cause)
        time.sleep(PORT_WAIT_S)


def _unreachable(kafka: KafkaSettings, cause: str) -> UnreachableError:
    return UnreachableError(
        f"Kafka at {kafka.bootstrap_servers} does not answer ({cause}); "
        "check kafka.bootstrap_servers and credentials, or start one with `spectraq up`"
    )


class _LastError(logging.Handler):
    """Remembers the last error that the client logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.message = ""

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if not message.startswith("Bootstrap failed"):  # says that it failed, not why
            self.message = message
