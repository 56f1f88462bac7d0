"""Answers judged again by what their folder or their stream has shown to be normal there."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from spectraq.models.anomaly.false_positive_shares import together
from spectraq.models.anomaly.group import LEAST_GROUP, Bulk, Group
from spectraq.models.anomaly.judge import FLAG_RATE, attributed_to, told_of
from spectraq.models.anomaly.kinds import KINDS
from spectraq.models.anomaly.reference import Reference
from spectraq.models.anomaly.verdict import ADAPTED
from spectraq.models.answer import Answer


@dataclass(frozen=True, slots=True)
class KnownGroup:
    """A group that is large enough to have a bulk of its own."""

    name: str
    n: int
    bulk: Bulk


def known_group(name: str, group: Group, reference: Reference) -> KnownGroup | None:
    """Return what a group shows, None where it has too few spectra."""
    if group.n < LEAST_GROUP:
        return None
    return KnownGroup(name, group.n, group.bulk(reference.quartile.double().cpu().numpy()))


def judged_in_groups(
    answers: Sequence[Answer], groups: Sequence[KnownGroup | None], reference: Reference
) -> list[Answer]:
    """Return the answers with their anomalies judged by what is beyond the bulk of their groups.

    An answer without a group, or outside the reference, comes back as it is.

    Parameters
    ----------
    answers
        As `Pipeline.analyze` gives them.
    groups
        Of each answer.
    """
    judged = list(answers)
    pairs = zip(answers, groups, strict=True)
    rows = [i for i, (answer, group) in enumerate(pairs) if group and answer.anomaly_evidence]
    if not rows:
        return judged
    evidence = [evidence for i in rows if (evidence := answers[i].anomaly_evidence)]
    of_rows = [group for i in rows if (group := groups[i])]
    strangeness = np.array([one.strangeness for one in evidence], dtype=np.float64)
    bulk = Bulk(
        *(np.stack([getattr(group.bulk, part) for group in of_rows]) for part in ("shift", "stretch"))
    )
    rates = reference.rates(torch.from_numpy(bulk.rebased(strangeness)).to(reference.tail))
    detected = torch.tensor([KINDS.index(one.detected) for one in evidence], device=rates.device)
    overall, told = together(rates).tolist(), attributed_to(rates, detected).tolist()
    for i, one, group, rate, of_kind in zip(rows, evidence, of_rows, overall, told, strict=True):
        flagged = rate < FLAG_RATE
        judged[i] = dataclasses.replace(
            answers[i],
            anomaly_score=-math.log10(rate),
            anomaly_false_positive_rate=rate,
            anomaly_flagged=flagged,
            anomaly_reasons=told_of(one, of_kind) if flagged else (),
            anomaly_reference=f"{answers[i].anomaly_reference}, adapted to {group.n} of {group.name}",
            anomaly_judgement=ADAPTED,
        )
    return judged
