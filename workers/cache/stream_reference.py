"""Anomaly thresholds that follow the stream: what is normal for each survey, kept in Redis.

Workers add what they have seen and read what all have seen, a round trip a batch each. What a block of
offsets was judged by is kept in Redis, too: a spectrum that is read again after a crash is judged by the same
numbers, so that its Anomaly has the same bytes. With Redis gone, slow or talking nonsense every spectrum is
judged alone, and every Anomaly says which it was.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from spectraq.models import shipped
from spectraq.models.anomaly.group import BINS, LEAST_GROUP, Group
from spectraq.models.anomaly.kinds import KINDS
from spectraq.models.answer import Answer
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.cache.guarded_redis import GuardedRedis
from spectraq.workers.cache.keys import block_key, stream_key
from spectraq.workers.contract.spectrum_groups import groups_of
from spectraq.workers.transport.messages import Record

if TYPE_CHECKING:
    from spectraq.models.anomaly.in_group import KnownGroup
    from spectraq.models.anomaly.reference import Reference
    from spectraq.workers.cache.stream_faults import StreamFaults

REMEMBERED = 4_000
"""A survey of which more was seen is halved: a night's instrument is not last month's."""
MOST_SURVEYS = 1_000
"""Names that nobody knows take no more memory than these."""
LEARN = f"""
local counts, i, n = {{}}, 0, 0
local known = redis.call('HGET', KEYS[1], ARGV[1]) or ''
for count in known:gmatch('%S+') do
  i = i + 1
  counts[i] = tonumber(count)
end
local whole = i == {len(KINDS) * BINS}
if not whole and redis.call('HLEN', KEYS[1]) >= {MOST_SURVEYS} then return 0 end
i = 0
for count in ARGV[2]:gmatch('%S+') do
  i = i + 1
  counts[i] = (whole and counts[i] or 0) + tonumber(count)
  if i <= {BINS} then n = n + counts[i] end
end
for j = 1, i do
  counts[j] = string.format('%d', n > {REMEMBERED} and math.floor(counts[j] / 2) or counts[j])
end
redis.call('HSET', KEYS[1], ARGV[1], table.concat(counts, ' ', 1, i))
redis.call('EXPIRE', KEYS[1], ARGV[3])
return n
"""
"""Adds to the counts of a survey, all at once: workers add to the same at the same time."""

BLOCK = 64
"""Offsets of a partition that are judged by the same numbers."""
BLOCKS_KNOWN = 1024
"""Blocks whose numbers a worker need not ask for again."""
READ = """
local found = {}
for i, name in ipairs(ARGV) do
  if i > 1 then
    local counts = redis.call('HGET', KEYS[2], name)
    if not counts then
      counts = redis.call('HGET', KEYS[1], name) or ''
      redis.call('HSET', KEYS[2], name, counts)
    end
    found[i - 1] = counts
  end
