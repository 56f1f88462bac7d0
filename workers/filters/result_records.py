"""Which records a filter may speak of: the results that a deployment publishes, each by its name."""

from __future__ import annotations

from dataclasses import dataclass

from spectraq.schemas.codec import MESSAGES
from spectraq.schemas.results import Classification, ModelSpectrum, Result
from spectraq.workers.contract.gathered_results import RESULT_KINDS
from spectraq.workers.settings import Settings

LEAD = Classification
"""The record that every spectrum has one of, and by which the others are found."""


@dataclass(frozen=True, slots=True)
class ResultRecord:
    """One kind of result.

    Attributes
    ----------
    name
        What expressions call it: its `kind`.
    record
        Its class.
    topic
        That it comes on.
    always
        Whether every spectrum has one.
    absent
        Why it isn't published here; empty where it is.
    """

    name: str
    record: type[Result]
    topic: str
    always: bool
    absent: str = ""


def result_records(settings: Settings) -> dict[str, ResultRecord]:
    """Return every kind of result but best fits by its name, the leading one first.

    A record is known by being a `Result` among the messages and by a topic of its plural name.
    """
    kinds = [kind for kind in MESSAGES.values() if issubclass(kind, Result) and kind is not ModelSpectrum]
    found = {}
    for kind in sorted(kinds, key=lambda kind: kind is not LEAD):
        topic = getattr(settings.topics, plural(kind.kind), "")
        always = kind in RESULT_KINDS or (kind.kind == "measurement")
        found[kind.kind] = ResultRecord(kind.kind, kind, topic, always, _absent(settings, kind.kind, topic))
    return found


def plural(kind: str) -> str:
    """Return the name of the topic setting of a kind of result."""
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


def _absent(settings: Settings, name: str, topic: str) -> str:
    if not topic:
        return f"there is no topic of it in the settings (topics.{plural(name)})"
    if name == "measurement" and not settings.worker.publish_measurements:
        return "worker.publish_measurements is false"
    return ""
