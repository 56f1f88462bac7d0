"""SQL over an archive that a sink wrote: answers, helpers, errors that help, and nothing but reading."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from spectraq.schemas.message import Message
from spectraq.workers.archive.catalogue import tables_of
from spectraq.workers.archive.columns import batch_of, row_of, schema_of
from spectraq.workers.archive.compaction import compact
from spectraq.workers.archive.query import Archive, QueryError
from spectraq.workers.archive.table import ArchiveTable
from spectraq.workers.settings import load_settings
from spectraq.workers.transport.messages import Record
from tests.support.commandline import CommandLine
from tests.support.results import results

SPECTRA = 200


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of 200 spectra, written in four commits."""
    folder = tmp_path_factory.mktemp("archive")
    fill(folder, SPECTRA, 4)
    return folder


def fill(folder: Path, spectra: int, commits: int) -> dict[str, list[Message]]:
    """Write the results of numbered spectra without a Kafka."""
    messages: dict[str, list[Message]] = {}
    for number in range(spectra):
        for table, message in results(number, nights=4):
            messages.setdefault(table, []).append(message)
    for name, of_table in messages.items():
        table = ArchiveTable(str(folder), name, "night", {})
        step = math.ceil(len(of_table) / commits)
        for begin in range(0, len(of_table), step):
            rows = [
                row_of(Record("topic", 0, begin + i, b"", b"", (), 1_700_000_000_000), message)
                for i, message in enumerate(of_table[begin : begin + step])
            ]
            table.next_offset(("topic", 0))
            table.append([batch_of(name, rows)], {("topic", 0): begin + len(rows)})
    return messages


@pytest.fixture(scope="module")
def ask(archive: Path) -> Callable[[str], list[dict[str, Any]]]:
    opened = Archive(str(archive), {})

    def answer(sql: str) -> list[dict[str, Any]]:
        schema, batches = opened.ask(sql)
        rows: list[dict[str, Any]] = pa.Table.from_batches(batches, schema).to_pylist()
        return rows

    return answer


def expected(table: str) -> list[Any]:
    pairs = [pair for number in range(SPECTRA) for pair in results(number, nights=4)]
    return [message for name, message in pairs if name == table]


Ask = Callable[[str], list[dict[str, Any]]]


def test_quasars_of_a_night_are_those_that_were_published(ask: Ask) -> None:
    asked = "night = '2025-11-23' AND spectype = 'QSO' AND z BETWEEN 2 AND 3"
    rows = ask(f"SELECT spectrum_id FROM redshifts WHERE {asked}")
    wanted = {
        message.spectrum_id
        for message in expected("redshifts")
        if int(message.mjd) == 61002 and message.spectype == "QSO" and 2 <= message.z <= 3
    }
    assert {row["spectrum_id"] for row in rows} == wanted and wanted


def test_anomalies_are_counted_by_their_reasons(ask: Ask) -> None:
    rows = ask("SELECT kind, count(*) AS n FROM reasons WHERE flagged GROUP BY kind")
    kinds = [reason.kind for message in expected("anomalies") for reason in message.reasons]
    assert {row["kind"]: row["n"] for row in rows} == {kind: kinds.count(kind) for kind in set(kinds)}
    assert kinds


def test_a_cone_holds_what_astropy_says_is_in_it(ask: Ask) -> None:
    messages = expected("redshifts")
    for ra, dec, radius in ((messages[0].ra, messages[0].dec, 0.5), (messages[9].ra, messages[9].dec, 2.0)):
        rows = ask(f"SELECT spectrum_id FROM redshifts WHERE in_cone(ra, dec, {ra}, {dec}, {radius})")
        places = SkyCoord([m.ra for m in messages], [m.dec for m in messages], unit="deg")
        inside = places.separation(SkyCoord(ra, dec, unit="deg")) <= radius * u.deg
        wanted = {message.spectrum_id for message, is_in in zip(messages, inside, strict=True) if is_in}
        assert {row["spectrum_id"] for row in rows} == wanted and len(wanted) > 1


def test_separations_are_right_over_the_pole_and_across_the_first_meridian(ask: Ask) -> None:
    pairs = [(359.9, 0.0, 0.1, 0.0), (10.0, 89.0, 190.0, 89.0), (0.0, 0.0, 180.0, 0.0), (5.0, 5.0, 5.0, 5.0)]
    for ra1, dec1, ra2, dec2 in pairs:
        (row,) = ask(f"SELECT separation({ra1}, {dec1}, {ra2}, {dec2}) AS deg")
        wanted = SkyCoord(ra1, dec1, unit="deg").separation(SkyCoord(ra2, dec2, unit="deg")).deg
        assert row["deg"] == pytest.approx(wanted, abs=1e-9)


def test_a_spectrum_is_one_row_with_all_that_is_known_of_it(ask: Ask) -> None:
    rows = ask("SELECT spectrum_id, p_qso, z, flagged, len(lines) AS n FROM spectra")
    assert len(rows) == len({row["spectrum_id"] for row in rows}) == SPECTRA
    by_id = {row["spectrum_id"]: row for row in rows}
    for classification, redshift in zip(expected("classifications"), expected("redshifts"), strict=True):
        row = by_id[redshift.spectrum_id]
        assert (row["p_qso"], row["z"]) == (classification.class_probability["QSO"], redshift.z)


