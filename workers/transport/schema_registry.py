"""A Schema Registry with Confluent's interface: which schema has a number, and which number has ours.

What it said of a number holds for ever. Where it doesn't answer it is asked again after rests that grow, and
whoever asks in between is told at once.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

import structlog
from pydantic_core import from_json

from spectraq.workers.errors import SpectraqError
from spectraq.workers.feed_settings import SchemaRegistrySettings
from spectraq.workers.transport.registry_requests import RegistryAwayError, ask

MOST_SCHEMAS = 1000
"""Kept at once; of more the one that was not asked for the longest is asked anew."""

UNKNOWN_S = 10.0
"""A number that the registry doesn't know is asked for again after this: a schema may be registered late."""

MOST_REFERENCES = 32
FIRST_REST_S, LONGEST_REST_S = 0.1, 5.0

log = structlog.get_logger(__name__)

Key = int | UUID
"""What names a schema: a number, or a GUID, which is the same in every registry."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A schema as the registry keeps it."""

    kind: str  # AVRO, JSON, PROTOBUF
    document: Any = None  # of AVRO, as JSON gives it
    named: tuple[Any, ...] = ()  # schemas that it refers to, each after those that it refers to itself
    fault: str = ""  # why nothing can be read with it


class SchemaRegistry:
    """Asks, and remembers.

    Parameters
    ----------
    settings
        With an address.
    failed
        Called each time that it does not answer.
    """

    def __init__(self, settings: SchemaRegistrySettings, failed: Callable[[], None] = lambda: None) -> None:
        self._settings = settings
        self._failed = failed
        self._lock = threading.RLock()
        self._known: OrderedDict[Key, tuple[Registered | None, float]] = OrderedDict()
        self._missing: Key | None = None  # asked for in vain, since it is away
        self._rest_s = FIRST_REST_S
        self._asks_again = 0.0
        self._deadline = 0.0
        self.trouble = ""

    def begin_turn(self) -> None:
        """Give a turn of a loop its time for schemas: `timeout_s`, however many it needs."""
        self._deadline = time.monotonic() + self._settings.timeout_s

    def schema(self, key: Key) -> Registered | None:
        """Return the schema of a number or a GUID; None where the registry has none.

        Raises
        ------
        RegistryAwayError
            Where the registry does not answer.
        """
        with self._lock:
            known = self._known.get(key)
            if known is None or (known[0] is None and time.monotonic() > known[1]):
                known = self._learned(key)
            self._known.move_to_end(key)
            return known[0]

    def answers(self) -> bool:
        """Return whether it may be asked: where it was away, once it has told what was asked for in vain."""
        if self._missing is None:
            return True
        if time.monotonic() < self._asks_again:
            return False
        self.begin_turn()
        try:
            self.schema(self._missing)
        except RegistryAwayError:
            return False
        return True

    def check(self) -> None:
        """Ask for nothing but an answer.

        Raises
        ------
        RegistryAwayError
            Where there is none, or none of a registry.
        """
        self.begin_turn()
        status, _ = self._ask("/schemas/types")
        if status != http.client.OK:
            raise RegistryAwayError(
                f"there is no Schema Registry at {self._settings.url}: it answers {status}"
            )

    def register(self, subject: str, document: Any) -> int:
        """Register a schema where it is not, and return its number.

        Raises
        ------
        RegistryAwayError
            Where the registry does not answer.
        SpectraqError
            Where it refuses the schema, with its reason.
        """
        return self._number(f"/subjects/{quote(subject, safe='')}/versions", subject, document)

    def number(self, subject: str, document: Any) -> int:
        """Return the number of a schema that is registered.

        Raises
        ------
        RegistryAwayError
            Where the registry does not answer.
        SpectraqError
            Where the schema is not registered for this subject.
        """
        return self._number(f"/subjects/{quote(subject, safe='')}", subject, document)

    def _number(self, path: str, subject: str, document: Any) -> int:
        self.begin_turn()
        status, said = self._ask(path, {"schema": json.dumps(document)})
        if status != http.client.OK or not isinstance(said.get("id"), int):
            why = said.get("message") or f"it answers {status}"
            raise SpectraqError(f"{self._settings.url} has no number for {subject}: {why}")
        return int(said["id"])

    def _learned(self, key: Key) -> tuple[Registered | None, float]:
        if self._missing is not None and time.monotonic() < self._asks_again:
            raise RegistryAwayError(self.trouble)
        try:
            schema = self._fetched(key)
        except RegistryAwayError as error:
            self._note_away(key, str(error))
            raise
        self._note_well()
        self._known[key] = schema, time.monotonic() + UNKNOWN_S
        if len(self._known) > MOST_SCHEMAS:
            self._known.popitem(last=False)
        return self._known[key]

    def _fetched(self, key: Key) -> Registered | None:
        path = f"/schemas/guids/{key}" if isinstance(key, UUID) else f"/schemas/ids/{key}"
        status, said = self._ask(path)
        if status == http.client.NOT_FOUND:
            self._check_address(said)
            return None
        if not isinstance(said.get("schema"), str):
            raise RegistryAwayError(f"{self._settings.url}{path} answers {status} without a schema")
        kind = said.get("schemaType") or "AVRO"
        if kind != "AVRO":
            return Registered(str(kind))
        try:
            named = tuple(self._referred(said, set()))
        except (KeyError, TypeError, ValueError) as error:
            return Registered("AVRO", fault=f"what it refers to can't be had: {error}")
        return Registered("AVRO", _document(said["schema"]), named)

    def _check_address(self, said: dict[str, Any]) -> None:
        """Tell a registry that doesn't know a schema from an address where there is no registry."""
        if "error_code" not in said and self._ask("/schemas/types")[0] != http.client.OK:
            raise RegistryAwayError(f"there is no Schema Registry at {self._settings.url}: it answers 404")

    def _referred(self, said: dict[str, Any], passed: set[tuple[str, int]]) -> list[Any]:
        """Return the schemas that one refers to, each after those that it refers to itself."""
        documents: list[Any] = []
        for reference in said.get("references") or ():
            subject, version = str(reference["subject"]), int(reference["version"])
            if (subject, version) in passed:
                continue
            passed.add((subject, version))
            if len(passed) > MOST_REFERENCES:
                raise ValueError(f"more than {MOST_REFERENCES} others")
            _, other = self._ask(f"/subjects/{quote(subject, safe='')}/versions/{version}")
            documents += self._referred(other, passed)
            documents.append(_document(other["schema"]))
        return documents

    def _ask(self, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        return ask(self._settings, "GET" if body is None else "POST", path, self._deadline, body)

    def _note_away(self, key: Key, why: str) -> None:
        self._failed()
        self._missing, self.trouble = key, why
        self._asks_again = time.monotonic() + self._rest_s
        log.warning("schema_registry_away", error=why, schema=str(key), next_try_s=self._rest_s)
        self._rest_s = min(2 * self._rest_s, LONGEST_REST_S)

    def _note_well(self) -> None:
        if self._missing is not None:
            log.info("schema_registry_back", schema=str(self._missing))
        self._missing, self.trouble, self._rest_s = None, "", FIRST_REST_S


def _document(text: str) -> Any:
    """Return an Avro schema as JSON gives it; a name alone may stand without quotation marks."""
    try:
        return from_json(text)
    except ValueError:
        return text
