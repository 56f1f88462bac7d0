"""Dead letters as their topic holds them now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import structlog

from spectraq.schemas.codec import DecodeError, decode
from spectraq.schemas.deadletter import DeadLetter, DeadLetterReason
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.contract.spectrum_body import spectrum_of
from spectraq.workers.contract.writer_schemas import OURS, WriterSchemas
from spectraq.workers.errors import SpectraqError
from spectraq.workers.settings import Settings
from spectraq.workers.transport.follower import Follower

QUIET_S = 0.5

log = structlog.get_logger(__name__)


class Letter(NamedTuple):
    """A dead letter, where it lies, and since when (milliseconds since 1970 UTC)."""

    partition: int
    offset: int
    set_aside_ms: int
    letter: DeadLetter

    @property
    def place(self) -> str:
        """PARTITION:OFFSET."""
        return f"{self.partition}:{self.offset}"

    @property
    def origin(self) -> str:
        """TOPIC:PARTITION:OFFSET of the message that it was; the last offset, too, where it was a batch."""
        return f"{self.letter.topic}:{self.letter.place}"

    def spectrum(self, schemas: WriterSchemas = OURS) -> Spectrum:
        """Return the spectrum that it was; `schemas` says how to read what carries the number of its schema.

        Raises
        ------
        DecodeError
            Where it was none.
        RegistryAwayError
            Where a registry has to be asked for its schema, and does not answer.
        """
        if self.letter.last_offset is not None:
            raise DecodeError(
                DeadLetterReason.UNREADABLE_BATCH, "it is a record batch that could not be read"
            )
        schemas.begin_turn()
        return spectrum_of(self.letter.value, self.letter.headers, self.letter.key, schemas=schemas)


def every_letter(settings: Settings) -> Iterator[Letter]:
    """Read every dead letter that is there now, oldest first in each partition.

    Raises
    ------
    UnreachableError
        Where Kafka does not answer.
    """
    with Follower(settings, [settings.topics.dead_letters], from_beginning=True) as follower:
        while True:
            for record in follower.poll(QUIET_S):
                try:
                    letter = decode(record.value, record.headers, expect=DeadLetter)
                except DecodeError as error:
                    place = f"{record.partition}:{record.offset}"
                    log.warning("no_dead_letter_of_ours", letter=place, error=str(error))
                    continue
                yield Letter(record.partition, record.offset, record.timestamp_ms, letter)
            if follower.drained():
                return


def letter_at(settings: Settings, partition: int, offset: int) -> Letter:
    """Find one letter.

    Raises
    ------
    SpectraqError
        Where there is none.
    """
    for placed in every_letter(settings):
        if (placed.partition, placed.offset) == (partition, offset):
            return placed
    raise SpectraqError(
        f"no dead letter at {partition}:{offset} in {settings.topics.dead_letters}; see `spectraq dlq list`"
    )
