"""Surveys whose instruments are known, and which of them a spectrum is of."""

from __future__ import annotations

SURVEYS = ("sdss", "boss", "desi", "lamost")
"""What a survey's name begins with."""


def survey_index(name: str | None) -> int:
    """Return which of `SURVEYS` a survey's name means, their number where it is none of them.

    Parameters
    ----------
    name
        As of `Observation.survey`: "LAMOST", "sdss-v", None where it is not known.
    """
    lower = (name or "").lower()
    return next((i for i, survey in enumerate(SURVEYS) if lower.startswith(survey)), len(SURVEYS))
