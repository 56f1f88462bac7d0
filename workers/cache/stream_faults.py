"""Faults that the spectra of one exposure, plate or fibre share, as the stream shows them; kept in Redis.

Of each group, and of each survey, the spectra that are not summed up yet wait in a list; whoever brings the
FOLDth sums them up and looks what they share. What a group was known to have when a block of offsets first
asked is kept with the block, and the first spectrum that a fault was found for is the one that tells it: read
again, both are the same. With Redis gone, slow or talking nonsense no fault is known.
"""

from __future__ import annotations

import time
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha1
from typing import Any

import numpy as np

from spectraq.models.anomaly.coarse_residual import (
    LEVELS_A_SIGMA,
    MOST_SIGMA,
    N_STRETCHES,
    read_stretches,
)
from spectraq.models.anomaly.shared_fault import Fault, fault, read, written
from spectraq.models.anomaly.shared_pattern import patterns
from spectraq.models.anomaly.shared_stack import SORTS, STAR, Stack
from spectraq.models.answer import GROUPS, Answer
from spectraq.schemas.results import fault_id
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.cache.guarded_redis import GuardedRedis
from spectraq.workers.cache.keys import block_faults_key, group_key, groups_key
from spectraq.workers.contract.convert import Subject
from spectraq.workers.contract.spectrum_groups import GroupKey, groups_of, survey_of
from spectraq.workers.transport.messages import Record

FOLD = 16
"""Spectra of a group that wait before they are summed up; a few times as many where many come at once."""
REMEMBERED = 1_000
"""A group of which more was seen is halved: sums then fit into 16 bits."""
MOST_GROUPS = 8_000
"""Beyond these, what was added to longest ago is forgotten. With what waits each takes 10 kB."""
MOST_LEVEL = int(MOST_SIGMA * LEVELS_A_SIGMA)
SUMS = "<i2"
TRIES = 3
STAR_MARK, OTHER_MARK = "*", "."
"""Before the stretches of a spectrum that waits."""
BLOCKS_KNOWN = 1024

TAKE = f"""
local full, marked = {{}}, {{}}
for i = 4, #ARGV, 2 do
  local list = ARGV[1] .. ARGV[i] .. ':new'
  local n = redis.call('RPUSH', list, ARGV[i + 1])
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[i])
  redis.call('EXPIRE', list, ARGV[3])
  if n >= {FOLD} and not marked[ARGV[i]] then
    full[#full + 1] = ARGV[i]
    marked[ARGV[i]] = true
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
local over = redis.call('ZCARD', KEYS[1]) - {MOST_GROUPS}
if over > 0 then
  local gone = redis.call('ZPOPMIN', KEYS[1], over)
  for i = 1, #gone, 2 do redis.call('DEL', ARGV[1] .. gone[i], ARGV[1] .. gone[i] .. ':new') end
end
local found = {{}}
for i, name in ipairs(full) do
  local list = ARGV[1] .. name .. ':new'
  found[i] = {{name, redis.call('LRANGE', list, 0, -1)}}
  redis.call('DEL', list)
end
return found
"""
"""Adds what spectra left to their groups' lists, and takes away the lists that are full."""

SAVE = """
local before = redis.call('HGET', KEYS[1], 'sums') or ''
if redis.sha1hex(before) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'sums', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
if before == '' and ARGV[4] ~= '' then
  redis.call('HINCRBY', KEYS[2], ARGV[4], 1)
  redis.call('EXPIRE', KEYS[2], ARGV[3])
end
return 1
"""
"""Writes sums, unless somebody else has since they were read."""

READ = """
local found = {}
for i = 3, #ARGV do
  local faults = redis.call('HGET', KEYS[1], ARGV[i])
  if not faults then
    faults = redis.call('HGET', ARGV[1] .. ARGV[i], 'faults') or ''
    redis.call('HSET', KEYS[1], ARGV[i], faults)
  end
  found[i - 2] = faults
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return found
"""
"""Returns the faults of groups as the block had them when it first asked for them."""

TELL = """
redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return redis.call('HGET', KEYS[1], ARGV[1])
"""
"""Returns where the spectrum was read that tells a fault: the first that asked."""


@dataclass(frozen=True, slots=True)
class Place:
    """A spectrum that is judged: where it was read, and the groups that it is of."""

    block: str
    name: str
    groups: list[GroupKey]


