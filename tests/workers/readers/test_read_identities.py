"""64-bit ids of surveys: never rounded to a float, never lost, whatever else is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow
import pytest
from astropy.table import MaskedColumn, Table
from pyarrow import parquet

from tests.support import made_files as made

N = 200
IDS = (39627652595714901, 39627652595714902)
"""Of DESI: as floats they are one."""


def long_table(with_gap: bool) -> Table:
    """Two objects, a pixel a row; of a third, whose id is missing, a spectrum as well."""
    n = 3 if with_gap else 2
    wavelength, flux = (
        np.tile(400.0 + 0.2 * np.arange(N), n),
        np.concatenate([made.pixels(k, N)[0] for k in range(n)]),
    )
    ids = np.repeat(np.array([*IDS, 0][:n], dtype=np.int64), N)
    table = Table({"targetid": MaskedColumn(ids, mask=ids == 0), "wavelength": wavelength, "flux": flux})
    table["wavelength"].unit = "nm"
    return table


@pytest.mark.parametrize("suffix", ["csv", "ecsv", "parquet", "vot"])
@pytest.mark.parametrize("with_gap", [False, True])
def test_ids_of_64_bits_stay_exact_beside_missing_ones(tmp_path: Path, suffix: str, with_gap: bool) -> None:
    path = tmp_path / f"t.{suffix}"
    formats = {"csv": "ascii.csv", "ecsv": "ascii.ecsv", "parquet": "parquet", "vot": "votable"}
    long_table(with_gap).write(path, format=formats[suffix])
    found = made.spectra(path, wavelength_unit="nm")
    assert [spectrum.spectrum_id for spectrum in found][:2] == [str(number) for number in IDS]
    assert [spectrum.target_id for spectrum in found][:2] == [str(number) for number in IDS]
    assert len(found) == (3 if with_gap else 2)


def test_ids_of_a_row_a_spectrum_stay_exact_beside_missing_ones(tmp_path: Path) -> None:
    flux = [made.pixels(seed, N)[0].tolist() for seed in range(3)]
    wavelength = [(4000.0 + 2 * np.arange(N)).tolist()] * 3
    table = pyarrow.table(
        {"target_id": pyarrow.array([*IDS, None], pyarrow.int64()), "wavelength": wavelength, "flux": flux}
    )
    parquet.write_table(table, tmp_path / "t.parquet")
    assert [s.target_id for s in made.spectra(tmp_path / "t.parquet")] == [str(IDS[0]), str(IDS[1]), None]


def test_names_of_alerts_are_read_as_target_and_time(tmp_path: Path) -> None:
    flux = [made.pixels(seed, N)[0].tolist() for seed in range(2)]
    wavelength = [(4000.0 + 2 * np.arange(N)).tolist()] * 2
    table = {"diaObjectId": IDS, "midpointMjdTai": [61000.25, 55000.25], "flux": flux}
    parquet.write_table(pyarrow.table(table | {"wavelength": wavelength}), tmp_path / "t.parquet")
    found = made.spectra(tmp_path / "t.parquet")
    assert [s.target_id for s in found] == [s.spectrum_id for s in found] == [str(name) for name in IDS]
    seconds = [(tai - s.mjd) * 86400 for tai, s in zip(table["midpointMjdTai"], found, strict=True) if s.mjd]
    assert seconds == pytest.approx([37.0, 34.0], abs=1e-3)  # leap seconds of 2025 and 2009
