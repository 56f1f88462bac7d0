"""Anomaly thresholds that follow the stream: what is normal for each survey, class and S/N, kept in Redis.

Workers add what they have seen and read what all have seen, a round trip a batch each. What a block of
offsets was judged by is kept in Redis, too: a spectrum that is read again after a crash is judged by the same
numbers, so that its Anomaly has the same bytes. With Redis gone, slow or talking nonsense the shipped
reference judges, and every Anomaly says which did.
"""

from __future__ import annotations

import math
from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from spectraq.models.anomaly.judge import FLAG_RATE
from spectraq.models.anomaly.stream_cells import BULK_RATE, LEAST_SPECTRA, Cell, cell_names
from spectraq.models.answer import Answer
from spectraq.workers.cache.guarded_redis import GuardedRedis
from spectraq.workers.cache.keys import block_key, stream_key
from spectraq.workers.transport.messages import Record

REMEMBERED = 4_000
"""A cell that has seen more is halved: a night's instrument is not last month's."""
LEARN = f"""
local n = redis.call('HINCRBY', KEYS[1], ARGV[1] .. ' n', ARGV[2])
redis.call('HINCRBYFLOAT', KEYS[1], ARGV[1] .. ' depth', ARGV[3])
if n > {REMEMBERED} then
  local depth = tonumber(redis.call('HGET', KEYS[1], ARGV[1] .. ' depth'))
  redis.call('HSET', KEYS[1], ARGV[1] .. ' n', math.floor(n / 2), ARGV[1] .. ' depth', tostring(depth / 2))
end
redis.call('EXPIRE', KEYS[1], ARGV[4])
return n
"""
"""Adds to a cell, all at once: workers add to the same cells at the same time."""

BLOCK = 64
"""Offsets of a partition that are judged by the same numbers."""
BLOCKS_KNOWN = 1024
"""Blocks whose numbers a worker need not ask for again."""
READ = """
local found = {}
for i, name in ipairs(ARGV) do
  if i > 1 then
    local cell = redis.call('HGET', KEYS[2], name)
    if not cell then
      local seen = redis.call('HMGET', KEYS[1], name .. ' n', name .. ' depth')
      cell = (seen[1] or '') .. ' ' .. (seen[2] or '')
      redis.call('HSET', KEYS[2], name, cell)
    end
    found[i - 1] = cell
  end
end
redis.call('EXPIRE', KEYS[2], ARGV[1])
return found
"""
"""Returns cells as the block had them when it first asked for them."""


class StreamReference:
    """What the stream has shown to be normal.

    Parameters
    ----------
    redis
        What is asked; whoever made it closes it.
    ensemble_digest
        Of the ensemble in use: what another one's scores were is not compared with this one's.
    """

    def __init__(self, redis: GuardedRedis, ensemble_digest: str, enabled: bool = True) -> None:
        self._redis = redis
        self._ensemble = ensemble_digest
        self._key = stream_key(ensemble_digest)
        self._enabled = enabled and redis.settings.enabled
        self._blocks: OrderedDict[str, dict[str, Cell | None]] = OrderedDict()

    def judge(
        self, answers: Sequence[Answer], surveys: Sequence[str | None], records: Sequence[Record]
    ) -> list[Answer]:
        """Return the answers with their anomalies judged by what the stream has shown.

        An answer of a cell that has not seen enough comes back as it is.

        Parameters
        ----------
        records
            Where each spectrum was read.
        """
        if not self._enabled:
            return list(answers)
        names = [_cells(answer, survey) for answer, survey in zip(answers, surveys, strict=True)]
        blocks = [_block(record) for record in records]
        self._look_up(blocks, names)
        return [
            _judged(answer, several, self._blocks.get(block, {}))
            for answer, several, block in zip(answers, names, blocks, strict=True)
        ]

    def learn(self, answers: Sequence[Answer], surveys: Sequence[str | None]) -> None:
        """Add answers, as the networks gave them, to what the stream has shown."""
        depths: dict[str, list[float]] = defaultdict(list)
        for answer, survey in zip(answers, surveys, strict=True):
            if answer.anomaly_false_positive_rate > BULK_RATE:
                for name in _cells(answer, survey):
                    depths[name].append(-math.log(answer.anomaly_false_positive_rate))
        if not depths or not self._enabled:
            return
        ttl_s = self._redis.settings.ttl_s
        runs = [
            ([self._key], [name, len(several), repr(sum(several)), ttl_s]) for name, several in depths.items()
        ]
        self._redis.run_script("learn", LEARN, runs)

    def _look_up(self, blocks: Sequence[str], names: Sequence[Sequence[str]]) -> None:
        """Ask for the cells of each block that are not known here yet, in one round trip."""
        wanted: dict[str, set[str]] = defaultdict(set)
        for block, several in zip(blocks, names, strict=True):
            wanted[block].update(name for name in several if name not in self._blocks.get(block, {}))
        for block in wanted.keys() & self._blocks.keys():
            self._blocks.move_to_end(block)
        asked = {block: sorted(missing) for block, missing in wanted.items() if missing}
        if not asked:
            return
        ttl_s = self._redis.settings.ttl_s
        runs = [
            ([self._key, block_key(self._ensemble, block)], [ttl_s, *missing])
            for block, missing in asked.items()
        ]
        cells_of_blocks = self._redis.run_script("read", READ, runs) or ()
        for (block, missing), cells in zip(asked.items(), cells_of_blocks, strict=False):
            cells_of_block = self._blocks.setdefault(block, {})
            cells_of_block |= {name: _parsed(cell) for name, cell in zip(missing, cells, strict=True)}
        while len(self._blocks) > max(BLOCKS_KNOWN, len(wanted)):
            self._blocks.popitem(last=False)


def _block(record: Record) -> str:
    return f"{record.topic}:{record.partition}:{record.offset // BLOCK}"


def _cells(answer: Answer, survey: str | None) -> tuple[str, str, str]:
    return cell_names(survey, answer.spectype, answer.snr)


def _parsed(text: bytes) -> Cell | None:
    """Read a cell, or None where it is missing or can't be one."""
    try:
        n, depth = text.split()
        cell = Cell(int(n), float(depth))
    except ValueError:
        return None
    return cell if cell.valid else None


def _judged(answer: Answer, names: Sequence[str], cells: Mapping[str, Cell | None]) -> Answer:
    """Judge by the narrowest cell that has seen enough; by the answer's own reference where none has."""
    usable = ((name, cell) for name in names if (cell := cells.get(name)) and cell.n >= LEAST_SPECTRA)
    name, cell = next(usable, ("", None))
    if cell is None:
        return answer
    rate = cell.rate(answer.anomaly_false_positive_rate)
    return replace(
        answer,
        anomaly_false_positive_rate=rate,
        anomaly_score=-math.log10(rate),
        anomaly_flagged=rate < FLAG_RATE,
        anomaly_reference=f"{answer.anomaly_reference}, adapted to {cell.n} of {name}",
    )
