"""Ends of transactions that a broker forgot to write, written once more.

Kafka answers a commit or an abort when it is decided, and tells the partitions after that. Of those that have
no leader at that moment and no replica it forgets to tell: readers of them wait, and so does whoever asks for
the committed offsets. What ends that is the end of the next transaction of the same name there. So whoever
takes a name over asks first how the last transaction of that name ended, and then ends an empty one the same
way on every partition that a worker publishes to.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.admin import TransactionState
from kafka.errors import KafkaError, TransactionalIdNotFoundError, UnsupportedVersionError
from kafka.structs import ConsumerGroupMetadata

from spectraq.workers.errors import DeliveryError
from spectraq.workers.settings import Settings
from spectraq.workers.transport.client_repairs import (
    begin_abort,
    begin_commit,
    begin_offsets,
    begin_partitions,
    wait_for_partitions,
    wait_for_step,
)
from spectraq.workers.transport.connection import administrator, client_options, close_producer, connect

ENDINGS = {
    TransactionState.PREPARE_COMMIT: True,
    TransactionState.COMPLETE_COMMIT: True,
    TransactionState.PREPARE_ABORT: False,
    TransactionState.COMPLETE_ABORT: False,
}
"""What Kafka has decided, and whether it is a commit; an open transaction may yet be committed."""
ASK_S = 0.1
CLOSING_S = 1.0
RETRY_BACKOFF_MS = 10
"""A transaction often waits for the last one's markers; at the client's 100 ms that dominates."""


log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ending:
    """How the last transaction of a name ended.

    Attributes
    ----------
    committed
        Whether Kafka decided to commit it, and not to abort it.
    partitions
        Those that it may have published to.
    """

    committed: bool
    partitions: tuple[TopicPartition, ...]


def last_ending(settings: Settings, name: str, published: Sequence[str]) -> Ending | None:
    """Return how the last transaction of a name ended; None where there was none, or it is open still.

    To be asked before the next client takes the name: after that nobody knows.

    Parameters
    ----------
    settings, name
        The settings in force, and the name.
    published
        The topics that whoever has the name publishes to.

    Raises
    ------
    UnreachableError
        Where the broker does not answer.
    DeliveryError
        Where it does not say.
    """
    with administrator(settings.kafka) as client:
        state = _state(client, name, settings.kafka.call_timeout_s)
        if state not in ENDINGS:
            return None
        topics = client.describe_topics(list(published))
    partitions = [
        TopicPartition(topic["name"], partition["partition_index"])
        for topic in topics
        for partition in topic["partitions"]
    ]
    return Ending(ENDINGS[state], tuple(partitions))


def _state(client: KafkaAdminClient, name: str, within_s: float) -> TransactionState:
    """Ask for the state of a name; a broker that has just started makes up its mind who knows it."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            state: TransactionState = client.describe_transactions([name])[name].state
            return state
        except TransactionalIdNotFoundError:
            return TransactionState.EMPTY  # never used, or forgotten after days without a transaction
        except UnsupportedVersionError:
            log.warning("last_ending_unknown", transactional_id=name, why="this Kafka is older than 3.0")
            return TransactionState.EMPTY
        except KafkaError as error:
            if not error.retriable or time.monotonic() > deadline:
                raise DeliveryError(f"what became of the transaction is not known: {error}") from error
        time.sleep(ASK_S)


@contextmanager
def heir(settings: Settings, name: str) -> Iterator[KafkaProducer]:
    """Yield a client that has taken a name over: what was open under it is aborted.

    Raises
    ------
    UnreachableError, KafkaError
        Where the broker does not answer or refuses.
    """
    options = client_options(settings.kafka, "heir") | {
        "transactional_id": name,
        "max_block_ms": int(settings.kafka.call_timeout_s * 1000),
        "retry_backoff_ms": RETRY_BACKOFF_MS,
    }
    client = connect(KafkaProducer, settings.kafka, options)
    try:
        client.init_transactions()
        yield client
    finally:
        close_producer(client, CLOSING_S)


def end_again(settings: Settings, name: str, ending: Ending) -> None:
    """Take a name over, and write an ending to all of its partitions and to the group's offsets once more.

    Where it stands already, nothing changes. After it the name belongs to nobody who is alive.

    Raises
    ------
    UnreachableError, KafkaError, DeliveryError
        Where the broker does not do it; try again.
    """
    within_s = settings.kafka.call_timeout_s
    with heir(settings, name) as client:
        client.begin_transaction()
        begin_partitions(client, ending.partitions)
        offsets = begin_offsets(client, {}, ConsumerGroupMetadata(group_id=settings.kafka.group_id))
        wait_for_step(client, offsets, "adding the offsets to an ending", within_s)
        wait_for_partitions(client, within_s)
        end = begin_commit if ending.committed else begin_abort
        wait_for_step(client, end(client), "ending a transaction again", within_s)
