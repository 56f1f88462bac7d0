"""Files in, answers out: `spectraq analyze`, without Kafka and without Redis."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from astropy.io import fits
from astropy.table import Table

from spectraq.models.pipeline import Pipeline
from spectraq.schemas import codec
from spectraq.workers.errors import ReadError
from spectraq.workers.files import analyze_files, result_table
from spectraq.workers.inference import SafeInference
from spectraq.workers.readers import read
from tests.support.commandline import CommandLine

Spectra = Callable[[int], Path]


def lines(stdout: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stdout.splitlines()]


def with_a_masked_row(path: Path, row: int) -> Path:
    """The same table, with no weight in any pixel of one row."""
    table = Table.read(path)
    table["ivar"][row] = 0
    table.write(path, overwrite=True)
    return path


@pytest.fixture(scope="module")
def analysis() -> SafeInference:
    return SafeInference(Pipeline.load(), 64)


def test_each_spectrum_is_one_line_of_json_in_the_order_of_the_file(
    offline: CommandLine, spectra: Spectra
) -> None:
    path = spectra(5)
    found = lines(offline("analyze", "--json", path.name).stdout)
    assert [line["source"] for line in found] == [{"file": path.name, "row": row} for row in range(5)]
    for line in found:
        assert line["spectrum_id"] == line["redshift"]["spectrum_id"] == line["anomaly"]["spectrum_id"]
        assert "measurement" not in line
        assert line["classification"]["spectype"] in {"GALAXY", "QSO", "STAR"}
        assert sum(line["classification"]["class_probability"].values()) == pytest.approx(1)
        assert line["redshift"]["zerr"] > 0 and line["redshift"]["candidates"]
        assert line["anomaly"]["flagged"] in (True, False)


def test_measurements_are_in_the_lines_and_in_the_table_where_they_are_asked_for(
    offline: CommandLine, spectra: Spectra
) -> None:
    path = spectra(2)
    out = offline("analyze", "--json", "--measurements", path.name, "--output", "m.fits").stdout
    found, table = lines(out), Table.read(offline.folder / "m.fits")
    for line in found:
        assert line["measurement"]["z"] == line["redshift"]["z"]
        assert all(q["value"] is not None or q["reason"] for q in line["measurement"]["quantities"])
    assert str(table["halpha_narrow_sigma"].unit) == "km / s"
    assert len(table.colnames) > len(result_table.COLUMNS) + 200


def test_the_answers_are_a_workers(offline: CommandLine, spectra: Spectra, analysis: SafeInference) -> None:
    path = spectra(3)
    from_files = lines(offline("analyze", "--json", str(path)).stdout)
    travelled = [codec.decode(codec.encode(item)) for item in read(path) if not isinstance(item, ReadError)]
    from_stream = [
        result.as_json()
        for result in analyze_files.analyze(travelled, analysis, 64, 200_000)  # type: ignore[arg-type]
    ]
    assert from_files == json.loads(json.dumps(from_stream))


def test_answers_do_not_depend_on_the_batch(
    offline: CommandLine, spectra: Spectra, analysis: SafeInference
) -> None:
    path = str(spectra(5))
    alone = lines(offline("analyze", "--json", "--batch", "1", path).stdout)
    together = [one.as_json() for one in analyze_files.analyze(read(path), analysis, 64, 200_000)]  # type: ignore[union-attr]
    for one, other in zip(alone, together, strict=True):
        assert one["redshift"]["result_id"] == other["redshift"]["result_id"]
        assert one["classification"]["spectype"] == other["classification"]["spectype"]
        assert one["anomaly"]["flagged"] == other["anomaly"]["flagged"]
        for number in ("z", "zerr", "chi2"):
            assert one["redshift"][number] == pytest.approx(other["redshift"][number], rel=1e-6)


def test_what_can_not_be_read_is_a_line_too_and_the_rest_goes_on(
    offline: CommandLine, spectra: Spectra
) -> None:
    path = with_a_masked_row(spectra(3), 1)
    (offline.folder / "broken.fits").write_bytes(path.read_bytes()[:5000])
    done = offline("analyze", "--json", "broken.fits", path.name, "missing.fits", code=1)
    found = lines(done.stdout)
    assert [(line["source"]["file"], line["source"]["row"], "error" in line) for line in found] == [
        ("broken.fits", None, True),
        (path.name, 0, False),
        (path.name, 1, True),
        (path.name, 2, False),
        ("missing.fits", None, True),
    ]
    said = [line for line in done.stderr.splitlines() if line.startswith("spectraq: error:")]
    assert "broken.fits: the FITS file is truncated" in said[0]
    assert f"{path.name}, row 1: 0 of 2500 pixels" in said[1]
    assert "missing.fits: no such file" in said[2]
    assert "3 could not be read or analysed" in said[3]


def test_people_get_a_line_a_spectrum_and_a_summary(offline: CommandLine, spectra: Spectra) -> None:
    path = spectra(3)
    ids = Table.read(path)["spectrum_id"].tolist()
    done = offline("analyze", str(path))
    heading, *rows = done.stdout.splitlines()
    assert heading.split()[:4] == ["spectrum", "class", "subtype", "p"]
    assert [row.split()[0] for row in rows] == ids
    assert "3 spectra: " in done.stderr and "flagged as anomalies" in done.stderr


def test_what_is_assumed_of_a_file_is_said_once(offline: CommandLine) -> None:
    wave, rng = np.linspace(400.0, 900.0, 2500), np.random.default_rng(0)
    for name in ("a.npz", "b.npz"):
        np.savez(offline.folder / name, wave=wave, flux=rng.normal(5, 0.1, 2500))
    done = offline("analyze", "--wavelength-unit", "nm", "a.npz", "b.npz")
    notes = [line for line in done.stderr.splitlines() if line.startswith("spectraq: note:")]
    assert sum("a.npz" in note and "--air" in note for note in notes) == 1
    assert sum("in 1 more" in note and "--air" in note for note in notes) == 1
    assert not any("b.npz" in note for note in notes)
    assert "--air" not in offline("analyze", "--wavelength-unit", "nm", "--air", "a.npz").stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--output", "results.xlsx"), ".parquet"),
        (("--output", "nowhere/results.csv"), "no folder"),
        (("--format", "hdf5"), "sdss"),
        (("--wavelength-unit", "parrots"), "no unit"),
        (("--batch", "0"), "batch"),
    ],
)
def test_wrong_use_is_said_at_once(offline: CommandLine, arguments: tuple[str, ...], said: str) -> None:
    assert said in offline("analyze", "any.fits", *arguments, code=2).stderr


def test_the_table_is_written_beside_the_lines(offline: CommandLine, spectra: Spectra) -> None:
    path = with_a_masked_row(spectra(3), 2)
    found = lines(offline("analyze", "--json", path.name, "--output", "r.ecsv", code=1).stdout)
    table = Table.read(offline.folder / "r.ecsv")
    assert table["z"][:2].tolist() == [line["redshift"]["z"] for line in found[:2]]
    assert table["spectrum_id"].tolist() == [line["spectrum_id"] for line in found]
    assert table["z"].mask.tolist() == [False, False, True]
    assert "0 of 2500 pixels" in table["error"][2]


@pytest.fixture
def rows(spectra: Spectra, analysis: SafeInference) -> list[result_table.Row]:
    path = with_a_masked_row(spectra(3), 1)
    return [result_table.row(result) for result in analyze_files.analyze(read(path), analysis, 64, 200_000)]


@pytest.mark.filterwarnings("ignore:Column 'anomaly_flagged' contains NULL")  # which has no answer
@pytest.mark.parametrize("suffix", ["csv", "ecsv", "fits"])
def test_tables_hold_every_row_with_units_and_without_answers_where_there_are_none(
    tmp_path: Path, rows: list[result_table.Row], suffix: str
) -> None:
    result_table.write(tmp_path / f"t.{suffix}", rows)
    table = Table.read(tmp_path / f"t.{suffix}")
    names = [column.name for column in result_table.COLUMNS]
    assert table.colnames == names
    z, zwarn = names.index("z"), names.index("zwarn")
    assert [table["z"][row] for row in (0, 2)] == [rows[row][z] for row in (0, 2)]
    assert [table["zwarn"][row] for row in (0, 2)] == [rows[row][zwarn] for row in (0, 2)]
    assert table["z"].mask.tolist() == table["zwarn"].mask.tolist() == [False, True, False]
    if suffix != "csv":
        assert str(table["ra"].unit) == "deg"
    if suffix == "ecsv":
        assert table["zerr"].description == "one standard deviation of z"
    if suffix == "fits":
        header = fits.getheader(tmp_path / "t.fits", 1)
        assert header.comments[f"TTYPE{names.index('zerr') + 1}"] == "one standard deviation of z"


def test_parquet_holds_nulls_units_and_descriptions(tmp_path: Path, rows: list[result_table.Row]) -> None:
    result_table.write(tmp_path / "t.parquet", rows)
    table = pyarrow.parquet.read_table(tmp_path / "t.parquet")
    assert [list(row.values()) for row in table.to_pylist()] == [list(row) for row in rows]
    assert table.schema.field("ra").metadata == {
        b"unit": b"deg", b"description": b"right ascension, ICRS"
    }  # fmt: skip


@pytest.mark.parametrize("suffix", [name[1:] for name in result_table.SUFFIXES])
def test_a_table_of_no_rows_is_a_table(tmp_path: Path, suffix: str) -> None:
    result_table.write(tmp_path / f"t.{suffix}", [])
    assert (tmp_path / f"t.{suffix}").stat().st_size > 0


def test_real_spectra_score(offline: CommandLine, shared_data: Path) -> None:
    index = shared_data / "spectra" / "INDEX.csv"
    file = shared_data / "spectra" / "sdss-gasnet3" / "spectra.fits"
    (offline.folder / "results.ndjson").write_text(offline("analyze", "--json", str(file)).stdout)
    done = subprocess.run(
        [sys.executable, shared_data.parent / "score.py", index, offline.folder / "results.ndjson", "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    score = json.loads(done.stdout)
    for spectype, n in (("GALAXY", 18), ("QSO", 23), ("STAR", 16)):
        of_class = score[f"sdss-gasnet3: {spectype}"]
        assert (of_class["n"], of_class["missing"]) == (n, 0)
        assert of_class["class_accuracy"] >= 0.9 and of_class["GF(0.015)"] >= 0.9
