"""The worker's end of the result topics: two ways to publish a batch so that nothing is lost.

`AtLeastOnce` sends, flushes and checks every future; the offsets are committed afterwards by whoever called.
`ExactlyOnce` sends results and offsets in one Kafka transaction.

A producer that failed once is thrown away, never repaired. This client keeps the offsets of an aborted
transaction and commits them with the next one, which skips records whose results were never published; and a
commit whose connection is refused never returns. So every wait here is bounded, every failure ends in
`DeliveryError`, and `renew` makes a new producer under the same name, which aborts what the old one left
open.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import structlog
from kafka import KafkaProducer, OffsetAndMetadata
from kafka.errors import KafkaError
from kafka.structs import ConsumerGroupMetadata

from spectraq.workers.errors import DeliveryError, UnreachableError
from spectraq.workers.operations.watchdog import Watchdog
from spectraq.workers.settings import Settings
from spectraq.workers.transport.abandoned_transactions import transactional_id
from spectraq.workers.transport.client_repairs import begin_commit, begin_offsets, keep_steps, wait_for_step
from spectraq.workers.transport.connection import client_options, close_producer, connect, reaching
from spectraq.workers.transport.endings import RETRY_BACKOFF_MS, Ending, end_again, last_ending
from spectraq.workers.transport.messages import Outgoing
from spectraq.workers.transport.offsets import Offsets
from spectraq.workers.transport.topics import ENVELOPE_BYTES, written_topics

BATCH_BYTES = 1 << 20
LINGER_MS = 5

CLOSING_S = 2.0
WATCHDOG_MARGIN_S = 2.0

log = structlog.get_logger(__name__)


class Producer(ABC):
    """Publishes batches; what a failed one published does not count, or can be recognised."""

    def __init__(self, settings: Settings, watchdog: Watchdog) -> None:
        self._settings = settings
        self._watchdog = watchdog
        self._call_s = settings.kafka.call_timeout_s
        self._client = self._connect()

    @abstractmethod
    def publish(
        self, messages: Sequence[Outgoing], offsets: Offsets, membership: ConsumerGroupMetadata
    ) -> None:
        """Publish one batch of results.

        Raises
        ------
        DeliveryError
            Where it is not certain that all of it is published; `renew` before the next batch.
        """

    @property
    @abstractmethod
    def commits(self) -> bool:
        """Whether `publish` commits the offsets too."""

    def renew(self) -> None:
        """Throw the client away and connect anew.

        Raises
        ------
        UnreachableError, DeliveryError
            Where that fails; try again later.
        """
        discard(self._client)
        self._client = self._connect()

    def close(self) -> None:
        """Close after the last batch; all that was published has been acknowledged already."""
        with self._deadline("closing"):
            close_producer(self._client, CLOSING_S)

    @abstractmethod
    def _connect(self) -> Any:
        """Make a client that is ready to publish."""

    def _options(self) -> dict[str, Any]:
        kafka = self._settings.kafka
        call_ms = int(self._call_s * 1000)
        return client_options(kafka, f"producer-{self._settings.worker.slot}") | {
            "batch_size": BATCH_BYTES,
            "linger_ms": LINGER_MS,
            "retry_backoff_ms": RETRY_BACKOFF_MS,
            "max_request_size": kafka.max_message_bytes + ENVELOPE_BYTES,
            "compression_type": None if kafka.compression == "none" else kafka.compression,
            "max_block_ms": call_ms,
            "request_timeout_ms": call_ms,
            "delivery_timeout_ms": call_ms + LINGER_MS,
            "allow_auto_create_topics": False,
        }

    def _send(self, messages: Sequence[Outgoing]) -> None:
        """Send all, wait for all, look at each."""
        futures = []
        for message in messages:
            with self._deadline("send"):
                futures.append(
                    self._client.send(
                        message.topic, key=message.key, value=message.value, headers=list(message.headers)
                    )
                )
        with self._deadline("flush"):
            self._client.flush(timeout=self._call_s)
        for future in futures:
            if not future.succeeded():
                raise future.exception or DeliveryError("a result was not acknowledged in time")

    def _deadline(self, what: str, seconds: float | None = None) -> Any:
        return self._watchdog.deadline((seconds or self._call_s) + WATCHDOG_MARGIN_S, f"producer: {what}")


class AtLeastOnce(Producer):
    """Publish, flush, check every future; only then may the offsets be committed."""

    @property
    def commits(self) -> bool:
        """False: the consumer commits, once all of the batch is acknowledged."""
        return False

    def publish(
        self, messages: Sequence[Outgoing], offsets: Offsets, membership: ConsumerGroupMetadata
    ) -> None:
        """Publish one batch; a crash before the commit publishes it again, with the same result ids."""
        try:
            self._send(messages)
        except (KafkaError, ValueError) as error:
            raise DeliveryError(f"results were not published: {error}") from error

    def _connect(self) -> Any:
        with self._deadline("connecting", 2 * self._settings.kafka.bootstrap_timeout_s):
            return connect(KafkaProducer, self._settings.kafka, self._options())


class ExactlyOnce(Producer):
    """Results and offsets in one transaction, fenced by the membership that read the batch.

    1. Refuse a membership that is none: the broker would take its offsets unfenced.
    2. Begin.
    3. Send every result and dead letter, and wait for each.
    4. Add the offsets, under the membership of the poll that returned the records.
    5. Commit. Whatever fails from 2 to 5, the broker aborts when `renew` takes the same name again, unless it
       had decided to commit.

    Kafka answers a commit when it is decided, and tells the partitions after that. A broker that is killed
    between forgets those that are not replicated, and so every client that takes the name first ends the last
    transaction once more (`endings.py`).

    Parameters
    ----------
    settings, watchdog
        As of `Producer`.
    published
        The topics that are published to; None: those of a worker.
    """

    def __init__(
        self, settings: Settings, watchdog: Watchdog, published: Sequence[str] | None = None
    ) -> None:
        self._published = written_topics(settings) if published is None else tuple(published)
        self._name = transactional_id(settings, settings.worker.slot)
        self._ending: Ending | None = None
        super().__init__(settings, watchdog)

    @property
    def commits(self) -> bool:
        """True: the offsets are part of the transaction."""
        return True

    def publish(
        self, messages: Sequence[Outgoing], offsets: Offsets, membership: ConsumerGroupMetadata
    ) -> None:
        """Publish one batch and commit its offsets, or neither."""
        # 1. A membership that is none
        if membership.generation_id < 0 or not membership.member_id:
            raise DeliveryError(
                "not a member of the group any more; the records are read again by their owner"
            )
        entries = {partition: OffsetAndMetadata(offset, "", -1) for partition, offset in offsets.items()}
        try:
            # 2. Begin
            self._client.begin_transaction()
            # 3. Results and dead letters
            self._send(messages)
            # 4. Offsets
            self._wait(begin_offsets(self._client, entries, membership), "adding the offsets")
            # 5. Commit
            self._wait(begin_commit(self._client), "committing the transaction")
        except (KafkaError, ValueError) as error:
            raise DeliveryError(f"the transaction failed: {error}") from error

    def _wait(self, step: Any, what: str) -> None:
        with self._deadline(what):
            wait_for_step(self._client, step, what, self._call_s)

    def _connect(self) -> Any:
        kafka = self._settings.kafka
        self._end_last()
        # one name a slot: a restarted worker aborts at once what its dead predecessor left open
        transactional = {
            "transactional_id": self._name,
            "transaction_timeout_ms": int(kafka.transaction_timeout_s * 1000),
        }
        with self._deadline("connecting", 2 * kafka.bootstrap_timeout_s):
            client = connect(KafkaProducer, kafka, self._options() | transactional)
        keep_steps(client)
        try:
            with (
                reaching(kafka, f"the transactional id {self._name}"),
                self._deadline("taking over the transactional id"),
            ):
                client.init_transactions()
        except BaseException:
            discard(client)
            raise
        return client

    def _end_last(self) -> None:
        """End the last transaction of our name once more."""
        within_s = 2 * self._settings.kafka.bootstrap_timeout_s + 4 * self._call_s
        try:
            with self._deadline("asking for the last transaction", within_s):
                # kept until it is done: after the next client of the name nobody knows
                self._ending = self._ending or last_ending(self._settings, self._name, self._published)
            if self._ending is None:
                return
            with self._deadline("ending the last transaction again", within_s):
                end_again(self._settings, self._name, self._ending)
        except (KafkaError, DeliveryError) as error:
            raise UnreachableError(f"the last transaction was not ended again: {error}") from error
        self._ending = None


def producer(settings: Settings, watchdog: Watchdog) -> Producer:
    """Return the producer of the delivery mode in force.

    Raises
    ------
    UnreachableError
        Where the broker does not answer.
    """
    kind = ExactlyOnce if settings.worker.delivery == "exactly_once" else AtLeastOnce
    started = time.monotonic()
    made = kind(settings, watchdog)
    log.debug("producer_connected", delivery=settings.worker.delivery, seconds=time.monotonic() - started)
    return made


def discard(client: Any) -> None:
    """Close a client that may be beyond closing, without waiting for it.

    Its I/O thread is told to drop what it still holds: in a transaction that is fenced anyway, and otherwise
    it would only be a duplicate of what is published again.
    """
    threading.Thread(target=close_producer, args=(client, 0), name="closing-producer", daemon=True).start()
