"""A survey's own labelled spectra: a table that names a file, a class and a redshift for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from astropy.table import Table

from spectraq.models.classes import CLASSES
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.contract.convert import observation
from spectraq.workers.errors import ReadError, RejectedSpectrum
from spectraq.workers.files.labelled_spectra import MAX_PIXELS, LabelledSpectrum
from spectraq.workers.readers import read as read_spectra

if TYPE_CHECKING:
    import torch

    from spectraq.models.training.mocks.coarse_files import Truth

NEEDED = ("file", "spectype", "z")


def read(path: Path) -> Iterator[LabelledSpectrum]:
    """Read the spectra that a table lists.

    The columns `file` (relative to the table), `spectype` (STAR, GALAXY or QSO) and `z` are needed; `row`
    says which spectrum of the file, the first otherwise. Any format that astropy reads will do.

    Raises
    ------
    ReadError
        Where the table, a label or a spectrum can't be read.
    """
    for number, row in enumerate(_table(path)):
        spectype, z = str(row["spectype"]).strip().upper(), float(row["z"])
        if spectype not in CLASSES:
            raise ReadError(
                f"spectype {spectype!r} is none of {', '.join(CLASSES)}", file=str(path), row=number
            )
        file = path.parent / str(row["file"])
        spectrum = _spectrum(file, int(row["row"]) if "row" in row.colnames else 0)
        try:
            observed = observation(spectrum, MAX_PIXELS)
        except RejectedSpectrum as error:
            raise ReadError(str(error), file=str(file), row=spectrum.source_row) from error
        yield LabelledSpectrum(
            observed, str(file), str(file), spectrum.survey or "", spectype, z, trusted=True
        )


def _spectrum(file: Path, row: int) -> Spectrum:
    for item in read_spectra(file, note=lambda _: None):
        if isinstance(item, Spectrum) and item.source_row in (None, row):
            return item
    raise ReadError("the table names a spectrum that can't be read", file=str(file), row=row)


def _table(path: Path) -> Table:
    try:
        table = Table.read(path)
    except Exception as error:  # astropy's readers raise whatever their formats do
        raise ReadError(f"not a table that astropy can read: {error}", file=str(path)) from error
    if missing := [name for name in NEEDED if name not in table.colnames]:
        raise ReadError(f"no column {', '.join(missing)}; {', '.join(NEEDED)} are needed", file=str(path))
    return table


def prepared(spectra: Sequence[LabelledSpectrum]) -> tuple[torch.Tensor, Truth]:
    """Prepare labelled spectra as the networks will see them: channels and truth."""
    import torch

    from spectraq.models.grid.prepare import grid_batch, prepare
    from spectraq.models.training.mocks.coarse_files import Truth

    prepared = prepare(grid_batch([spectrum.observation for spectrum in spectra]))
    spectype = torch.tensor([CLASSES.index(spectrum.spectype) for spectrum in spectra])
    z = torch.tensor([spectrum.z for spectrum in spectra], dtype=torch.float64)
    return prepared.channels, Truth(spectype, z)
