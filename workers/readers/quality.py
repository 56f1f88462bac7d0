"""Which pixels a file says are bad: by whatever name the column has, and whichever of 0 and 1 is good."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectraq.workers.errors import ReadError
from spectraq.workers.readers.format import Note

BAD = (
    "mask", "flux_mask", "pixmask", "badpix", "bad_pixel", "bpm", "bad", "dq", "data_quality", "qual",
    "quality", "flags", "flag", "flux_flag", "bitmask", "pixel_mask", "pixel_quality", "dqflag",
    "dq_flag", "qual_flag", "pixel_flags", "spec_mask", "mask_flux", "badpixels", "rejected",
)  # fmt: skip
"""Not zero is bad, unless the file is one of those that have it the other way round."""
GOOD = (
    "good",
    "goodpix",
    "goodpixels",
    "good_pixel",
    "valid",
    "gpm",
    "use",
    "opt_mask",
    "box_mask",
    "is_good",
)
"""Not zero is good."""
BAD_BITS = "bits that are bad"
"""Under this key of a header, which no file has, stand the bits of a mask that count; all do otherwise."""
_PYPEIT = ("pyp_spec", "dmodcls", "pypmfdid", "pypeline")


def column(names: Iterable[str], wanted: str | None = None) -> str | None:
    """Return the column of quality among lower-case names; None for none."""
    there = set(names)
    return next((name for name in (*filter(None, [wanted]), *BAD, *GOOD) if name in there), None)


def bad(
    name: str, values: Any, unmeasured: NDArray[np.bool_], meta: Mapping[str, Any], note: Note
) -> NDArray[np.bool_]:
    """Return which pixels are bad, shape (n,).

    Parameters
    ----------
    name
        Of the column, in lower case.
    values
        Shape (n,), numbers or truth values.
    unmeasured
        Where flux or noise says by itself that there is nothing, shape (n,).
    meta
        The file's header, lower-case keywords.

    Raises
    ------
    ReadError
        Where most pixels would be bad and nothing says which sense is meant.
    """
    try:
        marked = ~(np.asarray(values, np.float64).ravel() == 0)
    except (TypeError, ValueError):
        note(f"{name} does not hold numbers: not used")
        return np.zeros(unmeasured.shape, bool)
    if BAD_BITS in meta:
        return np.asarray((np.asarray(values, np.float64).ravel().astype(np.int64) & meta[BAD_BITS]) != 0)
    if name in GOOD or any(key in meta for key in _PYPEIT):
        return np.asarray(~marked)
    clear = ~marked
    if marked.mean() > 0.5 and clear.any() and bool(unmeasured[clear].all()):
        note(f"{name} is 0 only where nothing was measured: taken as 0 bad, not 0 good")
        return np.asarray(clear)
    if marked.mean() > 0.5 and not unmeasured[marked].all():
        raise ReadError(
            f"{name} is not zero in {marked.sum()} of {marked.size} pixels, and nothing says which"
            " sense is meant; give the file a column `good` (1 is good) or `bad` (1 is bad) in its place"
        )
    return np.asarray(marked)