def test_lines_quantities_and_letters_can_be_asked_for(ask: Ask) -> None:
    (row,) = ask("SELECT count(*) AS n, avg(flux) AS flux FROM lines WHERE name = 'Halpha'")
    fluxes = [line.flux for m in expected("measurements") for line in m.lines if line.name == "Halpha"]
    assert (row["n"], row["flux"]) == (len(fluxes), pytest.approx(np.mean(fluxes)))
    (row,) = ask("SELECT count(*) AS n FROM quantities WHERE name = 'd4000'")
    assert row["n"] == SPECTRA
    rows = ask("SELECT reason, count(*) AS n FROM dead_letters GROUP BY reason")
    assert sum(row["n"] for row in rows) == len(expected("dead_letters")) > 0


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT spectyp FROM redshifts", "spectype"),
        ("SELECT z FROM redshift", "did you mean redshifts?"),
        ("SELEC z FROM redshifts", "syntax error"),
        ("SELECT 1; SELECT 2", "only one SELECT"),
        ("DROP VIEW spectra", "only one SELECT"),
        ("COPY (SELECT 1) TO 'file.csv'", "only one SELECT"),
        ("SELECT * FROM read_csv('/etc/hostname')", "disabled"),
        ("SET memory_limit = '1GB'", "only one SELECT"),
        ("", "only one SELECT"),
        ("SELECT CAST(spectrum_id AS INTEGER) FROM redshifts", "survey-0"),
    ],
)
def test_what_can_not_be_answered_is_one_line_that_helps(ask: Ask, sql: str, said: str) -> None:
    with pytest.raises(QueryError) as caught:
        ask(sql)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_compaction_makes_one_file_a_night_and_readers_of_before_go_on(tmp_path: Path) -> None:
    fill(tmp_path, 80, 8)
    before = tables_of(str(tmp_path), {})["redshifts"]
    many = len(before.file_uris())
    settings = load_settings().archive
    done = dict(compact(["redshifts"], str(tmp_path), settings, {}))
    after = tables_of(str(tmp_path), {})["redshifts"]
    assert many > 4 and len(after.file_uris()) == 4
    assert done["redshifts"]["files_removed"] == many
    old, new = (table.to_pyarrow_table().sort_by("spectrum_id") for table in (before, after))
    assert old.equals(new) and old.num_rows == 80
    assert after.transaction_version("kafka/topic/0") == 80
    reread = ArchiveTable(str(tmp_path), "redshifts", "night", {})
    assert len(list(reread.remembered({("topic", 0): 80}, 30))) == 30


def test_cells_of_the_sky_are_folders_where_that_is_wished(tmp_path: Path) -> None:
    table = ArchiveTable(str(tmp_path), "redshifts", "healpix", {})
    record = Record("topic", 0, 0, b"", b"", (), 1_700_000_000_000)
    (message,) = [message for name, message in results(3) if name == "redshifts"]
    rows = [row_of(record, message), row_of(record, message.model_copy(update={"ra": None, "mjd": None}))]
    table.append([batch_of("redshifts", rows)], {("topic", 0): 1})
    stored = tables_of(str(tmp_path), {})["redshifts"].to_pyarrow_table(columns=schema_of("redshifts").names)
    cells = stored.column("healpix_cell").to_pylist()
    assert None in cells and len(list(tmp_path.glob("redshifts/healpix_cell=*"))) == 2
    assert {str(night) for night in stored.column("night").to_pylist()} >= {"2023-11-14"}


def test_the_command_writes_every_format_and_refuses_what_is_wrong(
    archive: Path, offline: CommandLine
) -> None:
    asked = ("query", "SELECT night, spectrum_id, z, zwarn_names FROM redshifts ORDER BY spectrum_id LIMIT 3")
    there = ("--archive", str(archive))
    assert "survey-000000002" in offline(*asked, *there).stdout
    lines = offline(*asked, *there, "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line)["spectrum_id"][-1] for line in lines] == ["0", "1", "2"]
    offline(*asked, *there, "--out", "rows.csv")
    with (offline.folder / "rows.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["z"] for row in rows] == [str(json.loads(line)["z"]) for line in lines]
    offline(*asked, *there, "--out", "rows.parquet")
    assert pq.read_table(offline.folder / "rows.parquet").num_rows == 3
    assert "already" in offline(*asked, *there, "--out", "rows.csv", code=2).stderr
    assert "redshifts" in offline("query", *there).stdout
    assert "spectraq sink" in offline(*asked, "--archive", "nowhere", code=1).stderr
    assert "archive.url" in offline(*asked, code=1).stderr


def test_without_the_extra_the_commands_say_how_to_have_it(
    monkeypatch: pytest.MonkeyPatch, archive: Path
) -> None:
    from spectraq.workers.archive import extra
    from spectraq.workers.cli.query import query
    from spectraq.workers.errors import SettingsError

    monkeypatch.setattr(extra, "PACKAGES", ("deltalake", "no_such_package"))
    with pytest.raises(SettingsError, match=r"no_such_package: pip install 'spectraq\[archive\]'"):
        query("SELECT 1", archive=str(archive))


def test_options_of_a_store_come_from_a_file_and_are_never_printed(tmp_path: Path) -> None:
    from spectraq.workers.archive.storage import storage_options
    from spectraq.workers.errors import SettingsError

    file = tmp_path / "store.toml"
    file.write_text('AWS_ACCESS_KEY_ID = "id"\nAWS_SECRET_ACCESS_KEY = "hush"\n')
    settings = load_settings(archive={"storage_file": file}).archive
    assert storage_options(settings) == {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "hush"}
    for text in ("AWS_SECRET_ACCESS_KEY = hush", "AWS_SECRET_ACCESS_KEY = 12\n"):
        file.write_text(text)
        with pytest.raises(SettingsError, match=r"store\.toml") as caught:
            storage_options(settings)
        assert "hush" not in str(caught.value)
