"""Warnings that do no harm here."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back warnings of what does no harm here: headers that bend the standard, numbers without bounds.

    What overflows is infinite, and such a pixel is not used.
    """
    from astropy.utils.exceptions import AstropyWarning

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", AstropyWarning)
        yield
