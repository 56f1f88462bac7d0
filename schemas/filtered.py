"""What a filter let through: the results of one spectrum together, as one object of JSON."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Mapping
from typing import Any

from spectraq.schemas.message import Part

SCHEMA = "Filtered/1.0"
CONTENT_TYPE = "application/json"

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:spectraq:filtered")


class Filtered(Part):
    """The results of a spectrum that passed a filter; its JSON schema is `schemas/json/Filtered/1.0.json`.

    Attributes
    ----------
    filter
        Its name.
    expression_digest
        SHA-256, in hex, of the expression that was asked.
    results
        Each result by the name of its record, as its Avro schema has it; None where it had not come.
    """

    filter: str
    expression_digest: str
    spectrum_id: str
    results: dict[str, dict[str, Any] | None]

    @property
    def filtered_id(self) -> str:
        """A UUID of version 5: the same results and expression give the same."""
        ids = {name: None if of is None else of["result_id"] for name, of in sorted(self.results.items())}
        parts = json.dumps([self.filter, self.expression_digest, ids], separators=(",", ":"))
        return str(uuid.uuid5(_NAMESPACE, parts))

    def to_json(self) -> bytes:
        """Return it as it is published."""
        values = {
            "schema": SCHEMA,
            "filtered_id": self.filtered_id,
            "filter": self.filter,
            "expression_digest": self.expression_digest,
            "spectrum_id": self.spectrum_id,
            "results": self.results,
        }
        try:
            return json.dumps(values, allow_nan=False, separators=(",", ":")).encode()
        except ValueError:  # some number is not finite, which JSON can't say
            return json.dumps(_finite(values), allow_nan=False, separators=(",", ":")).encode()


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_finite(entry) for entry in value]
    return value
