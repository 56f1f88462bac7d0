"""The memory of objects: earlier spectra in Redis, found by name and by position.

An object is a hash of its spectra without their pixels; pixels have keys of their own. Cells of the sky hold
the objects in them. A spectrum is written and its predecessors are looked up in one step of the server, which
says when: of two that come at the same moment to two workers one is the earlier, and read again it is still.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import ValidationError

from spectraq.models.change.separation import separation_arcsec
from spectraq.workers.cache.entry_format import seal, unseal
from spectraq.workers.cache.guarded_redis import GuardedRedis
from spectraq.workers.cache.keys import object_cell_key, object_key, object_pixels_key
from spectraq.workers.contract.object_choice import Remembered, Said, Seen
from spectraq.workers.contract.object_names import object_id_of
from spectraq.workers.settings import RedisSettings, Settings

ORDER = 15
"""Of the cells, which are 6.4 arcsec wide: what lies within 3 arcsec is in one or in a neighbour."""
MOST_IN_CELL = 256
"""Objects of one cell that are found by position; the others by name alone."""
US_DIGITS = 16
ANSWER = "answer:"
"""Before the name of the spectrum: the field of what was answered of it."""

CLAIM = f"""
local entry = redis.call('HGET', KEYS[1], ARGV[1])
if not entry or ARGV[5] ~= '' then
  local now = redis.call('TIME')
  local us = ARGV[5]
  if us == '' then us = string.format('%0{US_DIGITS}.0f', now[1] * 1000000 + now[2]) end
  entry = us .. ARGV[2]
  redis.call('SET', KEYS[2], ARGV[3])
  redis.call('HSET', KEYS[1], ARGV[1], entry)
  if KEYS[3] and redis.call('HLEN', KEYS[3]) < {MOST_IN_CELL} then
    redis.call('HSET', KEYS[3], ARGV[6], ARGV[4])
  end
end
local near = {{}}
for i = 3, #KEYS do
  local objects = redis.call('HGETALL', KEYS[i])
  for j = 1, #objects do near[#near + 1] = objects[j] end
