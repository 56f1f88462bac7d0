"""What a spectrum was observed with: its exposure, its plate and its fibre, as far as they are known."""

from __future__ import annotations

from spectraq.models.answer import GROUPS
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.contract.convert import Subject

GroupKey = tuple[str, str, str]  # survey, one of GROUPS, and the name


def survey_of(subject: Subject | Spectrum) -> str:
    """Return the name of a survey as spectra of it are put together by."""
    return (subject.survey or "").lower()


def groups_of(subject: Subject | Spectrum) -> list[GroupKey]:
    """Return the groups that a spectrum is of."""
    named = ((sort, getattr(subject, sort)) for sort in GROUPS)
    return [(survey_of(subject), sort, name) for sort, name in named if name]
