"""Where a row lies: the night that it is of, and the cell of the sky."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np

MJD_ZERO = date(1858, 11, 17)
EARLIEST, LATEST = date(1950, 1, 1), date(2100, 1, 1)
"""A night beyond these is no night of a spectrum."""

INDEX_ORDER = 29
"""Of `healpix_29`, the finest order that 64 bits hold; HATS has its index in the same order."""
CELL_ORDER = 4
"""Of the cells that tables may be partitioned by: 3072, of 13 square degrees each."""


def night_of(mjd: float | None, time_ms: int) -> date:
    """Return the UTC date of an exposure; where that is not known, of its message.

    Parameters
    ----------
    mjd
        Modified Julian date of the exposure.
    time_ms
        Timestamp of the message, in ms since 1970 UTC.
    """
    if mjd is not None and _days(EARLIEST) <= mjd < _days(LATEST):
        return MJD_ZERO + timedelta(days=int(mjd))
    earliest_ms, latest_ms = (
        datetime(day.year, 1, 1, tzinfo=UTC).timestamp() * 1000 for day in (EARLIEST, LATEST)
    )
    return datetime.fromtimestamp(min(max(time_ms, earliest_ms), latest_ms - 1) / 1000, UTC).date()


def _days(day: date) -> int:
    return (day - MJD_ZERO).days


def healpix_indices(ra: Sequence[float | None], dec: Sequence[float | None]) -> list[int | None]:
    """Return the pixel of each position (deg, ICRS), nested, at `INDEX_ORDER`; None where there is none."""
    import astropy.units as u
    from astropy_healpix import lonlat_to_healpix

    positions = np.array([ra, dec], dtype=float)
    known = np.isfinite(positions).all(axis=0) & (np.abs(positions[1]) <= 90)
    lon, lat = positions[:, known] * u.deg
    pixels = iter(lonlat_to_healpix(lon, lat, 1 << INDEX_ORDER, order="nested").tolist())
    return [next(pixels) if is_known else None for is_known in known.tolist()]


def cell_of(index: int | None) -> int | None:
    """Return the cell of order `CELL_ORDER` that a pixel of order `INDEX_ORDER` is in."""
    return None if index is None else index >> 2 * (INDEX_ORDER - CELL_ORDER)
