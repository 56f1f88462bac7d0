"""Which results to list, and in which order: by class, redshift, S/N, flag, warning, words, and sky."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from spectraq.workers.web.night.entry import Row

Finite = Field(default=None, allow_inf_nan=False)


class Filters(BaseModel):
    """Conditions on a row; all that are given must hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    spectype: str | None = Field(default=None, max_length=20)
    zmin: float | None = Finite
    zmax: float | None = Finite
    snrmin: float | None = Finite
    flagged: bool | None = None
    warned: bool | None = None  # zwarn other than 0
    shared: str | None = Field(default=None, max_length=36)  # the fault_id of a fault that many share
    text: str | None = Field(default=None, max_length=200)  # in id, target, subclass, reason or warnings
    ra: float | None = Field(default=None, ge=0, le=360, allow_inf_nan=False)  # deg
    dec: float | None = Field(default=None, ge=-90, le=90, allow_inf_nan=False)  # deg
    radius: float = Field(default=60.0, gt=0, le=648_000, allow_inf_nan=False)  # arcsec
    order: Literal["newest", "strangest"] = "newest"
    limit: int = Field(default=60, ge=1, le=1000)

    def condition(self) -> Callable[[Row], bool]:
        """Return the test of a row, made of the conditions that are given alone."""
        tests: list[Callable[[Row], bool]] = []
        if self.spectype:
            tests.append(lambda row: row.spectype == self.spectype)
        if self.zmin is not None:
            tests.append(lambda row, least=self.zmin: row.z >= least)  # type: ignore[misc]
        if self.zmax is not None:
            tests.append(lambda row, most=self.zmax: row.z <= most)  # type: ignore[misc]
        if self.snrmin is not None:
            tests.append(lambda row, least=self.snrmin: row.snr >= least)  # type: ignore[misc]
        if self.flagged is not None:
            tests.append(lambda row: row.flagged == self.flagged)
        if self.warned is not None:
            tests.append(lambda row: bool(row.zwarn) == self.warned)
        if self.shared:
            tests.append(lambda row: self.shared in row.shared)
        if self.text:
            tests.append(_holds(self.text.casefold()))
        if self.ra is not None and self.dec is not None:
            tests.append(_within(self.ra, self.dec, self.radius))
        return lambda row: all(test(row) for test in tests)


def _holds(words: str) -> Callable[[Row], bool]:
    def test(row: Row) -> bool:
        texts = (row.spectrum_id, row.target_id or "", row.subtype, row.survey or "", row.reason)
        return any(words in text.casefold() for text in (*texts, *row.warnings))

    return test


def _within(ra: float, dec: float, radius_arcsec: float) -> Callable[[Row], bool]:
    """Test the angle between two directions, by the chord, which keeps its digits at small angles."""
    centre = _direction(ra, dec)
    chord2 = (2 * math.sin(math.radians(radius_arcsec / 3600) / 2)) ** 2

    def test(row: Row) -> bool:
        if row.ra is None or row.dec is None:
            return False
        return sum((a - b) ** 2 for a, b in zip(centre, _direction(row.ra, row.dec), strict=True)) <= chord2

    return test


def _direction(ra: float, dec: float) -> tuple[float, float, float]:
    right, up = math.radians(ra), math.radians(dec)
    return math.cos(up) * math.cos(right), math.cos(up) * math.sin(right), math.sin(up)
