"""One table of the archive: rows, and how far each partition was read, in one transaction.

Delta Lake keeps a number beside the rows of a commit for whoever names itself (`txn` actions): here the next
offset, by partition. A commit is refused where another one has moved the number of one of its partitions
since this table was looked at. So whoever else believes to own a partition, no message of it is there twice.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from spectraq.workers.archive.columns import plain_schema_of, schema_of
from spectraq.workers.errors import DeliveryError, SettingsError

STATISTICS = (
    "healpix_29",
    "kafka_partition",
    "kafka_offset",
    "ra",
    "dec",
    "mjd",
    "spectype",
    "z",
    "zwarn",
    "score",
    "flagged",
    "reason",
)
"""Columns whose least and largest value stands beside each file, so that a query opens only some."""

COMPRESSION: Final = "ZSTD"
BY_CELL = "healpix_cell"

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

Source = tuple[str, int]
"""Identity of a topic, which no other one will ever have, and number of a partition."""


class RefusedError(DeliveryError):
    """Another sink has written rows of the same partition."""


def address(url: str, table: str) -> str:
    """Return where a table of an archive is."""
    return f"{url.rstrip('/')}/{table}"


class ArchiveTable:
    """A table that rows are added to.

    Parameters
    ----------
    url
        Of the archive.
    name
        Of the table, as of `schema_of`.
    partition_by
        "night" or "healpix", of a table that is made here.
    storage
        Options of the object store.

    Raises
    ------
    SettingsError
        Where there is a table that is partitioned in another way, or where none can be made.
    """

    def __init__(self, url: str, name: str, partition_by: str, storage: Mapping[str, str]) -> None:
        self.name = name
        self.schema = schema_of(name)
        self._uri = address(url, name)
        self._storage = dict(storage)
        by_cell = partition_by == "healpix" and BY_CELL in self.schema.names
        self._written: dict[Source, int | None] = {}  # as we know it
        self._folders = [BY_CELL if by_cell else "night"]
        self._table = self._opened_or_made()
        have = self._table.metadata().partition_columns
        if have != self._folders:
            raise SettingsError(
                f"archive.partition_by: {self._uri} is partitioned by {', '.join(have) or 'nothing'},"
                f" not by {self._folders[0]}; say the same, or write to another place"
            )

    def _opened_or_made(self) -> DeltaTable:
        try:
            return DeltaTable(self._uri, storage_options=self._storage)
        except TableNotFoundError:
            pass
        except (DeltaError, OSError, ValueError) as error:
            raise SettingsError(f"archive {self._uri}: {one_line(error)}") from error
        kept = [name for name in STATISTICS if name in self.schema.names and name not in self._folders]
        try:
            return DeltaTable.create(
                self._uri,
                schema=self.schema,
                mode="ignore",  # another sink may be quicker
                partition_by=self._folders,
                storage_options=self._storage,
                configuration={"delta.dataSkippingStatsColumns": ",".join(kept)},
            )
        except (DeltaError, OSError, ValueError) as error:
            raise SettingsError(f"archive {self._uri} can't be made: {one_line(error)}") from error

    def refresh(self) -> None:
        """Look at what others have written.

        Raises
        ------
        DeliveryError
            Where the table can't be read.
        """
        with self._explained("can't be read"):
            self._table.update_incremental()

    def next_offset(self, source: Source) -> int | None:
        """Return the offset behind the last message of a partition that is in the table, as of `refresh`.

        What is appended next begins there, or is refused.
        """
        self._written[source] = number = self._table.transaction_version(_name(source))
        return number

    def append(self, batches: Sequence[pa.RecordBatch], offsets: Mapping[Source, int]) -> None:
        """Add rows, and move the offsets of their partitions, or neither.

        Raises
        ------
        RefusedError
            Where another sink has moved one of these since `next_offset`.
        DeliveryError
            Where they could not be written. They may be there all the same: only `refresh` says.
        """
        for source in offsets:
            # a commit takes in what others wrote meanwhile, to this partition, too
            if self._table.transaction_version(_name(source)) != self._written.get(source):
                raise RefusedError(f"archive {self._uri}: another sink has written partition {source[1]}")
        now = int(time.time() * 1000)
        moved = [Transaction(_name(source), offset, now) for source, offset in offsets.items()]
        with self._explained("rows could not be written"):
            write_deltalake(
                self._table,
                pa.Table.from_batches(batches, plain_schema_of(self.name)),
                mode="append",
                schema_mode="merge",
                commit_properties=CommitProperties(app_transactions=moved),
                writer_properties=WriterProperties(compression=COMPRESSION),
            )
        self._written |= offsets

    def remembered(self, offsets: Mapping[Source, int], many: int) -> Iterator[tuple[int, int, str]]:
        """Yield partition, offset and `result_id` of the last rows of partitions, in no order.

        Parameters
        ----------
        offsets
            Of each partition, the offset behind the last row.
        many
            How many offsets before that are looked at.

        Raises
        ------
        DeliveryError
            Where the table can't be read.
        """
        if not offsets or not many or "result_id" not in self.schema.names:
            return
        partition, offset = ds.field("kafka_partition"), ds.field("kafka_offset")
        wanted = None
        for (_, number), end in offsets.items():
            here = (partition == number) & (offset >= end - many) & (offset < end)
            wanted = here if wanted is None else wanted | here
        with self._explained("can't be read"):
            rows = self._table.to_pyarrow_dataset()
            scanned = rows.scanner(columns=["kafka_partition", "kafka_offset", "result_id"], filter=wanted)
            for batch in scanned.to_batches():
                yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

    def compact(self, file_bytes: int) -> dict[str, int]:
        """Make small files of a folder one, delete what nobody has needed for a week, and say what was done.

        Readers go on: what they read stays for that week.

        Raises
        ------
        RefusedError
            Where another sink does the same.
        DeliveryError
            Where it failed.
        """
        with self._explained("could not be compacted"):
            self._table.update_incremental()
            done = self._table.optimize.compact(
                target_size=file_bytes, writer_properties=WriterProperties(compression=COMPRESSION)
            )
            deleted = self._table.vacuum(dry_run=False)  # keeps a week, as the library does by itself
            self._table.cleanup_metadata()
        return {
            "files_removed": done["numFilesRemoved"],
            "files_added": done["numFilesAdded"],
            "files_deleted": len(deleted),
        }

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except CommitFailedError as error:
            raise RefusedError(f"archive {self._uri}: {what}: {one_line(error)}") from error
        except (DeltaError, OSError, ValueError, pa.ArrowException) as error:
            raise DeliveryError(f"archive {self._uri}: {what}: {one_line(error)}") from error


def _name(source: Source) -> str:
    topic, partition = source
    return f"kafka/{topic}/{partition}"


def one_line(error: BaseException) -> str:
    """Return what an error says, in one line and without the library's colours."""
    return " ".join(_COLOUR.sub("", str(error)).split()) or type(error).__name__