class StreamFaults:
    """What the stream has shown exposures, plates and fibres to have.

    Parameters
    ----------
    redis
        What is asked; whoever made it closes it.
    ensemble_digest
        Of the ensemble in use: what another one's fits leave is not summed up with this one's.
    """

    def __init__(self, redis: GuardedRedis, ensemble_digest: str) -> None:
        self._redis = redis
        self._ensemble = ensemble_digest
        self._prefix = group_key(ensemble_digest, "")
        self._blocks: OrderedDict[str, dict[GroupKey, list[Fault]]] = OrderedDict()

    def of(
        self,
        answers: Sequence[Answer],
        spectra: Sequence[Subject | Spectrum],
        records: Sequence[Record],
        block: int,
    ) -> tuple[list[Answer], list[list[Fault]]]:
        """Return the answers with the faults that they are to tell, and the faults of the groups of each.

        Parameters
        ----------
        spectra, records
            Whose they are, and where each was read.
        block
            Offsets that are judged by the same.
        """
        places = [
            Place(
                f"{record.topic}:{record.partition}:{record.offset // block}",
                f"{record.topic}:{record.partition}:{record.offset}",
                groups_of(spectrum),
            )
            for spectrum, record in zip(spectra, records, strict=True)
        ]
        self._look_up(places)
        faults = [
            [one for key in place.groups for one in self._blocks.get(place.block, {}).get(key, ())]
            for place in places
        ]
        return self._with_told(answers, places, faults), faults

    def learn(self, answers: Sequence[Answer], spectra: Sequence[Subject | Spectrum]) -> None:
        """Add what the networks' fits have left to the groups of the spectra, and look what these share."""
        keys: dict[str, GroupKey] = {}
        arguments: list[str] = []
        for answer, spectrum in zip(answers, spectra, strict=True):
            groups = groups_of(spectrum)
            if not groups or answer.anomaly_evidence is None or not answer.anomaly_evidence.stretches:
                continue
            line = (STAR_MARK if answer.spectype == STAR else OTHER_MARK) + answer.anomaly_evidence.stretches
            for key in [_survey_key(survey_of(spectrum)), *groups]:
                keys[_digest(key)] = key
                arguments += [_digest(key), line]
        if not arguments:
            return
        head = [self._prefix, int(time.time()), self._redis.settings.ttl_s]
        taken = self._redis.run_script("take", TAKE, [([groups_key(self._ensemble)], [*head, *arguments])])
        full = {keys[_text(name)]: lines for name, lines in (taken[0] if taken else ())}
        for _ in range(TRIES):
            full = self._added(full) if full else {}

    def _added(self, full: dict[GroupKey, list[Any]]) -> dict[GroupKey, list[Any]]:
        """Sum spectra up with what is known of their groups; return those that somebody else wrote to."""
        keys = list(dict.fromkeys([*full, *(_survey_key(survey) for survey, _, _ in full)]))
        replies = self._redis.call("sums", lambda: self._known(keys))
        if replies is None:
            return {}
        known = {key: Known(key, *reply) for key, reply in zip(keys, replies, strict=True)}
        for key, lines in full.items():
            known[key].add(lines)
        runs = [
            (
                [self._place(key), self._place(_survey_key(key[0]))],
                [sha1(known[key].before).hexdigest(), known[key].sums, self._redis.settings.ttl_s, key[1]],
            )
            for key in full
        ]
        saved = self._redis.run_script("save", SAVE, runs)
        if saved is None:
            return {}
        done = [key for key, reply in zip(full, saved, strict=True) if reply]
        texts = {
            key: text
            for key in done
            if key[1] and (text := known[key].found(known[_survey_key(key[0])])) is not None
        }
        if texts:
            self._redis.call("faults", lambda: self._write(texts))
        return {key: lines for key, lines in full.items() if key not in done}

    def _known(self, keys: Sequence[GroupKey]) -> list[Any]:
        with self._redis.client.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.hmget(self._place(key), ["sums", "faults", *GROUPS])
            return pipeline.execute()

    def _write(self, texts: dict[GroupKey, str]) -> list[Any]:
        with self._redis.client.pipeline(transaction=False) as pipeline:
            for key, text in texts.items():
                pipeline.hset(self._place(key), "faults", text)
            return pipeline.execute()

    def _place(self, key: GroupKey) -> str:
        return group_key(self._ensemble, _digest(key))

    def _look_up(self, places: Sequence[Place]) -> None:
        """Ask for the groups of each block that are not known here yet, in one round trip."""
        wanted: dict[str, dict[GroupKey, None]] = defaultdict(dict)
        for place in places:
            known = self._blocks.get(place.block, {})
            wanted[place.block] |= {key: None for key in place.groups if key not in known}
            if place.block in self._blocks:
                self._blocks.move_to_end(place.block)
        asked = {block: list(keys) for block, keys in wanted.items() if keys}
        if not asked:
            return
        ttl_s = self._redis.settings.ttl_s
        runs = [
            ([block_faults_key(self._ensemble, block)], [self._prefix, ttl_s, *map(_digest, keys)])
            for block, keys in asked.items()
        ]
        replies = self._redis.run_script("faults", READ, runs) or ()
        for (block, keys), texts in zip(asked.items(), replies, strict=False):
            of_block = self._blocks.setdefault(block, {})
            for key, text in zip(keys, texts, strict=True):
                of_block[key] = _faults(text)
        while len(self._blocks) > max(BLOCKS_KNOWN, len(wanted)):
            self._blocks.popitem(last=False)

    def _with_told(
        self, answers: Sequence[Answer], places: Sequence[Place], faults: Sequence[Sequence[Fault]]
    ) -> list[Answer]:
        """Have each fault told by the first spectrum that was judged with it, whoever reads it again."""
        first: dict[str, tuple[str, GroupKey]] = {}
        for place in places:
            for key in place.groups:
                for one in self._blocks.get(place.block, {}).get(key, ()):
                    first.setdefault(one.told.fault_id, (place.name, key))
        if not first:
            return list(answers)
        ttl_s = self._redis.settings.ttl_s
        runs = [
            ([group_key(self._ensemble, _digest(key))], [f"told:{name}", place, ttl_s])
            for name, (place, key) in first.items()
        ]
        tellers = self._redis.run_script("tell", TELL, runs)
        if tellers is None:
            return list(answers)
        told_at = {name: _text(teller) for name, teller in zip(first, tellers, strict=True)}
        return [
            replace(
                answer,
                anomaly_reported=tuple(
                    one.told for one in of_each if told_at[one.told.fault_id] == place.name
                ),
            )
            for answer, place, of_each in zip(answers, places, faults, strict=True)
        ]


