"""The Earth's own motion between two dates: where it is not taken out it looks like a velocity."""

from __future__ import annotations

import numpy as np

from spectraq.models.grid.surveys import SURVEYS, survey_index


def corrected(survey: str | None) -> bool:
    """Return whether a survey's wavelengths are known to be at the Sun's or the barycentre's rest.

    SDSS, BOSS, DESI and LAMOST say so of theirs.
    """
    return survey_index(survey) < len(SURVEYS)


def difference_km_s(
    ra: float | None, dec: float | None, earlier: float | None, newer: float | None
) -> float | None:
    """Return how much further to the red the newer spectrum lies for the Earth's orbit alone, km/s.

    Parameters
    ----------
    ra, dec
        Degrees, ICRS.
    earlier, newer
        Days, MJD UTC.

    Returns
    -------
    velocity
        To about 0.5 km/s, as the Earth's rotation is left out; None where something is not known.
    """
    if ra is None or dec is None or earlier is None or newer is None:
        return None
    from astropy.coordinates import get_body_barycentric_posvel
    from astropy.time import Time

    angle, height = np.radians(ra), np.radians(dec)
    towards = np.array([np.cos(height) * np.cos(angle), np.cos(height) * np.sin(angle), np.sin(height)])
    speeds = []
    for mjd in (earlier, newer):
        _, velocity = get_body_barycentric_posvel("earth", Time(mjd, format="mjd", scale="tdb"))
        speeds.append(float(towards @ velocity.xyz.to_value("km/s")))
    return -(speeds[1] - speeds[0])  # who moves towards a star sees it bluer
