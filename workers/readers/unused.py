"""Columns that nothing is taken from: said where the noise may be among them."""

from __future__ import annotations

from spectraq.workers.readers import columns as names
from spectraq.workers.readers.columns import Columns
from spectraq.workers.readers.format import Note
from spectraq.workers.readers.objects import NAMES

NOISE = frozenset((*names.IVAR, *names.ERROR, *names.VARIANCE))
OTHERS = frozenset((*names.MASK, *NAMES, *names.RA, *names.DEC, *names.MJD, *names.SURVEY))
LISTED = 8
"""Columns that are named; of more it is said how many."""


def say_unused(columns: Columns, note: Note) -> None:
    """Say which columns are not used, where none of those that are used is the noise."""
    if NOISE & set(columns.arrays) or columns.first(names.FLUX) is None:
        return
    used = {columns.first(names.FLUX), columns.wavelength} | OTHERS
    unused = [name for name in columns.arrays if name not in used]
    if not unused:
        return
    listed = ", ".join(unused[:LISTED]) + (
        f" and {len(unused) - LISTED} more" if len(unused) > LISTED else ""
    )
    note(f"no column is known as noise, which is estimated from the flux; not used: {listed}")
