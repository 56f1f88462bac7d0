"""What no fit follows of a real spectrum: an error in proportion to its level, added to the noise."""

from __future__ import annotations

from spectraq.models.grid.axis import Number

FITTED = 0.04
"""Fraction of the local level that no basis follows better, in what is fitted: it keeps chi2 from preferring
wrong redshifts. Tuned on mocks with faults; anything from 0.02 to 0.06 does."""
JUDGED = 0.02
"""The same in what the fit leaves: smaller, because here what is missed is what is sought."""
LEAST_LEVEL = 0.1
"""The error does not fall below that of a tenth of the median flux."""


def with_error(ivar: Number, error: Number) -> Number:
    """Return the inverse variance of the noise and an error of the model together, zero where it is zero.

    Parameters
    ----------
    ivar
        Of the noise alone.
    error
        One standard deviation, of the same shape.
    """
    return ivar / (1 + ivar * (error * error))