end
return {{string.sub(entry, 1, {US_DIGITS}), redis.call('HGETALL', KEYS[1]), near}}
"""
"""Remembers a spectrum unless it is known; returns since when, its object's spectra and what lies around."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A spectrum that is remembered: since when, and what else is known of its object.

    Attributes
    ----------
    same_name
        Spectra of its own name, itself among them.
    known
        These, and those of other names near its position.
    """

    since_us: int
    same_name: tuple[Seen, ...]
    known: tuple[Seen, ...]


class ObjectMemory:
    """What Redis remembers of objects.

    Parameters
    ----------
    redis
        What is asked; whoever made it closes it.
    radius_arcsec
        Within which objects of other names are looked at.
    """

    def __init__(self, redis: GuardedRedis, radius_arcsec: float) -> None:
        self._redis = redis
        self._radius = radius_arcsec
        key = redis.settings.signing_key
        self._key = key.get_secret_value().encode() if key else b""

    def claim(
        self, spectra: Sequence[tuple[Remembered, bytes]], since_us: Sequence[int] | None = None
    ) -> list[Claim] | None:
        """Remember spectra that are not known yet, and return what is known of each one's object.

        Parameters
        ----------
        spectra
            Each with its framed Spectrum.
        since_us
            When each was remembered, as its durable record says, whatever Redis has; None: now.

        Returns
        -------
        list of Claim, or None
            In the order given; None where Redis gave no answer.
        """
        if not spectra:
            return []
        cells = _cells([one for one, _ in spectra])
        times = [f"{us:0{US_DIGITS}d}" for us in since_us] if since_us else [""] * len(spectra)
        runs = [
            self._run(one, body, around, us)
            for (one, body), around, us in zip(spectra, cells, times, strict=True)
        ]
        replies = self._redis.run_script("claim", CLAIM, runs)
        if replies is None:
            return None
        near = [self._near(one, reply[2]) for (one, _), reply in zip(spectra, replies, strict=True)]
        others = self.of_ids(sorted({name for names in near for name in names}))
        if others is None:
            return None
        claims = []
        for (one, _), (since, own, _), names in zip(spectra, replies, near, strict=True):
            same_name = self._entries(object_id_of(one.object), _pairs(own))
            around = [seen for name in names for seen in others[name]]
            claims.append(Claim(int(since), tuple(same_name), (*same_name, *around)))
        return claims

    def of_ids(self, ids: Sequence[str]) -> dict[str, list[Seen]] | None:
        """Return the spectra of objects by their ids (`object_id_of`), None where Redis gave no answer."""
        if not ids:
            return {}

        def get() -> list[Any]:
            with self._redis.client.pipeline(transaction=False) as pipeline:
                for name in ids:
                    pipeline.hgetall(object_key(name))
                return pipeline.execute()

        replies = self._redis.call("objects", get)
        if replies is None:
            return None
        return {
            name: self._entries(name, list(reply.items())) for name, reply in zip(ids, replies, strict=True)
        }

    def near(self, ra: float, dec: float, radius_arcsec: float) -> list[str] | None:
        """Return the ids of objects within a distance of a position (deg, ICRS), None without an answer."""
        place = Remembered(
            object="-", name="-", spectrum_id="-", spectrum_digest="-", ra=ra, dec=dec, snr=0.0
        )

        def get() -> list[Any]:
            with self._redis.client.pipeline(transaction=False) as pipeline:
                for cell in _cells([place])[0]:
                    pipeline.hgetall(object_cell_key(cell))
                return pipeline.execute()

        replies = self._redis.call("near", get)
        if replies is None:
            return None
        found = [part for reply in replies for pair in reply.items() for part in pair]
        return _within(ra, dec, found, radius_arcsec)

    def pixels(self, wanted: Sequence[Remembered]) -> list[bytes | None]:
        """Return the framed Spectrum of each; None of those that are not there."""
        if not wanted:
            return []
        keys = [object_pixels_key(object_id_of(one.object), one.name) for one in wanted]
        entries = self._redis.call("pixels", lambda: self._redis.client.mget(keys))
        if entries is None:
            return [None] * len(wanted)
        return [unseal(entry, key, self._key) for entry, key in zip(entries, keys, strict=True)]  # type: ignore[arg-type]

    def settle(self, answered: Sequence[tuple[Remembered, Said]], gone: Sequence[Remembered]) -> bool:
        """Keep what was answered, forget what is gone, and say whether Redis did."""
        if not answered and not gone:
            return True

        def write() -> list[Any]:
            with self._redis.client.pipeline(transaction=False) as pipeline:
                for one, said in answered:
                    whole = object_key(object_id_of(one.object))
                    field = ANSWER + one.name
                    body = said.model_dump_json(exclude_none=True).encode()
                    pipeline.hset(whole, field, seal(body, f"{whole}:{field}", self._key))
                for one in gone:
                    self._forget(pipeline, one.object, one.name)
                return pipeline.execute()

        return self._redis.call("settle", write) is not None

    def forget(self, gone: Sequence[tuple[str, str]]) -> bool:
        """Forget spectra by the names of their objects and their own, and say whether Redis did."""

        def delete() -> list[Any]:
            with self._redis.client.pipeline(transaction=False) as pipeline:
                for name, spectrum in gone:
                    self._forget(pipeline, name, spectrum)
                return pipeline.execute()

        return not gone or self._redis.call("forget", delete) is not None

    def objects(self) -> Iterator[list[Seen]]:
        """Yield the spectra of each object, in no order.

        Raises
        ------
        redis.exceptions.RedisError
            Where Redis does not answer.
        """
        for key in self._redis.client.scan_iter(match=object_key("*"), count=1000):
            name = key.decode("latin-1").rpartition(":")[2]
            found = self.of_ids([name])
            if found is not None and found[name]:
                yield found[name]

    def said(self, seen: Sequence[Remembered]) -> list[Said]:
        """Return what was answered of each, nothing where that is not known."""

        def get() -> list[Any]:
            with self._redis.client.pipeline(transaction=False) as pipeline:
                for one in seen:
                    pipeline.hget(object_key(object_id_of(one.object)), ANSWER + one.name)
                return pipeline.execute()

        replies = self._redis.call("said", get) if seen else []
        found = []
        for one, entry in zip(seen, replies or [None] * len(seen), strict=True):
            place = f"{object_key(object_id_of(one.object))}:{ANSWER}{one.name}"
            body = unseal(entry, place, self._key)
            try:
                found.append(Said.model_validate_json(body) if body else Said())
            except ValidationError:
                found.append(Said())
        return found

    @staticmethod
    def _forget(pipeline: Any, object_name: str, name: str) -> None:
        known = object_id_of(object_name)
        pipeline.hdel(object_key(known), name, ANSWER + name)
        pipeline.delete(object_pixels_key(known, name))

    def _run(self, one: Remembered, body: bytes, around: list[int], us: str) -> tuple[list[str], list[Any]]:
        name = object_id_of(one.object)
        whole, pixels = object_key(name), object_pixels_key(name, one.name)
        summary = seal(one.model_dump_json(exclude_none=True).encode(), f"{whole}:{one.name}", self._key)
        place = json.dumps([one.ra, one.dec]) if around else ""
        keys = [whole, pixels, *map(object_cell_key, around)]
        return keys, [one.name, summary, seal(body, pixels, self._key), place, us, name]

    def _near(self, one: Remembered, found: list[Any]) -> list[str]:
        if one.ra is None or one.dec is None:
            return []
        own = object_id_of(one.object)
        return [name for name in _within(one.ra, one.dec, found, self._radius) if name != own]

    def _entries(self, name: str, fields: Sequence[tuple[bytes, bytes]]) -> list[Seen]:
        """Return the spectra of an object's hash; what is damaged or not ours is left out."""
        whole = object_key(name)
        found: list[Seen] = []
        for field, entry in fields:
            if field.startswith(ANSWER.encode()):
                continue
            us = entry[:US_DIGITS]
            body = unseal(entry[US_DIGITS:], f"{whole}:{field.decode('latin-1')}", self._key)
            if body is None or not us.isdigit():
                continue
            try:
                found.append((int(us), Remembered.model_validate_json(body)))
            except ValidationError:
                continue
        return found


