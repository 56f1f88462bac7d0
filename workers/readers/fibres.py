"""Tables beside images with a fibre a row: who is on it, where it points, and whether it is on an object."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spectraq.workers.readers import fitstable, keywords
from spectraq.workers.readers.format import unique_ids
from spectraq.workers.readers.source import Source

TABLES = (
    "FIBRES",
    "FIBTABLE",
    "PLUGMAP",
    "FIBERMAP",
    "COADD_FIBERMAP",
    "FIBRES_IFU",
    "FIBERS",
    "FIBRE_TABLE",
)
_NAMES = ("cname", "name", "target_id", "targetid", "objid", "object", "objname", "fibreid", "fiberid")
_RA = ("fibrera", "target_ra", "ra", "targra", "ra_deg")
_DEC = ("fibredec", "target_dec", "dec", "targdec", "dec_deg")
_USES = ("targuse", "objtype", "type", "targtype", "fibretype")
_NO_OBJECT = (
    "S",
    "SKY",
    "N",
    "F",
    "U",
    "B",
    "D",
    "X",
    "BLANK",
    "UNUSED",
    "NA",
    "PARKED",
    "BROKEN",
    "BAD",
    "FIDUCIAL",
)
"""What the tables call fibres that are on no object: sky, not used, fiducial or guide, parked, broken."""


@dataclass(slots=True)
class Fibre:
    """One fibre: its row in the image from 0, its name, position and use."""

    row: int
    name: str | None
    ra: float | None
    dec: float | None
    use: str
    cells: dict[str, Any] = field(default_factory=dict)

    @property
    def on_object(self) -> bool:
        """Whether it points at an object, as far as the table says."""
        return self.use not in _NO_OBJECT


def table(source: Source) -> Any:
    """Find a file's table of fibres; None where there is none."""
    return next((hdu for hdu in fitstable.tables(source) if hdu.name.upper() in TABLES), None)


def fibres(hdu: Any, survey: str = "") -> list[Fibre]:
    """Return the fibres of a table, in the order of the image's rows."""
    columns = fitstable.columns(hdu)
    cells = {name: hdu.data[own] for name, own in columns.items() if hdu.data[own].ndim == 1}
    name, use = (next((key for key in keys if key in cells), None) for keys in (_NAMES, _USES))
    everyone = []
    for index in range(len(hdu.data)):
        row = keywords.whole(cells["nspec"][index]) if "nspec" in cells else None
        everyone.append(
            Fibre(
                row=index if row is None else row - 1,
                name=keywords.text(cells[name][index]) if name else None,
                ra=_degrees(hdu, columns, cells, _RA, index, keywords.RIGHT_ASCENSION),
                dec=_degrees(hdu, columns, cells, _DEC, index, keywords.DECLINATION),
                use=(keywords.text(cells[use][index]) or "").upper() if use else "",
                cells={key: values[index] for key, values in cells.items()},
            )
        )
    return sorted(everyone, key=lambda fibre: fibre.row)


def unique(stem: str, on: list[Fibre]) -> list[str]:
    """Return an identity for each fibre, unique within the file."""
    return unique_ids([fibre.name or f"{stem}-{fibre.row}" for fibre in on])


def _degrees(
    hdu: Any, columns: Any, cells: Any, names: tuple[str, ...], index: int, limits: tuple[float, float]
) -> float | None:
    """A position; 2dFdr's tables hold radian and name no unit."""
    name = next((name for name in names if name in cells), None)
    if name is None:
        return None
    said = keywords.number(cells[name][index])
    unit = str(hdu.columns[columns[name]].unit or "").lower()
    if said is None:
        return None
    radian = unit.startswith("rad") or (not unit and hdu.name.upper() == "FIBRES")
    return keywords.number(float(np.degrees(said)) if radian else said, limits)
