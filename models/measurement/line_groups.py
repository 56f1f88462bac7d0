"""Which lines are measured together: those of a group share one width and one offset.

Ratios within a doublet are fixed by atomic physics: [O III] 2.98 and [N II] 3.05 (Storey and Zeippen 2000,
MNRAS 312, 813), [O I] 3.03 and [Ne III] 3.32 (transition probabilities times energies, NIST).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

from spectraq.models.lines import wavelength

NARROW, BROAD = "narrow", "broad"


@dataclass(frozen=True, slots=True)
class Tied:
    """A line with those whose flux follows from its own.

    Attributes
    ----------
    name
        Of the line in `lines.LINES`; the flux is its own.
    parts
        Rest wavelengths in vacuum angstrom, and fluxes relative to the line's own, which comes first.
    """

    name: str
    parts: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Lines of one width and offset.

    Attributes
    ----------
    component
        NARROW or BROAD.
    starts
        Standard deviations of which the best is taken where it is judged whether the group pays, km/s.
    widest, furthest
        Largest standard deviation and offset, km/s.
    narrowest
        Smallest standard deviation, km/s; None where a line may be as sharp as the instrument, and by noise
        sharper.
    """

    name: str
    component: str
    lines: tuple[Tied, ...]
    starts: tuple[float, ...]
    widest: float
    furthest: float
    narrowest: float | None = None


RATIOS = {
    "OIII_5008": (("OIII_4960", 1 / 2.98),),
    "NII_6585": (("NII_6550", 1 / 3.05),),
    "OI_6302": (("OI_6366", 1 / 3.03),),
    "NeIII": (("NeIII_3969", 1 / 3.32),),
}
FORBIDDEN = (
    "CIII", "CII", "NeV_3347", "NeV", "OII_3727", "OII_3730", "NeIII", "OIII_4364", "OIII_5008", "NI",
    "OI_6302", "NII_6585", "SII_6718", "SII_6733", "ArIII", "OII_7321", "OII_7332", "SIII_9071", "SIII_9533",
)  # fmt: skip
PERMITTED = (
    "MgII_2796", "MgII_2804", "H8", "Hepsilon", "Hdelta", "Hgamma", "HeII_4687", "Hbeta", "HeI_5877",
    "Halpha", "HeI_6680", "HeI_7067",
)  # fmt: skip
ABSENT_FROM_QUASARS = frozenset({"CIII", "CII", "MgII_2796", "MgII_2804"})
"""Narrow lines that can't be told from the broad ones there."""
BROAD_LINES = {
    "Lya": ("Lya", "NV"),
    "SiIV": ("SiIV",),
    "CIV": ("CIV", "HeII_1640"),
    "CIII": ("CIII", "AlIII"),
    "MgII": ("MgII",),
    "Hbeta": ("Hbeta", "Hgamma", "Hdelta", "HeII_4687"),
    "Halpha": ("Halpha", "HeI_5877", "OI_8449"),
}
"""The first line of each names its group, and has a second Gaussian where it pays for one."""
SUMS = {"OII": ("OII_3727", "OII_3730")}
"""Blends whose sum is known better than its parts."""
BROAD_STARTS = (900.0, 2000.0, 4000.0)
WIDEST_NARROW, WIDEST_BROAD, NARROWEST_BROAD = 500.0, 9000.0, 500.0
FURTHEST_NARROW, FURTHEST_BROAD = 400.0, 4000.0


@cache
def tied(name: str) -> Tied:
    """Return a line with its followers."""
    parts = [(wavelength(name), 1.0), *((wavelength(other), ratio) for other, ratio in RATIOS.get(name, ()))]
    return Tied(name, tuple(parts))


@lru_cache(maxsize=256)
def narrow(name: str, lines: tuple[str, ...]) -> Group:
    """Return a group of narrow lines."""
    return Group(name, NARROW, tuple(map(tied, lines)), (), WIDEST_NARROW, FURTHEST_NARROW)


@cache
def wing() -> Group:
    """Return the wings of [O III], which outflows give quasars."""
    return Group("wing", NARROW, (tied("OIII_5008"),), (400.0, 900.0), 1500.0, 1500.0, 250.0)


def narrow_lines(spectype: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return names of a class's forbidden and permitted narrow lines."""
    absent = ABSENT_FROM_QUASARS if spectype == "QSO" else frozenset()
    forbidden, permitted = (tuple(n for n in lines if n not in absent) for lines in (FORBIDDEN, PERMITTED))
    return forbidden, permitted


@cache
def broad(name: str, second: bool = False) -> Group:
    """Return the broad group of a name: all its lines, or the second Gaussian of the line that names it."""
    lines = BROAD_LINES[name][:1] if second else BROAD_LINES[name]
    return Group(
        f"{name}, second" if second else name,
        BROAD,
        tuple(Tied(line, ((wavelength(line), 1.0),)) for line in lines),
        BROAD_STARTS,
        WIDEST_BROAD,
        FURTHEST_BROAD,
        NARROWEST_BROAD,
    )
