"""Results as one flat table with units and descriptions: a row a spectrum, also where there is no answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from spectraq.schemas.text import escaped
from spectraq.workers.errors import SpectraqError
from spectraq.workers.files.analyze_files import Answered, Unanswered
from spectraq.workers.files.measured_columns import measured_columns
from spectraq.workers.files.table_column import Column, Value
from spectraq.workers.operations.disk import whole

_FORMULA = re.compile(r"[=@]|[+-](?!\d+(\.\d*)?([eE][+-]?\d+)?$)")

IDENTITIES = ("spectrum_id", "target_id")
NO_NAME = "none"
"""In CSV, a missing identity beside others that are whole numbers beyond 2**53."""
SUFFIXES = (".csv", ".ecsv", ".parquet", ".fits")


def _probability(spectype: str) -> Callable[[Answered], Value]:
    return lambda answered: answered.results.classification.class_probability.get(spectype)


def _reasons(answered: Answered) -> Value:
    return "; ".join(reason.message for reason in answered.results.anomaly.reasons)


def _warnings(answered: Answered) -> Value:
    return " ".join(answered.results.redshift.zwarn_names)


def _nothing(answered: Answered) -> Value:
    return None


COLUMNS: tuple[Column, ...] = (
    Column("file", str, attrgetter("file"), "file that the spectrum was read from"),
    Column("row", int, attrgetter("row"), "spectrum in that file, from 0"),
    Column("spectrum_id", str, attrgetter("subject.spectrum_id"), "identity of the spectrum"),
    Column("survey", str, attrgetter("subject.survey"), "survey, where it is known"),
    Column("target_id", str, attrgetter("subject.target_id"), "the survey's name of the object"),
    Column("ra", float, attrgetter("subject.ra"), "right ascension, ICRS", "deg"),
    Column("dec", float, attrgetter("subject.dec"), "declination, ICRS", "deg"),
    Column("mjd", float, attrgetter("subject.mjd"), "modified Julian date", "d"),
    Column("snr", float, attrgetter("results.redshift.snr"), "median signal to noise a pixel"),
    Column("spectype", str, attrgetter("results.classification.spectype"), "GALAXY, QSO or STAR"),
    Column("subtype", str, attrgetter("results.classification.subtype"), "most probable subclass"),
    Column("p_galaxy", float, _probability("GALAXY"), "calibrated probability of GALAXY"),
    Column("p_qso", float, _probability("QSO"), "calibrated probability of QSO"),
    Column("p_star", float, _probability("STAR"), "calibrated probability of STAR"),
    Column("z", float, attrgetter("results.redshift.z"), "redshift"),
    Column("zerr", float, attrgetter("results.redshift.zerr"), "one standard deviation of z"),
    Column("z_spread", float, attrgetter("results.redshift.z_spread"), "deviation of z over the ensemble"),
    Column("zwarn", int, attrgetter("results.redshift.zwarn"), "bits of warnings, 0 is good"),
    Column("zwarn_names", str, _warnings, "the bits by name"),
    Column("chi2", float, attrgetter("results.redshift.chi2"), "chi2 of the best fit"),
    Column("rchi2", float, attrgetter("results.redshift.rchi2"), "chi2 by degree of freedom"),
    Column("deltachi2", float, attrgetter("results.redshift.deltachi2"), "of the second best, to the best"),
    Column("robustness", float, attrgetter("results.redshift.robustness"), "the same by chi2, if far away"),
    Column("npixels", int, attrgetter("results.redshift.npixels"), "pixels used"),
    Column("anomaly_flagged", bool, attrgetter("results.anomaly.flagged"), "whether it is an anomaly"),
    Column("anomaly_score", float, attrgetter("results.anomaly.score"), "how unlike everything known"),
    Column("anomaly_fpr", float, attrgetter("results.anomaly.false_positive_rate"), "rate of normal ones"),
    Column("anomaly_judgement", str, attrgetter("results.anomaly.judgement"), "alone, adapted, or outside"),
    Column("anomaly_reasons", str, _reasons, "why, in words"),
    Column("error", str, _nothing, "why there is no answer"),
)  # fmt: skip

MEASURED = tuple(measured_columns())
"""Of tables with measurements, before the last of `COLUMNS`."""

_WITHOUT_ANSWER: dict[str, Callable[[Unanswered], Value]] = {
    "file": lambda u: u.file,
    "row": lambda u: u.row,
    "spectrum_id": lambda u: u.spectrum_id,
    "error": lambda u: u.error,
}

Row = tuple[Value, ...]


def columns(measurements: bool) -> Sequence[Column]:
    """Return the columns of a table, with or without those of what is measured."""
    return (*COLUMNS[:-1], *MEASURED, COLUMNS[-1]) if measurements else COLUMNS


def row(result: Answered | Unanswered, columns: Sequence[Column] = COLUMNS) -> Row:
    """Return the values of one row, in the order of the columns; None where there is none, text escaped."""
    if isinstance(result, Answered):
        values = [column.value(result) for column in columns]
    else:
        given = {name: value(result) for name, value in _WITHOUT_ANSWER.items()}
        values = [given.get(column.name) for column in columns]
    return tuple(escaped(value) if isinstance(value, str) else value for value in values)


def check(path: Path) -> None:
    """See that a table can be written under this name.

    Raises
    ------
    SpectraqError
        Where its suffix names no format, or its folder does not exist.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise SpectraqError(f"{path}: a table's name ends in {', '.join(SUFFIXES)}")
    if not path.absolute().parent.is_dir():
        raise SpectraqError(f"{path}: there is no folder {path.absolute().parent}")


