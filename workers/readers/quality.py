"""Which pixels a file says are bad: by whatever name the column has, and whichever of 0 and 1 is good."""

from __future__ import annotations

import re
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
    "goodmask",
    "good_mask",
)
"""Not zero is good."""
_GOOD_WORDS = frozenset(("good", "valid", "usable", "gpm"))
_BAD_WORDS = frozenset(("bad", "mask", "masked", "dq", "flag", "flags", "qual", "quality", "bpm", "badpix"))
_FILLING = frozenset(("is", "pixel", "pixels", "pix", "flux", "spec", "spectrum", "data", "array", "map"))
"""Words that names of quality are made of, `bad_pixel_mask` or `mask_good`; any other is of another thing."""
_LIKE_QUALITY = re.compile(r"(?:.*_)?(?:mask|flags?|qual|quality|dq|qc|status|bad|good)(?:_.*|\d*)")
_TRUE, _FALSE = ("true", "t", "yes", "y"), ("false", "f", "no", "n", "")
"""Truth values as text has them."""
BAD_BITS = "bits that are bad"
"""Under this key of a header, which no file has, stand the bits of a mask that count; all do otherwise."""
_PYPEIT = ("pyp_spec", "dmodcls", "pypmfdid", "pypeline")


def column(names: Iterable[str], wanted: str | None = None) -> str | None:
    """Return the column of quality among lower-case names; None for none."""
    there = list(names)
    known = next((name for name in (*filter(None, [wanted]), *BAD, *GOOD) if name in there), None)
    return known or next((name for name in there if _is_made_of_words(name)), None)


def unfollowed(names: Iterable[str]) -> list[str]:
    """Return which lower-case names sound like quality; to be said where none of them is followed."""
    return [name for name in names if _LIKE_QUALITY.fullmatch(name)]


def _is_made_of_words(name: str) -> bool:
    words = set(re.split(r"[_\W]+", name))
    return bool(words & (_GOOD_WORDS | _BAD_WORDS)) and words <= _GOOD_WORDS | _BAD_WORDS | _FILLING


def _says_good(name: str) -> bool:
    return name in GOOD or (name not in BAD and bool(set(re.split(r"[_\W]+", name)) & _GOOD_WORDS))


def _numbers(values: Any) -> NDArray[np.float64]:
    """Return quality as numbers, shape (n,); words of truth are 1 and 0."""
    array = np.asarray(values).ravel()
    if array.dtype.kind in "SUO":
        words = [str(word).strip().lower() for word in array.tolist()]
        if set(words) <= {*_TRUE, *_FALSE}:
            return np.array([float(word in _TRUE) for word in words])
    return np.asarray(array, np.float64)


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
        numbers = _numbers(values)
    except (TypeError, ValueError):
        note(f"{name} does not hold numbers: not used")
        return np.zeros(unmeasured.shape, bool)
    marked = ~(numbers == 0)
    if BAD_BITS in meta:
        return np.asarray((numbers.astype(np.int64) & meta[BAD_BITS]) != 0)
    if _says_good(name) or any(key in meta for key in _PYPEIT):
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
