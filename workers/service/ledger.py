"""What became of every record: read = published + dead-lettered, or still in hand."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Balance:
    """The ledger at one moment, in records; for the worker that prints it, since it started."""

    read: int  # taken from Kafka, less those given back
    published: int  # with all their results acknowledged
    dead_lettered: int
    cached: int  # of the published: answered from the cache
    duplicate: int  # of the cached: the same spectrum_id was answered before
    given_back: int  # read, then dropped for another owner or another try: they are read again
    reasons: dict[str, int] = field(default_factory=dict)  # dead letters by reason

    @property
    def in_hand(self) -> int:
        """Records read whose fate is not settled."""
        return self.read - self.published - self.dead_lettered

    @property
    def balanced(self) -> bool:
        """Whether every record read has been published or dead-lettered."""
        return self.in_hand == 0

    def as_dict(self) -> dict[str, object]:
        """Return the balance as plain values, for JSON."""
        return asdict(self) | {"in_hand": self.in_hand, "balanced": self.balanced}

    def __str__(self) -> str:
        sign = "=" if self.balanced else "!="
        return (
            f"read {self.read} {sign} published {self.published} + dead-lettered {self.dead_lettered}"
            f" (cached {self.cached}, duplicate {self.duplicate}, given back {self.given_back})"
        )


class Ledger:
    """Counts records as they pass; any thread may count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read = self._published = self._cached = self._duplicate = self._given_back = 0
        self._reasons: dict[str, int] = {}

    def read(self, records: int) -> None:
        """Count records taken from Kafka."""
        with self._lock:
            self._read += records

    def give_back(self, records: int) -> None:
        """Count records that are dropped here and will be read again."""
        with self._lock:
            self._read -= records
            self._given_back += records

    def published(self, spectra: int, cached: int, duplicate: int, reasons: dict[str, int]) -> None:
        """Count one batch whose results and dead letters are all acknowledged."""
        with self._lock:
            self._published += spectra
            self._cached += cached
            self._duplicate += duplicate
            for reason, count in reasons.items():
                self._reasons[reason] = self._reasons.get(reason, 0) + count

    def balance(self) -> Balance:
        """Return the ledger now."""
        with self._lock:
            return Balance(
                self._read,
                self._published,
                sum(self._reasons.values()),
                self._cached,
                self._duplicate,
                self._given_back,
                dict(sorted(self._reasons.items())),
            )
