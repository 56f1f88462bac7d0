"""The archive of many spectra: bytes a row, files, how fast it is written, and how long five questions take.

    python benchmarks/archive.py --spectra 1000000 --nights 40

Results of some thousand spectra go the way that the sink goes (bytes of Avro, message, row, columns), which
says how fast that is. Their columns are then written again and again with other names, places and digits, as
the commits of a survey's nights, compacted, and asked.
"""

from __future__ import annotations

import argparse
import datetime
import shutil
import statistics
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from spectraq.schemas import codec
from spectraq.workers.archive.catalogue import tables_of
from spectraq.workers.archive.columns import KINDS, batch_of, row_of
from spectraq.workers.archive.compaction import compact
from spectraq.workers.archive.places import MJD_ZERO, healpix_indices
from spectraq.workers.archive.query import Archive
from spectraq.workers.archive.table import ArchiveTable
from spectraq.workers.settings import load_settings
from spectraq.workers.transport.messages import Record
from tests.support.results import FIRST_NIGHT, results

NIGHT = MJD_ZERO + datetime.timedelta(days=FIRST_NIGHT)
QUESTIONS = {
    "quasars of z 2 to 3 of a night": "SELECT spectrum_id, ra, dec, z, zerr FROM redshifts"
    f" WHERE night = '{NIGHT}' AND spectype = 'QSO' AND z BETWEEN 2 AND 3 AND zwarn = 0",
    "anomalies by reason": "SELECT kind, count(*) AS n, max(strength) AS strongest FROM reasons"
    " WHERE flagged GROUP BY kind ORDER BY n DESC",
    "a cone of 1 deg": "SELECT spectrum_id, ra, dec, z FROM redshifts WHERE in_cone(ra, dec, {ra}, {dec}, 1)",
    "n(z) by night": "SELECT night, floor(z / 0.1) * 0.1 AS bin, count(*) AS n FROM redshifts"
    " WHERE spectype = 'GALAXY' AND zwarn = 0 GROUP BY ALL ORDER BY ALL",
    "dead letters by reason": "SELECT reason, count(*) AS n FROM dead_letters GROUP BY reason",
    "all of one spectrum": "SELECT * FROM spectra WHERE spectrum_id = '{spectrum_id}'",
}
NAMES = ("result_id", "spectrum_id", "spectrum_digest", "target_id")


def made(spectra: int) -> tuple[dict[str, pa.RecordBatch], float]:
    """Columns of results that went the sink's way, by table, and how many messages a second that were."""
    bodies: dict[str, list[bytes]] = defaultdict(list)
    for number in range(spectra):
        for table, message in results(number):
            bodies[table].append(codec.encode(message))
    begun = time.process_time()
    batches = {}
    for table, of_table in bodies.items():
        rows = []
        for offset, body in enumerate(of_table):
            record = Record("topic", 0, offset, b"key", body, (), 1_760_000_000_000)
            rows.append(row_of(record, codec.decode(body, expect=KINDS[table])))
        batches[table] = batch_of(table, rows)
    return batches, sum(map(len, bodies.values())) / (time.process_time() - begun)


def varied(array: pa.Array, rng: np.random.Generator) -> pa.Array:
    """The same values with other last digits, as of other spectra."""
    kind = array.type
    if pa.types.is_floating(kind):
        noise = 1 + 1e-6 * rng.normal(size=len(array))
        return pa.compute.multiply(array, pa.array(noise))
    if pa.types.is_list(kind):
        return pa.ListArray.from_arrays(array.offsets, varied(array.values, rng), type=kind)
    if pa.types.is_map(kind):
        return pa.MapArray.from_arrays(array.offsets, array.keys, varied(array.items, rng))
    if pa.types.is_struct(kind):
        return pa.StructArray.from_arrays(
            [varied(array.field(i), rng) for i in range(len(kind))], fields=list(kind)
        )
    return array


