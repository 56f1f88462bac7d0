"""Warnings that do no harm here."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


class _Known(type):
    def __subclasscheck__(cls, kind: type) -> bool:
        return any(base.__name__ == "AstropyWarning" for base in kind.__mro__)


class _OfAstropy(Warning, metaclass=_Known):
    """Any of astropy's warnings, by the name of their base: most files are read without astropy."""


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back warnings of what does no harm here: headers that bend the standard, numbers without bounds.

    What overflows is infinite, and such a pixel is not used.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", _OfAstropy)
        yield
