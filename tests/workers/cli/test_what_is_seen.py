"""What a person sees of `spectraq analyze`: remarks in words on stderr, and nothing that is not true."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import structlog
from astropy.io import fits

from spectraq.workers.errors import ReadError, SettingsError
from spectraq.workers.files import result_table
from spectraq.workers.operations import log
from spectraq.workers.readers import described, find
from spectraq.workers.settings import LogSettings, load_settings
from tests.support.commandline import SPECTRAQ, CommandLine

TABLE = "wavelength [Angstrom],flux,error\n" + "".join(
    f"{wave},1.{wave % 7},0.1\n" for wave in range(4000, 4400)
)


def test_a_folder_says_how_many_files_it_left_out_and_why(tmp_path: Path) -> None:
    for name in ("a.csv", "notes.md", "old/b.txt", "old/c.txt", ".hidden.fits", "README"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(TABLE)
    said: list[tuple[str, str]] = []
    assert list(find([tmp_path], lambda *words: said.append(words))) == [str(tmp_path / "a.csv")]
    ((folder, sentence),) = said
    assert folder == str(tmp_path)
    assert sentence.startswith("5 of 6 files left out:")
    for word in ("2 .txt", "1 .md", "1 no ending", "1 hidden"):
        assert word in sentence


def test_a_folder_of_which_all_is_left_out_says_so_in_its_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TABLE)
    (error,) = find([tmp_path])
    assert isinstance(error, ReadError) and "1 of 1 files left out" in str(error) and "1 .txt" in str(error)


@pytest.mark.parametrize("name", ["/dev/stdin", "-"])
def test_what_comes_through_a_pipe_is_read_and_stderr_holds_remarks_alone(
    offline: CommandLine, name: str
) -> None:
    done = subprocess.run(
        [SPECTRAQ, "analyze", name, "--json"],
        input=TABLE,
        cwd=offline.folder,
        env={**os.environ, **offline.environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=180,
    )
    assert '"spectype"' in done.stdout
    lines = done.stderr.splitlines()
    assert lines[-1].startswith("1 spectrum:")
    assert all(line.startswith("spectraq: note: ") for line in lines[:-1])


def test_a_device_is_refused_in_words(offline: CommandLine) -> None:
    assert "a terminal or another device" in offline("analyze", "/dev/zero", code=1).stderr


@pytest.mark.usefixtures("logging_restored")
def test_events_are_remarks_where_a_person_runs_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(LogSettings(), remarks=True)
    structlog.get_logger("workers.any").warning("batch_split", spectra=3, error="MemoryError")
    assert capsys.readouterr().err == "spectraq: note: batch split (spectra 3, error MemoryError)\n"


def rows_without_an_answer(*files: str) -> list[result_table.Row]:
    return [
        tuple(file if column.name == "file" else None for column in result_table.COLUMNS) for file in files
    ]


@pytest.mark.parametrize("suffix", result_table.SUFFIXES)
def test_nothing_is_said_of_an_anomaly_where_there_is_no_answer(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"results{suffix}"
    result_table.write(path, rows_without_an_answer("a.fits", "b.fits"))
    if suffix == ".fits":
        with fits.open(path, memmap=False) as hdus:
            raw = hdus[1].data.view(np.ndarray)["anomaly_flagged"]
            assert raw.tolist() == [0, 0]
    elif suffix == ".parquet":
        from pyarrow import parquet

        assert parquet.read_table(path)["anomaly_flagged"].to_pylist() == [None, None]
    else:
        from astropy.table import Table

        assert Table.read(path)["anomaly_flagged"].mask.tolist() == [True, True]


def test_names_beyond_ascii_stay_apart_in_fits(tmp_path: Path) -> None:
    path = tmp_path / "results.fits"
    result_table.write(path, rows_without_an_answer("é1.fits", "è1.fits", "星.fits"))
    with fits.open(path, memmap=False) as hdus:
        assert len(set(hdus[1].data["file"].tolist())) == 3


IDS = ("39627652595714901", "39627652595714902")
"""Of DESI: as floats they are one."""


def rows_of(ids: tuple[str | None, ...]) -> list[result_table.Row]:
    return [
        tuple(
            name
            if column.name in ("target_id", "spectrum_id")
            else "a.fits"
            if column.name == "file"
            else None
            for column in result_table.COLUMNS
        )
        for name in ids
    ]


@pytest.mark.parametrize("ids", [IDS, (*IDS, None), (*IDS, "-39627652595714901", None), ("1", None)])
@pytest.mark.parametrize("suffix", result_table.SUFFIXES)
@pytest.mark.filterwarnings("ignore:Column 'anomaly_flagged' contains NULL")
def test_ids_of_64_bits_survive_pandas(tmp_path: Path, suffix: str, ids: tuple[str | None, ...]) -> None:
    pandas = pytest.importorskip("pandas")
    path = tmp_path / f"results{suffix}"
    result_table.write(path, rows_of(ids))
    if suffix == ".csv":
        frame = pandas.read_csv(path)
    elif suffix == ".parquet":
        frame = pandas.read_parquet(path)
    else:
        from astropy.table import Table

        frame = Table.read(path).to_pandas()
    for column in ("target_id", "spectrum_id"):
        found = frame[column].tolist()
        for name, value in zip(ids, found, strict=True):
            if name is None:
                assert pandas.isna(value) or value in ("", result_table.NO_NAME)
            else:
                assert int(value) == int(name)


@pytest.mark.parametrize("servers", ["localhost", "localhost:abc", "a:9092,b", "a:99999", ":9092"])
def test_a_broker_without_a_port_is_named_in_words(servers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECTRAQ_KAFKA__BOOTSTRAP_SERVERS", servers)
    with pytest.raises(SettingsError, match="names no port") as caught:
        load_settings()
    assert "9092" in str(caught.value) and "int()" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"SECURITY_PROTOCOL": "SASL_SSL"}, "needs sasl_mechanism"),
        (
            {"SECURITY_PROTOCOL": "SASL_SSL", "SASL_MECHANISM": "PLAIN"},
            "needs sasl_username and sasl_password",
        ),
        (
            {"SECURITY_PROTOCOL": "SASL_SSL", "SASL_MECHANISM": "SCRAM-SHA-256", "SASL_USERNAME": "me"},
            "needs sasl_password",
        ),
        ({"SECURITY_PROTOCOL": "SSL", "SASL_MECHANISM": "PLAIN"}, "write SASL_SSL"),
        ({"SASL_MECHANISM": "PLAIN"}, "write SASL_PLAINTEXT"),
    ],
)
def test_half_an_authentication_is_named_in_words(
    given: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"SPECTRAQ_KAFKA__{name}", value)
    with pytest.raises(SettingsError, match=said) as caught:
        load_settings()
    assert "Value error" not in str(caught.value)


def test_formats_are_listed_as_the_docs_list_them(offline: CommandLine) -> None:
    page = (Path(__file__).parents[3] / "docs/formats.md").read_text()
    assert described.markdown() in page, "paste what `python -m spectraq.workers.readers.described` prints"
    printed = offline("analyze", "--formats").stdout
    for name, what, _, _ in described.rows():
        assert name in printed and what.split()[0].strip("`") in printed
