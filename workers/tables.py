"""Results as one flat table: a row a spectrum, with units and descriptions."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from astropy.table import Table

from workers.direct import Answered
from workers.errors import SpectraqError

SUFFIXES = {".csv": "ascii.csv", ".ecsv": "ascii.ecsv", ".parquet": "parquet", ".fits": "fits"}

COLUMNS: dict[str, tuple[str | None, str]] = {
    "spectrum_id": (None, "identity of the spectrum in its survey"),
    "file": (None, "file the spectrum was read from"),
    "row": (None, "spectrum in that file, from 0"),
    "survey": (None, "survey, where the file says it"),
    "ra": ("deg", "right ascension, ICRS"),
    "dec": ("deg", "declination, ICRS"),
    "snr": (None, "median signal to noise ratio a pixel"),
    "spectype": (None, "STAR, GALAXY or QSO"),
    "probability": (None, "calibrated probability of the class"),
    "subtype": (None, "most probable subclass"),
    "z": (None, "redshift, vacuum, in the frame of the input"),
    "zerr": (None, "one standard deviation of z"),
    "zwarn": (None, "bits of warnings; 0 is good"),
    "zwarn_names": (None, "the same, by name"),
    "chi2": (None, "chi2 of the best fit"),
    "rchi2": (None, "chi2 by degree of freedom"),
    "deltachi2": (None, "chi2 of the second candidate minus that of the best"),
    "npixels": (None, "pixels used"),
    "anomaly_score": (None, "how unlike everything known"),
    "false_positive_rate": (None, "how often an ordinary spectrum scores as high"),
    "flagged": (None, "whether it is flagged as an anomaly"),
    "reasons": (None, "why, in words"),
}


def row(answered: Answered) -> dict[str, Any]:
    """Return one spectrum's results by column."""
    classification, redshift = answered.results.classification, answered.results.redshift
    anomaly = answered.results.anomaly
    return {
        "spectrum_id": answered.spectrum.spectrum_id,
        "file": answered.file,
        "row": answered.row,
        "survey": answered.spectrum.survey or "",
        "ra": _number(answered.spectrum.ra),
        "dec": _number(answered.spectrum.dec),
        "snr": redshift.snr,
        "spectype": classification.spectype,
        "probability": classification.class_probability[classification.spectype],
        "subtype": classification.subtype,
        "z": redshift.z,
        "zerr": redshift.zerr,
        "zwarn": redshift.zwarn,
        "zwarn_names": " ".join(redshift.zwarn_names),
        "chi2": redshift.chi2,
        "rchi2": redshift.rchi2,
        "deltachi2": redshift.deltachi2,
        "npixels": redshift.npixels,
        "anomaly_score": anomaly.score,
        "false_positive_rate": anomaly.false_positive_rate,
        "flagged": anomaly.flagged,
        "reasons": "; ".join(reason.message for reason in anomaly.reasons),
    }


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def check_suffix(path: Path) -> None:
    """Raise `SpectraqError` when no table is written under such a name."""
    if path.suffix.lower() not in SUFFIXES:
        raise SpectraqError(f"--output {path}: a table ends in {', '.join(SUFFIXES)}")
    if not path.absolute().parent.is_dir():
        raise SpectraqError(f"--output {path}: there is no folder {path.absolute().parent}")


def write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write rows of `row` as CSV, ECSV, Parquet or FITS, by the path's suffix."""
    found = list(rows)
    kinds = {"row": int, "zwarn": int, "npixels": int, "flagged": bool}
    text = {"spectrum_id", "file", "survey", "spectype", "subtype", "zwarn_names", "reasons"}
    dtypes = [str if name in text else kinds.get(name, float) for name in COLUMNS]
    values = {name: [entry[name] for entry in found] for name in COLUMNS}
    table = Table(values) if found else Table(names=list(COLUMNS), dtype=dtypes)
    for name, (unit, description) in COLUMNS.items():
        table[name].unit = unit
        table[name].description = description
    kind = SUFFIXES[path.suffix.lower()]
    if kind == "fits":
        _write_fits(path, table)
    else:
        table.write(path, format=kind, overwrite=True)


def _write_fits(path: Path, table: Table) -> None:
    from astropy.io import fits

    hdu = fits.table_to_hdu(_as_bytes(table))
    for number, name in enumerate(COLUMNS, start=1):
        hdu.header.comments[f"TTYPE{number}"] = COLUMNS[name][1]
    hdu.writeto(path, overwrite=True)


def _as_bytes(table: Table) -> Table:
    """FITS has no text beyond ASCII: what is beyond is written as a question mark."""
    plain = table.copy()
    for name in plain.colnames:
        plain[name].description = None
        if plain[name].dtype.kind == "U":
            values = [value.encode("ascii", "replace").decode() or " " for value in plain[name].tolist()]
            plain[name] = values if values else plain[name]
    return plain
