"""Our schemas in a Schema Registry: registered for our topics, and found there, for the frames of results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from spectraq.schemas.registry import Schema, newest
from spectraq.workers.errors import SpectraqError
from spectraq.workers.settings import Settings
from spectraq.workers.topic_settings import Topics
from spectraq.workers.transport.schema_registry import SchemaRegistry

OUR_NUMBERS: Mapping[str, int] = {}
"""Frames say the numbers that our schemas have by themselves."""


class Subject(NamedTuple):
    """A schema of ours under the name that registries give what is on a topic."""

    name: str
    schema: Schema
    number: int


def register_schemas(settings: Settings) -> list[Subject]:
    """Register the newest schema of what is on each topic where it is not; nothing without a registry.

    Raises
    ------
    UnreachableError
        Where the registry does not answer.
    SpectraqError
        Where it refuses a schema.
    """
    if settings.kafka.schema_registry.url is None:
        return []
    registry = SchemaRegistry(settings.kafka.schema_registry)
    return [
        Subject(name, schema, registry.register(name, schema.document))
        for name, schema in _subjects(settings.topics)
    ]


def result_numbers(settings: Settings) -> Mapping[str, int]:
    """Return what workers write into the frame of each kind of record, where it is not our own number.

    Raises
    ------
    UnreachableError
        Where the registry does not answer.
    SpectraqError
        Where it lacks a schema of ours.
    """
    if not settings.kafka.schema_registry.frame_results:
        return OUR_NUMBERS
    registry = SchemaRegistry(settings.kafka.schema_registry)
    try:
        return {
            schema.record: registry.number(name, schema.document)
            for name, schema in _subjects(settings.topics)
        }
    except SpectraqError as error:
        raise type(error)(f"{error}; `spectraq topics create` registers the schemas of spectraq") from None


def _subjects(topics: Topics) -> list[tuple[str, Schema]]:
    """Return the name and the schema of what is on each topic, as Confluent's clients name it."""
    records = dict.fromkeys(topics.of_spectra, "Spectrum") | {
        topics.classifications: "Classification",
        topics.redshifts: "Redshift",
        topics.anomalies: "Anomaly",
        topics.models: "ModelSpectrum",
        topics.measurements: "Measurement",
        topics.changes: "Change",
        topics.objects: "RememberedSpectrum",
        topics.dead_letters: "DeadLetter",
        topics.verdicts: "Verdict",
    }
    found = [(f"{topic}-value", newest(record)) for topic, record in records.items()]
    return [(name, schema) for name, schema in found if schema is not None]