def object_redis(settings: Settings) -> RedisSettings | None:
    """Return the Redis that the memory has of its own, None where it shares that of the cache."""
    if settings.objects.url is None:
        return None
    return settings.redis.model_copy(update={"url": settings.objects.url})


def _cells(spectra: Sequence[Remembered]) -> list[list[int]]:
    """Return the cell of each position and its neighbours, nothing where there is no position."""
    placed = [i for i, one in enumerate(spectra) if one.ra is not None and one.dec is not None]
    cells: list[list[int]] = [[] for _ in spectra]
    if not placed:
        return cells
    import astropy.units as u
    from astropy_healpix import lonlat_to_healpix, neighbours

    lon = np.array([spectra[i].ra for i in placed], float) * u.deg
    lat = np.array([spectra[i].dec for i in placed], float) * u.deg
    own = np.atleast_1d(lonlat_to_healpix(lon, lat, 1 << ORDER, order="nested"))
    around = neighbours(own, 1 << ORDER, order="nested")
    for i, cell, beside in zip(placed, own.tolist(), around.T.tolist(), strict=True):
        cells[i] = [cell, *(one for one in beside if one >= 0)]  # at eight points of the sky three cells meet
    return cells


def _pairs(flat: list[Any]) -> list[tuple[bytes, bytes]]:
    return list(zip(flat[::2], flat[1::2], strict=True))


def _within(ra: float, dec: float, found: list[Any], radius_arcsec: float) -> list[str]:
    """Return the ids of the objects of some cells that lie within a distance."""
    near = []
    for name, place in _pairs(found):
        try:
            other_ra, other_dec = map(float, json.loads(place))
        except (ValueError, TypeError):
            continue
        apart = separation_arcsec(ra, dec, other_ra, other_dec)
        if apart is not None and apart <= radius_arcsec:
            near.append(name.decode("latin-1"))
    return near
