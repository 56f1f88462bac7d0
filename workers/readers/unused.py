"""What is said where no column is known as noise: that it is estimated, and which columns are not used."""

from __future__ import annotations

from spectraq.workers.readers import columns as names
from spectraq.workers.readers import quality
from spectraq.workers.readers.columns import Columns
from spectraq.workers.readers.format import Note
from spectraq.workers.readers.objects import NAMES

USED = frozenset((*quality.BAD, *quality.GOOD, *NAMES, *names.RA, *names.DEC, *names.MJD, *names.SURVEY))
LISTED = 8
"""Columns that are named; of more it is said how many."""
_NOISY = ("err", "sig", "noise", "var", "std", "unc")
"""What the name of a column of noise holds, whatever else: such are named first."""


def say_estimated_noise(columns: Columns, note: Note) -> None:
    """Say that no column is known as noise, and which columns nothing is taken from."""
    used = {columns.first(names.FLUX), columns.wavelength} | USED
    unused = sorted(
        (name for name in columns.arrays if name not in used),
        key=lambda name: not any(word in name for word in _NOISY),
    )
    listed = ", ".join(unused[:LISTED])
    more = f" and {len(unused) - LISTED} more" if len(unused) > LISTED else ""
    note(
        "no column is known as noise, which is estimated from the flux"
        + (f"; not used: {listed}{more}" if unused else "")
    )
