"""How far apart two positions are on the sky."""

from __future__ import annotations

import math


def separation_arcsec(
    ra: float | None, dec: float | None, other_ra: float | None, other_dec: float | None
) -> float | None:
    """Return the angle between two positions (deg, ICRS) in arcsec, None where one is not known."""
    if ra is None or dec is None or other_ra is None or other_dec is None:
        return None
    first, second = math.radians(dec), math.radians(other_dec)
    half = math.sin((second - first) / 2) ** 2
    half += math.cos(first) * math.cos(second) * math.sin(math.radians(other_ra - ra) / 2) ** 2
    return math.degrees(2 * math.asin(math.sqrt(min(half, 1.0)))) * 3600
