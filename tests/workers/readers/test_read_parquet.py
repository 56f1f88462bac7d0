"""Tables of Parquet with a spectrum a row, of any size of row group."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.readers import read
from spectraq.workers.readers.parquet_columns import ROWS, ListColumn

N = 3 * ROWS + 5
WAVELENGTH = np.linspace(4000.0, 9000.0, 60)
FLUX = np.random.default_rng(0).normal(3.0, 1.0, (N, 60))


def written(path: Path, group: int) -> Path:
    table = pyarrow.table({"flux": list(FLUX), "wavelength": [WAVELENGTH] * N, "id": list(range(N))})
    parquet.write_table(table, path, row_group_size=group)
    return path


@pytest.mark.parametrize("group", [7, ROWS, 10_000])
@pytest.mark.parametrize("first", [0, ROWS + 1, N - 1, N])
def test_a_row_group_is_read_in_parts_and_from_any_row(tmp_path: Path, group: int, first: int) -> None:
    told: list[int] = []
    found = list(read(written(tmp_path / "t.parquet", group), first_row=first, length=told.append))
    assert told == [N] and len(found) == N - first
    for row, spectrum in enumerate(found, first):
        assert isinstance(spectrum, Spectrum)
        assert (spectrum.source_row, spectrum.spectrum_id) == (row, str(row))
        assert np.array_equal(spectrum.flux, FLUX[row].astype(np.float32))


def test_a_column_holds_no_more_rows_than_it_unpacks_and_may_go_back(tmp_path: Path) -> None:
    column = ListColumn(parquet.ParquetFile(written(tmp_path / "t.parquet", 10_000)), "flux")
    for row in (0, 2 * ROWS, 1, N - 1, 5):
        assert np.array_equal(column[row], FLUX[row])
        assert len(column._batch) <= ROWS
    with pytest.raises(IndexError):
        column[N]
