"""Reads records: each is a spectrum that can be analysed, or a dead letter that says why not."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from spectraq.schemas import codec
from spectraq.schemas.deadletter import DeadLetterReason
from spectraq.workers.contract.convert import observation
from spectraq.workers.contract.spectrum_body import spectrum_of
from spectraq.workers.contract.writer_schemas import WriterSchemas
from spectraq.workers.deadletters.write import HEADERS, dead_letter
from spectraq.workers.errors import RejectedSpectrum
from spectraq.workers.service.batcher import Item, Readable, Unreadable
from spectraq.workers.settings import Settings
from spectraq.workers.transport.messages import Record, headers_in_words
from spectraq.workers.transport.registry_requests import RegistryAwayError

log = structlog.get_logger(__name__)


class Intake:
    """Decodes and validates, record by record; nothing that a stranger sends makes it raise.

    Parameters
    ----------
    settings
        The settings in force.
    schemas
        Says how to read what carries the number of its schema.
    """

    def __init__(self, settings: Settings, schemas: WriterSchemas) -> None:
        self._max_bytes = settings.kafka.max_message_bytes
        self._max_pixels = settings.worker.max_pixels
        self._schemas = schemas

    def items(self, records: Sequence[Record]) -> list[Item]:
        """Read each record, in order.

        Raises
        ------
        RegistryAwayError
            Where one can't be read before a registry answers: then none is.
        """
        self._schemas.begin_turn()
        return [self._item(record) for record in records]

    def condemned(self, record: Record) -> Unreadable:
        """Give up a record that ends the process whenever it is tried, unread."""
        message = "each time that a worker took it up alone, its process ended"
        return Unreadable(record, dead_letter(record, DeadLetterReason.CRASHES, message))

    def _item(self, record: Record) -> Item:
        if record.damage is not None:
            return Unreadable(record, dead_letter(record, record.damage.reason, record.damage.why))
        if record.tombstone:
            message = "the message has no value: it is a tombstone"
            return Unreadable(record, dead_letter(record, DeadLetterReason.TOMBSTONE, message))
        try:
            if len(record.headers) > HEADERS:
                raise codec.DecodeError(
                    DeadLetterReason.TOO_LARGE,
                    f"{headers_in_words(record.headers)}; at most {HEADERS} are taken",
                )
            spectrum = spectrum_of(
                record.value,
                record.headers,
                record.key,
                max_bytes=self._max_bytes,
                max_pixels=self._max_pixels,
                schemas=self._schemas,
            )
            return Readable(record, spectrum, observation(spectrum, self._max_pixels))
        except (codec.DecodeError, RejectedSpectrum) as error:
            return Unreadable(record, dead_letter(record, error.reason, str(error)))
        except RegistryAwayError:
            raise  # the record is not to blame: it is read again
        except Exception as error:
            # a case nobody thought of must cost one letter, not the night
            log.exception("intake_failed", partition=record.partition, offset=record.offset)
            message = f"reading it failed unexpectedly: {type(error).__name__}"
            return Unreadable(record, dead_letter(record, DeadLetterReason.UNDECODABLE, message))
