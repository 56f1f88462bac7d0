"""What is remembered of a spectrum's object, and what is published beside its results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spectraq.workers.transport.messages import Outgoing

if TYPE_CHECKING:
    from spectraq.models.observation import Observation
    from spectraq.schemas.spectrum import Spectrum
    from spectraq.workers.cache.objects import Claim
    from spectraq.workers.contract.object_choice import Remembered


@dataclass(frozen=True, slots=True)
class History:
    """A spectrum and what is remembered of its object.

    Attributes
    ----------
    one, body
        The spectrum as it is remembered; None where it says no object, or is too noisy to be compared.
    claim
        None where Redis gave no answer.
    earlier
        What it is compared with, None where it is the first.
    before
        The pixels of that, None where they are not there.
    """

    one: Remembered | None = None
    body: bytes = b""
    claim: Claim | None = None
    earlier: Remembered | None = None
    before: Spectrum | None = None
    observed: Observation | None = None


NO_HISTORY = History()


@dataclass(frozen=True, slots=True)
class Beside:
    """What is published beside the results of a spectrum.

    Attributes
    ----------
    outcome
        What became of the comparison, as the metric counts it; empty where none is made.
    """

    outcome: str = ""
    outgoing: tuple[Outgoing, ...] = ()


NOTHING_BESIDE = Beside()
