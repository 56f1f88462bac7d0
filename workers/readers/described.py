"""The table of formats that `spectraq analyze --formats` prints and docs/formats.md shows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from spectraq.workers.readers.formats import FORMATS

ELSE = "a name in the file, else the file's name, and the row"
TITLES = ("--format", "what", "recognised by", "identity")


@dataclass(frozen=True, slots=True)
class Description:
    """One format, for people.

    Parameters
    ----------
    what
        Which files are of it.
    recognised
        What in a file tells that it is of this format.
    identity
        What its spectra are called.
    """

    what: str
    recognised: str
    identity: str


DESCRIPTIONS = {
    "desi": Description(
        "DESI `coadd` and `spectra` files",
        "HDUs `FIBERMAP`, `X_WAVELENGTH`, `X_FLUX`",
        "`TARGETID`; with the exposure where a target comes twice",
    ),
    "lamost": Description(
        "LAMOST low resolution, old layout (primary image) and new (table)",
        "`TELESCOP`, `ORIGIN` or `DESIG` names LAMOST",
        "`OBSID`, else `spec-LMJD-PLANID_spNN-FFF`",
    ),
    "spspec": Description(
        "SDSS I and II `spSpec` files",
        "rows of the primary image, `PLATEID`, `MJD` and `FIBERID`",
        "`PLATE-MJD-FIBER`",
    ),
    "weave": Description("WEAVE L1 files", "HDUs `X_DATA`, `X_IVAR` and `FIBTABLE`", "`CNAME`"),
    "pfs": Description(
        "Subaru PFS spectra of one object",
        "HDUs `FLUX`, `MASK`, `COVAR` and `TARGET`",
        "the file's name; `objId` is the target",
    ),
    "fits": Description(
        "FITS tables of spectra: ESO Phase 3 (VANDELS, VIPERS, zCOSMOS, LEGA-C), 4MOST, SDSS-V, Euclid,"
        " PypeIt and alike, one or several in a file",
        "tables with a column of flux and one of wavelength",
        ELSE,
    ),
    "image": Description(
        "FITS images with the axis in the header: IRAF, 2dFdr, GAMA, `spPlate`",
        "`CRVAL1`, `CD1_1` or `CDELT1`, `WAT2_*` or `COEFF0`",
        ELSE,
    ),
    "sdss": Description(
        "SDSS, BOSS, eBOSS `spec` files, full and lite; tables with one spectrum a row",
        "a table with `flux` and `loglam`, or with vectors `flux` and the columns `plate`, `mjd`, `fiberid`",
        "`PLATE-MJD-FIBER`",
    ),
    "table": Description(
        "plain tables: FITS tables and images, NPZ, ECSV, Parquet, VOTable, CSV and other text",
        "a column of flux and one of wavelength; in text, two or three columns of numbers",
        "a column of it, else the file's name, and the row",
    ),
    "specutils": Description(
        "whatever else [specutils](https://specutils.readthedocs.io) reads;"
        ' needs `pip install "spectraq[specutils]"`',
        "asked last",
        "the file's name, and the row",
    ),
}
"""By the name of the format; one that is not here is described by its own summary."""


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Yield name, what, recognised by and identity of each format, in the order in which a file is tried."""
    for name, format in FORMATS.items():
        plain = Description(
            format.summary, "its headers", "a name in the file, else the file's name, and the row"
        )
        told = DESCRIPTIONS.get(name, plain)
        yield name, told.what, told.recognised, told.identity


def markdown() -> str:
    """Return the table as docs/formats.md shows it."""
    lines = ["| " + " | ".join(f"`{title}`" if title.startswith("-") else title for title in TITLES) + " |"]
    lines.append("|" + " --- |" * len(TITLES))
    lines += [f"| `{name}` | {what} | {by} | {identity} |" for name, what, by, identity in rows()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(markdown() + "\n")