def write(path: Path, rows: list[Row], columns: Sequence[Column] = COLUMNS) -> None:
    """Write rows as the file's suffix says; a file of that name is replaced.

    CSV has names only; ECSV, FITS and Parquet have units and descriptions too (Parquet: in each field's
    metadata). What is missing is empty in CSV (`NO_NAME` of an identity beside 64-bit ones) and ECSV, null in
    Parquet, NaN, TNULL, 0 or blank in FITS.

    In CSV alone, text that a spreadsheet would run as a formula has an apostrophe before it, which is how
    spreadsheets themselves mark text. A text that is a number, such as a negative target id, stays as it is.
    """
    kind = path.suffix.lower()
    with whole(path) as part:
        if kind == ".parquet":
            _write_parquet(part, rows, columns)
        elif kind == ".fits":
            _write_fits(part, table_of(rows, columns, ascii_only=True), columns)
        elif kind == ".ecsv":
            table_of(rows, columns).write(part, format="ascii.ecsv", overwrite=True)
        else:
            harmless = [tuple(map(no_formula, row)) for row in _with_names(rows, columns)]
            table_of(harmless, columns).write(part, format="ascii.csv", overwrite=True)


def _with_names(rows: list[Row], columns: Sequence[Column]) -> list[Row]:
    """Put `NO_NAME` where an identity is missing beside numbers that no float holds.

    What reads CSV without being told of types makes a column of whole numbers with an empty cell one of
    floats, and rounds a survey's 64-bit ids to other objects' ones.
    """
    told = [list(row) for row in rows]
    for place, column in enumerate(columns):
        if column.name in IDENTITIES and any(_is_beyond_floats(row[place]) for row in rows):
            for row in told:
                row[place] = NO_NAME if row[place] is None else row[place]
    return [tuple(row) for row in told]


def _is_beyond_floats(value: Value) -> bool:
    return isinstance(value, str) and value.lstrip("-").isdecimal() and abs(int(value)) > 2**53


def no_formula(value: Value) -> Value:
    """Return a cell of CSV that no program for tables takes for a formula."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def table_of(rows: list[Row], columns: Sequence[Column] = COLUMNS, ascii_only: bool = False) -> Any:
    """Return rows as an astropy table; `ascii_only` escapes what FITS can't hold in text."""
    from astropy.table import MaskedColumn, Table

    table = Table()
    for i, column in enumerate(columns):
        values = [values[i] for values in rows]
        missing = [value is None for value in values]
        filled = [column.kind() if value is None else column.kind(value) for value in values]
        if ascii_only and column.kind is str:
            filled = [str(value).encode("ascii", "backslashreplace").decode() for value in filled]
        table[column.name] = MaskedColumn(
            np.array(filled, dtype=column.kind),
            mask=missing,
            unit=column.unit,
            description=column.description,
        )
    return table


def _write_fits(path: Path, table: Any, columns: Sequence[Column]) -> None:
    """FITS: text is ASCII, descriptions are the comments of TTYPE, as its readers show them."""
    from astropy.io import fits

    unknown = {name: table[name].mask for name in table.colnames if table[name].dtype.kind == "b"}
    for name in table.colnames:
        table[name].description = None  # else astropy adds them as a block of YAML
        if table[name].dtype.kind == "f":
            table[name] = table[name].filled(np.nan)
    hdu = fits.table_to_hdu(table)
    hdu.name = "SPECTRAQ"
    for number, column in enumerate(columns, start=1):
        hdu.header.comments[f"TTYPE{number}"] = column.description
    hdu.writeto(path, overwrite=True)
    with fits.open(path, mode="update", memmap=False) as written:
        raw = written[1].data.view(np.ndarray)
        for name, mask in unknown.items():
            raw[name][mask] = (
                0  # neither T nor F: FITS's logical that is not known, which astropy can't write
            )


def _write_parquet(path: Path, rows: list[Row], columns: Sequence[Column]) -> None:
    import pyarrow
    from pyarrow import parquet

    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64(), bool: pyarrow.bool_()}
    fields = [
        pyarrow.field(c.name, types[c.kind], metadata={"unit": c.unit or "", "description": c.description})
        for c in columns
    ]
    arrays = [pyarrow.array([values[i] for values in rows], types[c.kind]) for i, c in enumerate(columns)]
    parquet.write_table(pyarrow.table(arrays, schema=pyarrow.schema(fields)), path)
