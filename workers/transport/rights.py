"""The least that each role needs of Kafka, as access control lists.

Nobody here needs a right on the cluster. Followers of the results (`spectraq watch`, the page) read without a
group, so they need none on groups but to see a lag.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourceType,
)

from spectraq.workers.settings import Settings
from spectraq.workers.transport.abandoned_transactions import transactional_id
from spectraq.workers.transport.topics import followed_topics, written_topics

LITERAL, PREFIXED = ACLResourcePatternType.LITERAL, ACLResourcePatternType.PREFIXED
READ, WRITE, DESCRIBE = ACLOperation.READ, ACLOperation.WRITE, ACLOperation.DESCRIBE


@dataclass(frozen=True, slots=True)
class Right:
    """One operation on one resource.

    Attributes
    ----------
    operation
        READ and WRITE imply DESCRIBE.
    why
        What fails without it.
    """

    operation: ACLOperation
    kind: ResourceType
    name: str
    pattern: ACLResourcePatternType
    why: str

    def entry(self, principal: str) -> ACL:
        """Return the right as Kafka keeps it, for a principal such as `User:worker`, from any host."""
        resource = ResourcePattern(self.kind, self.name, self.pattern)
        return ACL(principal, "*", self.operation, ACLPermissionType.ALLOW, resource)

    def command(self, principal: str) -> str:
        """Return the right as arguments of Kafka's own `kafka-acls.sh`."""
        flag = {
            ResourceType.TOPIC: "--topic",
            ResourceType.GROUP: "--group",
            ResourceType.TRANSACTIONAL_ID: "--transactional-id",
        }[self.kind]
        pattern = "" if self.pattern == LITERAL else " --resource-pattern-type prefixed"
        operation = self.operation.name.capitalize()
        return f"--add --allow-principal {principal} --operation {operation} {flag} {self.name}{pattern}"


def _topic(operation: ACLOperation, name: str, why: str) -> Right:
    return Right(operation, ResourceType.TOPIC, name, LITERAL, why)


def _worker(settings: Settings) -> list[Right]:
    topics, group = settings.topics, settings.kafka.group_id
    transactions = transactional_id(settings, "")
    return [
        *(_topic(READ, name, "read spectra") for name in topics.of_spectra),
        *(_topic(WRITE, name, "publish what became of them") for name in written_topics(settings)),
        Right(READ, ResourceType.GROUP, group, LITERAL, "join the group and commit"),
        Right(WRITE, ResourceType.TRANSACTIONAL_ID, transactions, PREFIXED, "publish exactly once"),
    ]


def _publisher(settings: Settings) -> list[Right]:
    return [_topic(WRITE, name, "publish spectra") for name in settings.topics.of_spectra]


def _viewer(settings: Settings) -> list[Right]:
    return [_topic(READ, name, "follow what becomes of spectra") for name in followed_topics(settings)]


def _web(settings: Settings) -> list[Right]:
    topics, group = settings.topics, settings.kafka.group_id
    return [
        *_viewer(settings),
        *(_topic(READ, name, "draw a spectrum") for name in topics.of_spectra),
        _topic(READ, topics.verdicts, "show verdicts"),
        _topic(WRITE, topics.verdicts, "keep verdicts"),
        Right(DESCRIBE, ResourceType.GROUP, group, LITERAL, "show lag and workers"),
    ]


def _sink(settings: Settings) -> list[Right]:
    group = settings.archive.group_id
    return [
        *(_topic(READ, name, "write them to the archive") for name in followed_topics(settings)),
        Right(READ, ResourceType.GROUP, group, LITERAL, "share the partitions"),
    ]


def _filter(settings: Settings) -> list[Right]:
    filters, topics = settings.filters, settings.topics
    theirs = settings.kafka.model_copy(update={"group_id": filters.group_id})
    transactions = transactional_id(settings.model_copy(update={"kafka": theirs}), "")
    results = [
        name
        for name in written_topics(settings)
        if name not in (topics.models, topics.dead_letters, topics.objects)
    ]
    return [
        *(_topic(READ, name, "ask filters of them") for name in results),
        Right(WRITE, ResourceType.TOPIC, f"{filters.topic}.", PREFIXED, "publish what passes"),
        Right(READ, ResourceType.GROUP, filters.group_id, LITERAL, "join the group and commit"),
        Right(WRITE, ResourceType.TRANSACTIONAL_ID, transactions, PREFIXED, "publish exactly once"),
    ]


def _objects(settings: Settings) -> list[Right]:
    topic = settings.topics.objects
    return [
        _topic(READ, topic, "list and rebuild the memory of objects"),
        _topic(WRITE, topic, "load and forget spectra of objects"),
    ]


ROLES: dict[str, Callable[[Settings], list[Right]]] = {
    "worker": _worker,
    "publisher": _publisher,
    "viewer": _viewer,
    "web": _web,
    "sink": _sink,
    "filter": _filter,
    "objects": _objects,
}


def grant(client: KafkaAdminClient, principal: str, rights: list[Right]) -> None:
    """Give a principal these rights; those it has already stay.

    Raises
    ------
    KafkaError
        Where whoever asks may not change access control lists, or the broker keeps none.
    """
    done = client.create_acls([right.entry(principal) for right in rights])
    for _, error in done["failed"]:
        raise error
