"""From a reference to a group: how strange are the spectra that a folder or a stream mostly has?

Elsewhere the same object is recorded and reduced otherwise, and every score of it may lie higher than those
of the reference. What counts as strange in a group is measured from its own bulk, kind by kind: from the
median of its spectra, in units of how far its third quartile lies beyond. This only ever makes a spectrum
less strange, and does nothing while the group's median is nearer to the reference's than to its 85 %: then
one anomaly in five, or a few faults of one kind, move nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectraq.models.anomaly.kinds import KINDS

LEAST_GROUP = 20
"""Fewer spectra have no bulk of their own: each is judged alone."""
EDGES = np.array(
    [
        0.0,
        0.25,
        0.5,
        0.6,
        0.7,
        0.8,
        0.9,
        1.0,
        1.2,
        1.4,
        1.7,
        2.0,
        2.5,
        3.0,
        3.7,
        4.5,
        5.5,
        7.0,
        9.0,
        12.0,
        16.0,
    ]
)
"""Of the bins that strangeness is counted in: close where a group begins to be foreign."""
BINS = len(EDGES) + 1
BEGIN, WHOLE = 0.5, 1.0
"""Median strangeness of a group where its own bulk begins to count, and where nothing else does."""
MOST_SHIFT, MOST_STRETCH = 8.0, 6.0
"""Whatever a group holds, or whoever else writes to the store says, what is stranger than this stays so."""

LEAST_QUARTILE = 1e-3
"""A score that is the same for most normal spectra spreads by nothing that could be a unit."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bulk:
    """Where the bulk of a group lies, by kind, and how it spreads: what is taken off, and divided by."""

    shift: Floats  # (kinds,)
    stretch: Floats  # (kinds,), one or more

    def rebased(self, strangeness: Floats) -> Floats:
        """Return strangeness beyond that of the group, shapes (..., kinds); never more than it was."""
        beyond = (strangeness - self.shift) / self.stretch
        return np.minimum(beyond, strangeness)


@dataclass(frozen=True, slots=True)
class Group:
    """How strange the spectra of a group are, counted.

    Attributes
    ----------
    counts
        Spectra by kind and bin of strangeness, shape (kinds, BINS): the order they came in is not in it.
    """

    counts: NDArray[np.int64]

    @classmethod
    def of(cls, strangeness: Sequence[Sequence[float]] | Floats) -> Group:
        """Count spectra, (B, kinds)."""
        table = np.asarray(strangeness, dtype=np.float64).reshape(-1, len(KINDS))
        bins = np.searchsorted(EDGES, table, side="right")
        return cls(np.stack([np.bincount(column, minlength=BINS) for column in bins.T]))

    def __add__(self, other: Group) -> Group:
        """Return the spectra of both."""
        return Group(self.counts + other.counts)

    @property
    def n(self) -> int:
        """Return how many spectra were counted."""
        return int(self.counts[0].sum())

    def bulk(self, quartile: Floats) -> Bulk:
        """Return what strangeness is measured from in this group.

        Parameters
        ----------
        quartile
            Third quartile of strangeness in the reference, shape (kinds,); the median is zero.
        """
        median, third = self._quantile(0.5), self._quantile(0.75)
        foreign = np.clip((median - BEGIN) / (WHOLE - BEGIN), 0.0, 1.0)
        unit = np.maximum(quartile, LEAST_QUARTILE)
        spread = np.clip((third - median) / unit, 1.0, MOST_STRETCH)
        return Bulk(foreign * np.minimum(median, MOST_SHIFT), spread**foreign)

    def _quantile(self, level: float) -> Floats:
        """Return a quantile of every kind, linear within bins; the first edge or the last beyond."""
        below = np.cumsum(self.counts, 1)
        wanted = level * below[:, -1]
        column = np.minimum((below < wanted[:, None]).sum(1), BINS - 1)
        rows = np.arange(len(below))
        inside = self.counts[rows, column]
        part = (wanted - (below[rows, column] - inside)) / np.maximum(inside, 1)
        low = EDGES[np.maximum(column - 1, 0)]
        high = EDGES[np.minimum(column, len(EDGES) - 1)]
        return np.asarray(low + np.clip(part, 0.0, 1.0) * (high - low))