def night_of(batch: pa.RecordBatch, first: int, night: int, rng: np.random.Generator) -> pa.RecordBatch:
    """The rows of a commit of a night, from a number on, in one field of 3 deg."""
    n = batch.num_rows
    columns = {
        name: varied(column, rng) for name, column in zip(batch.schema.names, batch.columns, strict=True)
    }
    field = np.random.default_rng(first)  # the same in all tables
    ra = (field.uniform(0, 360) + field.uniform(-1.5, 1.5, n)) % 360
    dec = np.clip(np.degrees(np.arcsin(field.uniform(-0.3, 1))) + field.uniform(-1.5, 1.5, n), -90, 90)
    columns["night"] = pa.array([NIGHT + datetime.timedelta(days=night)] * n, pa.date32())
    columns["kafka_offset"] = pa.array(np.arange(first, first + n))
    if "ra" in columns:
        healpix = healpix_indices(ra.tolist(), dec.tolist())
        cells = [index >> 50 for index in healpix if index is not None]
        columns |= {"ra": pa.array(ra), "dec": pa.array(dec), "healpix_29": pa.array(healpix, pa.int64())}
        columns["healpix_cell"] = pa.array(cells, pa.int32())
        columns["mjd"] = pa.array(FIRST_NIGHT + night + field.uniform(0.1, 0.4, n))
        names = {
            "result_id": [str(uuid.UUID(bytes=rng.bytes(16))) for _ in range(n)],
            "spectrum_id": [f"survey-{first + i:09d}" for i in range(n)],
            "spectrum_digest": [field.bytes(32).hex() for _ in range(n)],
            "target_id": [str(39_000_000_000_000_000 + first + i) for i in range(n)],
        }
        columns |= {name: pa.array(names[name]) for name in NAMES}
    return pa.RecordBatch.from_arrays([columns[name] for name in batch.schema.names], schema=batch.schema)


def fill(
    folder: Path, batches: dict[str, pa.RecordBatch], spectra: int, nights: int
) -> Iterator[tuple[int, float]]:
    """Write all commits; yields rows and seconds of each, without those that making them took."""
    rng = np.random.default_rng(1)
    tables = {name: ArchiveTable(str(folder), name, "night", {}) for name in batches}
    step = batches["redshifts"].num_rows
    for number, first in enumerate(range(0, spectra, step)):
        for name, batch in batches.items():
            source = ("topic", 0)
            if (tables[name].next_offset(source) or 0) > first:
                continue  # another run wrote it
            rows = night_of(batch, first, number * nights * step // spectra, rng)
            begun = time.monotonic()
            tables[name].append([rows], {source: first + step})
            yield rows.num_rows, time.monotonic() - begun


def sizes(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Rows, bytes and files of each table as it is now."""
    found = {}
    for name, table in tables_of(str(folder), {}).items():
        added = pa.table(table.get_add_actions(flatten=True))
        rows, size = (sum(added.column(column).to_pylist()) for column in ("num_records", "size_bytes"))
        found[name] = rows, size, added.num_rows
    return found


def ask(archive: Archive, sql: str) -> tuple[int, float]:
    """Rows of the answer, and the median of the seconds of three times."""
    times, rows = [], 0
    for _ in range(3):
        begun = time.monotonic()
        _, batches = archive.ask(sql)
        rows = sum(batch.num_rows for batch in batches)
        times.append(time.monotonic() - begun)
    return rows, statistics.median(times)


def questions(folder: Path, when: str) -> None:
    """Ask all questions and print how long each took."""
    begun = time.monotonic()
    archive = Archive(str(folder), {})
    print(f"{when}: opened in {time.monotonic() - begun:.2f} s")
    _, first = archive.ask("SELECT spectrum_id, ra, dec FROM redshifts ORDER BY spectrum_id LIMIT 1")
    (of_one,) = pa.Table.from_batches(first).to_pylist()
    for name, sql in QUESTIONS.items():
        rows, seconds = ask(archive, sql.format(**of_one))
        print(f"  {name:32s} {rows:7d} rows {seconds:8.3f} s")


def main() -> None:
    """Fill, measure, compact, measure again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spectra", type=int, default=20_000)
    parser.add_argument("--nights", type=int, default=4)
    parser.add_argument("--made", type=int, default=5_000, help="spectra of a commit")
    parser.add_argument("--folder", type=Path, help="where it is left, and continued; else it is removed")
    options = parser.parse_args()
    folder: Any = options.folder or Path(tempfile.mkdtemp(prefix="spectraq-archive-"))
    batches, rate = made(options.made)
    print(f"from bytes to columns: {rate:.0f} messages a second of one core")
    written = list(fill(folder, batches, options.spectra, options.nights))
    if written:
        rows, seconds = map(sum, zip(*written, strict=True))
        print(f"written: {rows} rows in {len(written)} commits, {rows / seconds:.0f} rows a second")
    for name, (n, size, files) in sizes(folder).items():
        print(f"  {name:16s} {n:9d} rows {size / n:7.1f} bytes a row {files:6d} files")
    questions(folder, "as written")
    begun = time.monotonic()
    done = dict(compact(list(batches), str(folder), load_settings().archive, {}))
    removed = sum(said["files_removed"] for said in done.values())
    print(f"compacted: {removed} files in {time.monotonic() - begun:.1f} s")
    for name, (n, size, files) in sizes(folder).items():
        print(f"  {name:16s} {n:9d} rows {size / n:7.1f} bytes a row {files:6d} files")
    questions(folder, "compacted")
    if options.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