class Known:
    """What is known of a group, or of a survey, in Redis, and what is added to it.

    Parameters
    ----------
    key
        The group; a survey's has no sort and no name.
    sums, faults
        As they were written, None where there are none.
    counts
        Of a survey: how many groups of each sort it has.
    """

    def __init__(self, key: GroupKey, sums: Any, faults: Any, *counts: Any) -> None:
        self._key = key
        self.before = sums if isinstance(sums, bytes) else b""
        self.stack = _stack(self.before)
        self._faulty = bool(faults)
        self.groups = dict(zip(GROUPS, map(_number, counts), strict=True))
        self._members = read_stretches([])

    def add(self, lines: Sequence[Any]) -> None:
        """Add spectra; none where they are not what `StreamFaults.learn` wrote."""
        try:
            texts = [line.decode("ascii") for line in lines]
            self._members = read_stretches([text[1:] for text in texts])
        except (ValueError, AttributeError):
            return
        spectypes = [STAR if text[0] == STAR_MARK else "" for text in texts]
        self.stack = _halved(self.stack + Stack.of(self._members.levels, spectypes))

    @property
    def sums(self) -> bytes:
        """Return the sums as they are written."""
        return np.stack([self.stack.total, self.stack.count]).astype(SUMS).tobytes()

    def found(self, survey: Known) -> str | None:
        """Return the faults that the group shares as text; None where nothing changes."""
        name_of_survey, sort, name = self._key
        shared = patterns(self.stack, survey.stack - self.stack, survey.groups[sort] - 1)
        if not shared:
            return "" if self._faulty else None
        faults = [
            fault(
                one, fault_id(name_of_survey, sort, name, one.kind), (sort, name), self.stack.n, self._members
            )
            for one in shared
        ]
        return written(faults)


def _survey_key(survey: str) -> GroupKey:
    return survey, "", ""


def _digest(key: GroupKey) -> str:
    return sha1("\0".join(key).encode()).hexdigest()[:20]


def _text(reply: Any) -> str:
    return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else str(reply)


def _number(reply: Any) -> int:
    return int(reply) if isinstance(reply, bytes) and reply.isdigit() else 1


def _faults(text: bytes) -> list[Fault]:
    """Read the faults of a group; none where there are none, or what is there can't be any."""
    try:
        return read(text.decode()) if text else []
    except ValueError:
        return []


def _stack(sums: Any) -> Stack:
    """Read sums; those of no spectra where there are none, or what is there can't be any."""
    shape = (2, SORTS, N_STRETCHES)
    if not isinstance(sums, bytes) or len(sums) != np.dtype(SUMS).itemsize * np.prod(shape):
        return Stack.empty()
    total, count = np.frombuffer(sums, SUMS).astype(np.int32).reshape(shape)
    sane = (count >= 0).all() and (count <= REMEMBERED).all() and (np.abs(total) <= MOST_LEVEL * count).all()
    return Stack(total, count) if sane else Stack.empty()


def _halved(stack: Stack) -> Stack:
    while stack.n > REMEMBERED:
        count = stack.count // 2
        stack = Stack(np.clip(stack.total // 2, -MOST_LEVEL * count, MOST_LEVEL * count), count)
    return stack
