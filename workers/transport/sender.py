"""Send messages to a topic and know that each arrived: for publishing spectra and replaying dead letters."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from kafka import KafkaProducer
from kafka.errors import KafkaError

from spectraq.schemas import codec
from spectraq.schemas.message import Message
from spectraq.workers.errors import DeliveryError
from spectraq.workers.settings import Settings
from spectraq.workers.transport.connection import client_options, close_producer, reaching
from spectraq.workers.transport.messages import PRIORITY_HEADER

MAX_IN_FLIGHT = 1000
"""Messages not yet acknowledged before `send` waits for the oldest: bounds memory at a slow broker."""
BATCH_BYTES = 1 << 20
CLOSING_S = 1.0


class Sender:
    """An idempotent producer whose every send is checked, at most `rate` messages a second.

    Use it as a context manager; the end of the block waits for what is on its way.

    Parameters
    ----------
    settings
        In force.
    rate
        Messages a second.
    acknowledged
        Takes what `send` was given as `mark`, in the order of sending, with the partition and the offset that
        Kafka gave the message.

    Raises
    ------
    UnreachableError
        Where the broker does not answer.
    DeliveryError
        Where a message was not acknowledged; those before it were.
    """

    def __init__(
        self,
        settings: Settings,
        rate: float | None = None,
        acknowledged: Callable[[Any, int, int], None] = lambda mark, partition, offset: None,
    ) -> None:
        self._settings = settings
        self._acknowledged = acknowledged
        self._step_s = 1 / rate if rate else 0.0
        self._next = time.monotonic()
        self._waiting: deque[tuple[str, Any, Any]] = deque()
        self.sent = 0
        with reaching(settings.kafka):
            self._client = KafkaProducer(
                acks="all",
                enable_idempotence=True,
                batch_size=BATCH_BYTES,
                linger_ms=5,
                max_request_size=settings.kafka.max_message_bytes,
                compression_type=None if settings.kafka.compression == "none" else settings.kafka.compression,
                **client_options(settings.kafka, "publisher"),
            )

    def __enter__(self) -> Self:
        """Return the publisher."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for what is on its way, unless the block failed."""
        try:
            if kind is None:
                self.flush()
        finally:
            close_producer(self._client, CLOSING_S)

    def publish(
        self,
        message: Message,
        key: str,
        topic: str,
        headers: Sequence[tuple[str, bytes]] = (),
        mark: Any = None,
    ) -> None:
        """Send a message of ours; one for the topic of urgent spectra is marked as such."""
        headers = [*codec.headers(message), *headers]
        if topic == self._settings.topics.priority:
            headers = [*headers, PRIORITY_HEADER]
        self.send(topic, key.encode(), codec.encode(message), headers, mark)

    def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] = (),
        mark: Any = None,
    ) -> None:
        """Send bytes as they are."""
        wait = self._next - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        self._next = max(self._next + self._step_s, time.monotonic() - 1)
        try:
            future = self._client.send(topic, key=key, value=value, headers=list(headers))
        except KafkaError as error:
            raise self._failed(topic, error) from error
        self._waiting.append((topic, future, mark))
        while len(self._waiting) > MAX_IN_FLIGHT:
            self._settle()
        self.settle()

    def settle(self) -> None:
        """Look at what is acknowledged by now, in the order of sending, without waiting."""
        while self._waiting and self._waiting[0][1].is_done:
            self._settle()

    @property
    def taken(self) -> int:
        """Messages that were given to `send`, acknowledged or not yet."""
        return self.sent + len(self._waiting)

    def flush(self) -> None:
        """Wait until every message sent is acknowledged."""
        while self._waiting:
            self._settle()

    def _settle(self) -> None:
        topic, future, mark = self._waiting.popleft()
        try:
            kept = future.get(timeout=self._settings.kafka.call_timeout_s)
        except KafkaError as error:
            raise self._failed(topic, error) from error
        self.sent += 1
        self._acknowledged(mark, kept.partition, kept.offset)

    def _failed(self, topic: str, error: KafkaError) -> DeliveryError:
        """Return an error that says what arrived all the same, and how to go on."""
        arrived = self.sent + sum(future.succeeded() for _, future, _ in self._waiting)
        return DeliveryError(
            f"{topic}: Kafka did not take a message ({error}); {arrived} arrived, the first {self.sent} among"
            " them. When Kafka is well again, send the same again: what comes twice is answered with the same"
            " result_id"
        )
