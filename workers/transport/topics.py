"""Our topics: made where missing, listed as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kafka.errors import TopicAlreadyExistsError

from spectraq.workers.errors import UnreachableError
from spectraq.workers.settings import Settings
from spectraq.workers.transport.connection import administrator

ENVELOPE_BYTES = 1 << 20
"""Room for a dead letter's own fields and headers around the original message."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic of ours as the broker has it."""

    name: str
    partitions: int  # 0: it does not exist
    replication: int
    created: bool = False  # by this call


def topic_names(settings: Settings) -> tuple[str, ...]:
    """Return the names of our topics: of spectra, results, dead letters, verdicts, and of each filter."""
    topics = settings.topics
    return (*topics.of_spectra, *written_topics(settings), topics.verdicts, *filtered_topics(settings))


def filtered_topics(settings: Settings) -> tuple[str, ...]:
    """Return the names of the topics of the filters in the settings."""
    return tuple(settings.filters.topic_of(name) for name in settings.filters.named)


def written_topics(settings: Settings) -> tuple[str, ...]:
    """Return the names of the topics that workers publish to."""
    return (*followed_topics(settings), settings.topics.objects)


def followed_topics(settings: Settings) -> tuple[str, ...]:
    """Return the names of the topics of results and dead letters."""
    topics = settings.topics
    return (
        topics.classifications,
        topics.redshifts,
        topics.anomalies,
        topics.models,
        topics.measurements,
        topics.changes,
        topics.dead_letters,
    )


def list_topics(settings: Settings) -> list[Topic]:
    """Read our topics from the broker, in the order of `topic_names`; a missing one has 0 partitions.

    Raises
    ------
    UnreachableError
        Where the broker does not answer.
    """
    with administrator(settings.kafka) as client:
        return [_described(client, name) for name in topic_names(settings)]


def ensure_topics(settings: Settings, only: Sequence[str] | None = None) -> list[Topic]:
    """Create the topics that are missing, and leave the others as they are.

    Parameters
    ----------
    settings
        The settings in force.
    only
        The names of those that are asked for; None: all of ours.

    Raises
    ------
    UnreachableError
        Where the broker does not answer or refuses to create them.
    """
    with administrator(settings.kafka) as client:
        present = set(client.list_topics())
        names = topic_names(settings) if only is None else tuple(only)
        missing = [name for name in names if name not in present]
        if missing:
            _create(client, settings, missing)
        return [_described(client, name, created=name in missing) for name in names]


def _create(client: Any, settings: Settings, names: list[str]) -> None:
    for name in names:
        try:
            client.create_topics(
                {name: _wanted(settings, name)}, timeout_ms=int(settings.kafka.call_timeout_s * 1000)
            )
        except TopicAlreadyExistsError:
            continue  # another worker was quicker
    client.wait_for_topics(names, timeout_ms=int(settings.kafka.call_timeout_s * 1000))


def _wanted(settings: Settings, name: str) -> dict[str, Any]:
    largest = settings.kafka.max_message_bytes
    configs = {}
    if name in (settings.topics.dead_letters, settings.topics.objects):
        largest += ENVELOPE_BYTES
    if name == settings.topics.objects:
        configs["cleanup.policy"] = "compact"
    if name == settings.topics.verdicts:
        configs["retention.ms"] = "-1"  # a person's work is not to be had again
    configs["max.message.bytes"] = str(largest)
    return {
        "num_partitions": settings.topics.partitions,
        "replication_factor": settings.topics.replication,
        "configs": configs,
    }


def _described(client: Any, name: str, created: bool = False) -> Topic:
    (topic,) = client.describe_topics([name])
    partitions = topic["partitions"]
    if topic["error_code"] or not partitions:
        return Topic(name, 0, 0)
    return Topic(name, len(partitions), len(partitions[0]["replica_nodes"]), created)


def require_topics(settings: Settings) -> None:
    """Raise where the topics that a worker needs are missing.

    Raises
    ------
    UnreachableError
        Naming the missing topics and the command that makes them.
    """
    needed = set(topic_names(settings)) - {settings.topics.verdicts, *filtered_topics(settings)}
    if not settings.worker.publish_models:
        needed.discard(settings.topics.models)
    if not settings.worker.publish_measurements:
        needed.discard(settings.topics.measurements)
    if not settings.worker.changes:
        needed -= {settings.topics.changes, settings.topics.objects}
    missing = [topic.name for topic in list_topics(settings) if topic.name in needed and not topic.partitions]
    if missing:
        raise UnreachableError(
            f"Kafka has no topic {', '.join(missing)}; make them with `spectraq topics create`"
        )