end
redis.call('EXPIRE', KEYS[2], ARGV[1])
return found
"""
"""Returns the counts of surveys as the block had them when it first asked for them."""


class StreamReference:
    """What the stream has shown to be normal.

    What judges needs torch, and is imported with the first spectrum that there is something to judge by.

    Parameters
    ----------
    redis
        What is asked; whoever made it closes it.
    ensemble_digest
        Of the ensemble in use: what another one's scores were is not compared with this one's.
    normal
        What the answers were judged by alone; None for the one that comes with the package.
    """

    def __init__(
        self,
        redis: GuardedRedis,
        ensemble_digest: str,
        enabled: bool = True,
        normal: Reference | None = None,
    ) -> None:
        self._redis = redis
        self._ensemble = ensemble_digest
        self._key = stream_key(ensemble_digest)
        self._enabled = enabled and redis.settings.enabled
        self._given_normal = normal
        self._blocks: OrderedDict[str, dict[str, KnownGroup | None]] = OrderedDict()

    @cached_property
    def _normal(self) -> Reference:
        from spectraq.models.anomaly.reference import Reference

        return self._given_normal or Reference.load(shipped.FOLDER)

    @cached_property
    def _faults(self) -> StreamFaults:
        from spectraq.workers.cache.stream_faults import StreamFaults

        return StreamFaults(self._redis, self._ensemble)

    def judge(
        self,
        answers: Sequence[Answer],
        surveys: Sequence[str | None],
        records: Sequence[Record],
        spectra: Sequence[Spectrum] = (),
    ) -> list[Answer]:
        """Return the answers with their anomalies judged by what the stream has shown.

        An answer of a survey of which too little was seen comes back as it is.

        Parameters
        ----------
        records
            Where each spectrum was read.
        spectra
            Where they are given, each is judged without the faults that its exposure, plate and fibre have.
        """
        if not self._enabled:
            return list(answers)
        names = [_name(survey) for survey in surveys]
        blocks = [_block(record) for record in records]
        self._look_up(blocks, names)
        groups = [self._blocks.get(block, {}).get(name) for block, name in zip(blocks, names, strict=True)]
        adapted = self._in_groups(answers, groups)
        if not any(map(groups_of, spectra)):
            return adapted
        told, faults = self._faults.of(adapted, spectra, records, BLOCK)
        if not any(faults):
            return told
        from spectraq.models.anomaly.without_shared import judged_without

        return judged_without(told, faults, groups, self._normal)

    def learn(
        self,
        answers: Sequence[Answer],
        surveys: Sequence[str | None],
        spectra: Sequence[Spectrum] = (),
    ) -> None:
        """Add answers, as the networks gave them, to what the stream has shown; spectra as of `judge`."""
        if self._enabled and any(map(groups_of, spectra)):
            self._faults.learn(answers, spectra)
        seen: dict[str, list[tuple[float, ...]]] = defaultdict(list)
        for answer, survey in zip(answers, surveys, strict=True):
            if answer.anomaly_evidence is not None:
                seen[_name(survey)].append(answer.anomaly_evidence.strangeness)
        if not seen or not self._enabled:
            return
        ttl_s = self._redis.settings.ttl_s
        runs = [([self._key], [name, _written(Group.of(several)), ttl_s]) for name, several in seen.items()]
        self._redis.run_script("learn", LEARN, runs)

    def _in_groups(self, answers: Sequence[Answer], groups: Sequence[KnownGroup | None]) -> list[Answer]:
        if not any(groups):
            return list(answers)
        from spectraq.models.anomaly.in_group import judged_in_groups

        return judged_in_groups(answers, groups, self._normal)

    def _look_up(self, blocks: Sequence[str], names: Sequence[str]) -> None:
        """Ask for the surveys of each block that are not known here yet, in one round trip."""
        wanted: dict[str, set[str]] = defaultdict(set)
        for block, name in zip(blocks, names, strict=True):
            if name not in self._blocks.get(block, {}):
                wanted[block].add(name)
        for block in set(blocks) & self._blocks.keys():
            self._blocks.move_to_end(block)
        if not wanted:
            return
        ttl_s = self._redis.settings.ttl_s
        asked = {block: sorted(missing) for block, missing in wanted.items()}
        runs = [
            ([self._key, block_key(self._ensemble, block)], [ttl_s, *missing])
            for block, missing in asked.items()
        ]
        counts_of_blocks = self._redis.run_script("read", READ, runs) or ()
        for (block, missing), counts in zip(asked.items(), counts_of_blocks, strict=False):
            of_block = self._blocks.setdefault(block, {})
            for name, text in zip(missing, counts, strict=True):
                of_block[name] = self._known(name, text)
        while len(self._blocks) > max(BLOCKS_KNOWN, len(set(blocks))):
            self._blocks.popitem(last=False)

    def _known(self, name: str, text: bytes) -> KnownGroup | None:
        group = _parsed(text)
        if group is None:
            return None
        from spectraq.models.anomaly.in_group import known_group

        return known_group(name, group, self._normal)


def _block(record: Record) -> str:
    return f"{record.topic}:{record.partition}:{record.offset // BLOCK}"


def _name(survey: str | None) -> str:
    return (survey or "unknown").lower()


def _written(group: Group) -> str:
    return " ".join(map(str, group.counts.ravel().tolist()))


def _parsed(text: bytes) -> Group | None:
    """Read the counts of a survey, or None where they are missing or can't be any."""
    try:
        counts = np.array([int(count) for count in text.split()], dtype=np.int64)
    except (ValueError, OverflowError):
        return None
    if counts.size != len(KINDS) * BINS or counts.min() < 0:
        return None
    group = Group(counts.reshape(len(KINDS), BINS))
    # Every kind was counted as often, but for what halving rounds off.
    return group if group.counts.sum(1).min() >= LEAST_GROUP and group.n <= 2 * REMEMBERED else None
