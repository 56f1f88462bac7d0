"""What headers and tables say beside the pixels, read leniently: of any type, damaged, or not there.

Only where the pixels lie is needed (`needed`); all else is optional, and what can't be understood is unknown.
"""

from __future__ import annotations

import math
from typing import Any

from spectraq.schemas.text import escaped
from spectraq.workers.errors import ReadError

MAX_TEXT = 180
"""Characters of a text that are kept: identities have room for 200, a row's number included."""
RIGHT_ASCENSION = (0.0, 360.0)
DECLINATION = (-90.0, 90.0)
LARGEST = 2.0**53
"""Up to here every whole number is a float."""
DAYS = (0.0, 1e6)
"""Modified Julian dates that a spectrum may have."""


def value(header: Any, name: str) -> Any:
    """Return what a header says under a keyword; None where it says nothing, or nothing that can be read."""
    try:
        said = header[name]
    except KeyError:
        return None
    except Exception as error:
        if isinstance(error, ValueError) or is_bad_card(error):
            return None
        raise
    if said is None or isinstance(said, (str, int, float)):
        return said
    from astropy.io.fits.card import Undefined

    return None if isinstance(said, Undefined) else said


def is_bad_card(error: Exception) -> bool:
    """Return whether astropy could not make sense of a card."""
    from astropy.io.fits.verify import VerifyError

    return isinstance(error, VerifyError)


def number(said: Any, limits: tuple[float, float] = (-math.inf, math.inf)) -> float | None:
    """Return a finite number within limits, as a number or as text; surveys write -999 for unknown ones."""
    if said is None or isinstance(said, bool):
        return None
    try:
        as_float = float(said)
    except (TypeError, ValueError, OverflowError):
        return None
    return as_float if math.isfinite(as_float) and limits[0] <= as_float <= limits[1] else None


def whole(said: Any) -> int | None:
    """Return a whole number, written as a number or as text; None for all else."""
    as_float = number(said, (-LARGEST, LARGEST))
    return int(as_float) if as_float is not None and as_float.is_integer() else None


def text(said: Any) -> str | None:
    """Return a value as text that can be shown, escaped where it can't; None where it says nothing."""
    if said is None:
        return None
    written = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return escaped(written.strip().strip("\0"))[:MAX_TEXT] or None


def denied(said: Any) -> bool:
    """Whether a keyword that is true where nothing is said was set to false."""
    return str(said).strip().lower() in ("false", "f", "0")


def needed(header: Any, name: str) -> float:
    """Return a number that the pixels can't be placed without.

    Raises
    ------
    ReadError
        Naming the keyword, where it is missing or no number.
    """
    needed_number = number(value(header, name))
    if needed_number is None:
        said = text(value(header, name))
        why = "is missing or can't be read" if said is None else f"is {said!r}, and no number"
        raise ReadError(f"the keyword {name.upper()} {why}: nothing else says where the pixels lie")
    return needed_number
