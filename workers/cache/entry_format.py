"""How an answer is kept in the cache: compact, versioned, checked, and never code.

An entry is a 16-byte BLAKE2b digest (keyed with `redis.signing_key` where one is set) and then deflated JSON:
names of lines and quantities are most of an answer that was measured, and shrink to a quarter. The digest is
of its place, too: an entry that was copied to another place is not believed there. What does not carry the
right digest, inflates beyond all measure, or does not have an answer's fields and types, is no entry: the
networks are asked. Floats are written with as many digits as they need to come back exactly.
"""

from __future__ import annotations

import hashlib
import hmac
import zlib
from dataclasses import fields
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model

from spectraq.models.answer import Answer
from spectraq.workers.contract.convert import Subject

DIGEST_BYTES = 16
MAX_ENTRY_BYTES = 1 << 20
"""As JSON: fifty times the largest answer seen; more is not ours."""
QUICKEST = 1
"""Of zlib's levels: the others take four times as long for a tenth less."""

# a validator of the whole dataclass would need one for the arrays of its model, and takes no options
_FIELDS = tuple(field.name for field in fields(Answer) if field.name != "model")
_hints = get_type_hints(Answer)
_columns: dict[str, Any] = {name: (_hints[name], ...) for name in _FIELDS}
_Entry: type[BaseModel] = create_model(
    "Entry", __config__=ConfigDict(ser_json_inf_nan="constants", extra="forbid"), **_columns
)
_adapter: TypeAdapter[Any] = TypeAdapter(_Entry)


class Latest(BaseModel):
    """What was last answered under a spectrum's id."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: Subject
    digest: str  # of the ensemble
    version: str  # of the ensemble


def pack_answer(answer: Answer, place: str, key: bytes) -> bytes:
    """Return the entry of an answer at a place of Redis, with what was measured but without its model."""
    entry = _Entry.model_construct(**{name: getattr(answer, name) for name in _FIELDS})
    return _sealed(_adapter.dump_json(entry), place, key)


def unpack_answer(entry: bytes | None, place: str, key: bytes) -> Answer | None:
    """Return the answer of an entry, or None where it is missing, damaged, of another place or not ours."""
    body = _opened(entry, place, key)
    if body is None:
        return None
    try:
        checked = _adapter.validate_json(body)
    except ValidationError:
        return None
    return Answer(**{name: getattr(checked, name) for name in _FIELDS})


def pack_latest(latest: Latest, place: str, key: bytes) -> bytes:
    """Return the entry that says what was last answered under an id."""
    return _sealed(latest.model_dump_json().encode(), place, key)


def unpack_latest(entry: bytes | None, place: str, key: bytes) -> Latest | None:
    """Return what was last answered under an id, or None as with `unpack_answer`."""
    body = _opened(entry, place, key)
    if body is None:
        return None
    try:
        return Latest.model_validate_json(body)
    except ValidationError:
        return None


def seal(body: bytes, place: str, key: bytes) -> bytes:
    """Return bytes with the digest that says that they are ours and belong to a place of Redis."""
    return _digest(body, place, key) + body


def unseal(entry: bytes | None, place: str, key: bytes) -> bytes | None:
    """Return the bytes of an entry, or None where it is missing, damaged, of another place or not ours."""
    if entry is None or len(entry) <= DIGEST_BYTES:
        return None
    body = entry[DIGEST_BYTES:]
    return body if hmac.compare_digest(entry[:DIGEST_BYTES], _digest(body, place, key)) else None


def _sealed(json: bytes, place: str, key: bytes) -> bytes:
    body = zlib.compress(json, QUICKEST)
    return _digest(body, place, key) + body


def _opened(entry: bytes | None, place: str, key: bytes) -> bytes | None:
    if entry is None or not DIGEST_BYTES < len(entry) <= MAX_ENTRY_BYTES:
        return None
    body = entry[DIGEST_BYTES:]
    if not hmac.compare_digest(entry[:DIGEST_BYTES], _digest(body, place, key)):
        return None
    inflating = zlib.decompressobj()
    try:
        json = inflating.decompress(body, MAX_ENTRY_BYTES)
    except zlib.error:
        return None
    return json if inflating.eof else None


def _digest(body: bytes, place: str, key: bytes) -> bytes:
    return hashlib.blake2b(body + place.encode(), digest_size=DIGEST_BYTES, key=key[:64]).digest()
