"""Which reader a file is for, by its content, and reading it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

from astropy.io import fits
from astropy.io.ascii import InconsistentTableError
from astropy.table import Table
from astropy.utils.exceptions import AstropyWarning

from schemas.spectrum import Spectrum
from workers.errors import ReadError
from workers.readers import desi, lamost, other, sdss, table
from workers.readers.record import Declared, Medium

SURVEYS: dict[str, ModuleType] = {"desi": desi, "lamost": lamost, "sdss": sdss}
"""In the order they are tried: later ones ask for less."""
FORMATS = (*SURVEYS, "table", "specutils")

_GZIP, _ZIP, _FITS, _ECSV = b"\x1f\x8b", b"PK\x03\x04", b"SIMPLE  =", b"# %ECSV"

Results = Iterator[Spectrum | ReadError]


def read(
    path: str | Path,
    format: str | None = None,
    *,
    medium: Medium | None = None,
    wavelength_unit: str | None = None,
) -> Results:
    """Yield the spectra of a file, in its order; what can't be read is yielded as a `ReadError`.

    Parameters
    ----------
    path
        A file of any of `FORMATS`; FITS may be gzipped.
    format
        One of `FORMATS`; None recognises it by content.
    medium, wavelength_unit
        What the user declares of plain tables that do not say it themselves.
    """
    file = str(path)
    if format is not None and format not in FORMATS:
        yield ReadError(f"unknown format {format!r}; known are {', '.join(FORMATS)}", file=file)
        return
    declared = Declared(medium, wavelength_unit)
    try:
        yield from _reader(Path(path), format)(Path(path), file, format, declared)
    except ReadError as error:
        yield error
    # A damaged file makes astropy and numpy raise whatever its bytes happen to mean.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        yield ReadError(f"can't be read: {reason[:300]}", file=file)


def _reader(path: Path, format: str | None) -> Callable[[Path, str, str | None, Declared], Results]:
    with path.open("rb") as stream:
        head = stream.read(9)
    if not head:
        raise ReadError("the file is empty", file=str(path))
    if format == "specutils":
        return _other
    is_fits = head == _FITS or (head.startswith(_GZIP) and ".fit" in path.name.lower())
    if format in SURVEYS and not is_fits:
        raise ReadError(f"--format {format} needs a FITS file and this is none", file=str(path))
    if is_fits:
        return _fits
    return _npz if head.startswith(_ZIP) else _text


def _fits(path: Path, file: str, format: str | None, declared: Declared) -> Results:
    with warnings.catch_warnings():
        # Surveys' headers break the standard in harmless ways (units, keywords): no news to anybody.
        warnings.simplefilter("ignore", AstropyWarning)
        with fits.open(path, memmap=False) as hdus:
            survey = format if format in SURVEYS else None
            if format is None:
                survey = next((name for name, module in SURVEYS.items() if module.recognises(hdus)), None)
            if survey:
                yield from SURVEYS[survey].read(hdus, file, declared)
                return
            tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)]
            if tables and (format == "table" or _has_flux(tables[0])):
                yield from table.spectra(table.from_table(Table.read(tables[0])), file, declared)
                return
        yield from other.read(path, file, declared)


def _has_flux(hdu: fits.BinTableHDU) -> bool:
    return bool({name.lower() for name in hdu.columns.names} & set(table.FLUX))


def _npz(path: Path, file: str, format: str | None, declared: Declared) -> Results:
    yield from table.spectra(table.from_npz(path), file, declared)


def _text(path: Path, file: str, format: str | None, declared: Declared) -> Results:
    with path.open("rb") as stream:
        head = stream.read(4096)
    if b"\x00" in head:
        raise ReadError(f"neither FITS, NPZ nor text; known formats are {', '.join(FORMATS)}", file=file)
    kind = "ascii.ecsv" if head.startswith(_ECSV) else "ascii.csv" if b"," in head else "ascii.basic"
    try:
        columns = Table.read(path, format=kind, guess=False)
    except (ValueError, InconsistentTableError) as error:
        raise ReadError(f"no table of columns: {str(error).splitlines()[0]}", file=file) from error
    yield from table.spectra(table.from_table(columns), file, declared)


def _other(path: Path, file: str, format: str | None, declared: Declared) -> Results:
    yield from other.read(path, file, declared)
