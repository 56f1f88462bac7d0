"""What came of comparing two spectra as a message."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from spectraq.models.answer import Answer
from spectraq.models.change.cutout import PairCutout
from spectraq.models.change.priority import priority
from spectraq.models.change.record import Change as PairChange
from spectraq.schemas.change import Change, ChangeReason, Cutout, EarlierSpectrum, change_id
from spectraq.workers.contract.convert import Ensemble, Subject, common_fields
from spectraq.workers.contract.object_choice import Remembered
from spectraq.workers.contract.remembering import result_ids

COMPARED, NOT_COMPARABLE = "compared", "not_comparable"


@dataclass(frozen=True, slots=True)
class Compared:
    """A spectrum beside an earlier one, and what came of it.

    Attributes
    ----------
    answer
        To the earlier one; None where it could not be analysed.
    change, cutout
        None where the two could not be compared; `why` says why.
    """

    earlier: Remembered
    separation: float | None
    days: float | None
    answer: Answer | None = None
    change: PairChange | None = None
    cutout: PairCutout | None = None
    why: str = ""


def change_message(
    subject: Subject, answer: Answer, ensemble: Ensemble, object_name: str, compared: Compared
) -> Change:
    """Return the Change of a spectrum; the same spectra, answers and ensemble give the same bytes."""
    change, earlier = compared.change, compared.earlier
    made_from = (
        (subject.spectrum_id, subject.digest),
        (earlier.spectrum_id, earlier.spectrum_digest),
        (ensemble.digest, ensemble.version),
    )
    kinds = tuple(dict.fromkeys(reason.kind for reason in change.reasons)) if change else ()
    return Change(
        **common_fields(subject, answer, ensemble),
        result_id=change_id(*made_from),
        object=object_name,
        spectype=answer.spectype,
        subtype=answer.subtype,
        z=answer.z,
        zerr=answer.zerr,
        changed=change.changed if change else False,
        kinds=kinds,
        false_positive_rate=change.false_positive_rate if change else 1.0,
        priority=priority(change) if change else 0.0,
        reasons=tuple(ChangeReason(**asdict(reason)) for reason in change.reasons) if change else (),
        message=change.message if change else compared.why,
        days=compared.days,
        judgement=COMPARED if change else NOT_COMPARABLE,
        reference=change.reference if change else "",
        earlier=_earlier(compared),
        overlap=change.overlap if change else 0,
        response=change.response if change else None,
        level=change.level if change else None,
        flux_unit=subject.flux_unit,
        cutout=Cutout(**_fields(compared.cutout)) if compared.cutout else None,
    )


def _earlier(compared: Compared) -> EarlierSpectrum:
    earlier, answer = compared.earlier, compared.answer
    said: dict[str, Any] = {}
    if answer is not None:
        said = {name: getattr(answer, name) for name in ("spectype", "subtype", "z", "zerr", "snr")}
    return EarlierSpectrum(
        **{
            name: getattr(earlier, name)
            for name in ("spectrum_id", "spectrum_digest", "survey", "target_id", "ra", "dec", "mjd")
        },
        **result_ids(earlier),
        **said,
        separation=compared.separation,
    )


def _fields(cutout: PairCutout) -> dict[str, Any]:
    return {name: getattr(cutout, name) for name in PairCutout.__slots__}
