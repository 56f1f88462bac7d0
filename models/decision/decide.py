"""From opinions and minima of chi2 to one class, one redshift, and how far both can be trusted.

The networks name the class; chi2 sways them where they hesitate (`redshift/chi2_evidence.py`). Within a
class the networks' redshift posterior and chi2 count alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from spectraq.models.classes import CLASS_OF_SUBCLASS, CLASSES, SAME_Z, STAR_TYPES
from spectraq.models.grid.axis import z_of
from spectraq.models.networks.ensemble import Opinion
from spectraq.models.redshift.candidates import N_BEST, Candidates, log_prior
from spectraq.models.redshift.chi2_evidence import between_classes, kappa_of
from spectraq.models.redshift.minima import NOTHING

SCAN_PROBABILITY = 0.02
"""A class no member gives this much is not scanned. Anything from 0 to 0.1 gives the same answers."""
PROBABILITY_FLOOR = 1e-5
STAR, GALAXY, QSO = range(3)
RARITY_FLOOR = -2.0
"""The most, in nats, that the rarity of its best redshift counts against a class: the real ones must come
through where the networks are sure."""
SHARPNESS = 2.0
"""Scores understate how sure a redshift is: with them doubled, candidates given 66 and 89 % are right in 86
and 95 % of hard mocks, and those given less than half are right as seldom as they say."""
UNRIVALLED = 99.0
"""Gap in nats where there is no second redshift."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is said of B spectra."""

    spectype: torch.Tensor  # (B,) index into CLASSES
    class_probability: torch.Tensor  # (B, 3)
    class_spread: torch.Tensor  # (B, 3) over members
    subclass_probability: torch.Tensor  # (B, 18)
    subclass_spread: torch.Tensor  # (B, 18)
    margin: torch.Tensor  # (B,) nats by which the class leads
    gap: torch.Tensor  # (B,) nats by which the redshift leads within its class
    overruled: torch.Tensor  # (B,) nats by which chi2 alone would prefer another redshift of the class
    z_spread: torch.Tensor  # (B,) over members, each deciding alone on the same chi2
    members_agree: torch.Tensor  # (B,) bool: on class and redshift
    candidate_class: torch.Tensor  # (B, N_BEST); the answer first
    candidate: torch.Tensor  # (B, N_BEST) index within the class's candidates
    candidate_probability: torch.Tensor  # (B, N_BEST) over all candidates; 0 where there are fewer


def same_z(spectype: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return how far redshifts of each class may differ, over 1 + z, and be one answer; shape as given."""
    return torch.tensor(tuple(SAME_Z.values()), dtype=dtype, device=spectype.device)[spectype]


def to_scan(opinion: Opinion) -> torch.Tensor:
    """Return which classes are worth a scan, shape (B, 3) bool; never none."""
    return opinion.spectype.max(0).values > SCAN_PROBABILITY


def decide(opinion: Opinion, candidates: Sequence[Candidates], freedom: torch.Tensor) -> Decision:
    """Decide on a batch.

    Parameters
    ----------
    opinion
        Of the ensemble.
    candidates
        Candidates of each class in the order of CLASSES; empty for what was not scanned.
    freedom
        Number of coarse pixels of each spectrum, shape (B,).
    """
    sway = _sway(candidates, freedom)  # (B, 3)
    of_members = opinion.spectype  # (M, B, 3)
    mean = of_members.mean(0).clamp_min(PROBABILITY_FLOOR)
    logit = mean.log() + sway
    posterior = logit.softmax(1)
    spectype = logit.argmax(1)
    leading = logit.topk(2, 1).values
    subclass = _with_star_evidence(opinion.subclass, candidates[STAR])
    within = posterior / mean  # a class's subclasses gain and lose with it
    joint = subclass.mean(0) * within[:, torch.tensor(CLASS_OF_SUBCLASS, device=logit.device)]
    scores = torch.stack([c.score for c in candidates])  # (3, B, n)
    redshifts = torch.stack([z_of(c.lag) for c in candidates])
    own_score, own_z = _own(scores, spectype), _own(redshifts, spectype)
    limit = same_z(spectype, own_z.dtype) * (1 + own_z[:, 0])
    member_z, member_class = _alone(opinion, candidates, sway)
    agree = ((member_z - own_z[:, 0]).abs() < limit).all(0) & (member_class == spectype).all(0)
    classes, index, probability = _joined(posterior, scores, spectype)
    return Decision(
        spectype=spectype,
        class_probability=posterior,
        class_spread=of_members.std(0, correction=0),
        subclass_probability=joint / joint.sum(1, keepdim=True),
        subclass_spread=subclass.std(0, correction=0),
        margin=leading[:, 0] - leading[:, 1],
        gap=_gap(own_score, own_z, limit),
        overruled=_overruled(
            _own(torch.stack([c.chi2 for c in candidates]), spectype), own_z, limit, freedom
        ),
        z_spread=member_z.std(0, correction=0),
        members_agree=agree,
        candidate_class=classes,
        candidate=index,
        candidate_probability=probability,
    )


def _own(by_class: torch.Tensor, spectype: torch.Tensor) -> torch.Tensor:
    """Pick each row's own class from (..., 3, B, n)."""
    rows = torch.arange(spectype.shape[-1], device=spectype.device)
    return by_class[spectype, rows]


def _sway(candidates: Sequence[Candidates], freedom: torch.Tensor) -> torch.Tensor:
    """Return what chi2, and how rare the best candidate is, say against each class in nats; shape (B, 3)."""
    # The star type that fits best speaks for stars even where the networks prefer another type.
    deepest = [c.chi2.min(1).values if i == STAR else c.chi2[:, 0] for i, c in enumerate(candidates)]
    chi2 = torch.stack(deepest, 1)
    best = chi2.min(1, keepdim=True).values
    kappa = kappa_of(best, freedom[:, None])
    rarity = torch.stack([c.rarity[:, 0] for c in candidates], 1).clamp_min(RARITY_FLOOR)
    return between_classes((chi2 - best) / (2 * kappa)) + rarity


def _with_star_evidence(subclass: torch.Tensor, stars: Candidates) -> torch.Tensor:
    """Let chi2 shift probability between the star types that were tried; shape (M, B, 18) as given."""
    n = len(STAR_TYPES)
    tried = stars.score > NOTHING / 2
    # Untried slots point at type 0: multiplying instead of writing leaves that type as it is.
    factor = torch.ones_like(subclass[0, :, :n])
    factor.scatter_reduce_(1, stars.basis, torch.where(tried, stars.evidence, 0.0).exp(), "prod")
    before = subclass[:, :, :n]
    after = before * factor
    after = after * before.sum(2, keepdim=True) / after.sum(2, keepdim=True).clamp_min(1e-30)
    return torch.cat([after, subclass[:, :, n:]], 2)


def _gap(score: torch.Tensor, z: torch.Tensor, limit: torch.Tensor) -> torch.Tensor:
    """Return the nats between the first candidate and the best that is a different redshift, shape (B,)."""
    other = (z - z[:, :1]).abs() > limit[:, None]
    rival = torch.where(other, score, NOTHING).max(1).values
    return (score[:, 0] - rival).clamp(0, UNRIVALLED)


def _overruled(
    chi2: torch.Tensor, z: torch.Tensor, limit: torch.Tensor, freedom: torch.Tensor
) -> torch.Tensor:
    """Return the nats by which another redshift fits better than the first candidate, shape (B,)."""
    other = (z - z[:, :1]).abs() > limit[:, None]
    rival = torch.where(other, chi2, torch.inf).min(1).values
    kappa = kappa_of(chi2[:, 0], freedom)
    return ((chi2[:, 0] - rival) / (2 * kappa)).clamp_min(0)


def _alone(
    opinion: Opinion, candidates: Sequence[Candidates], sway: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the redshift and class each member would give by itself, shape (M, B) each."""
    share = opinion.subclass[:, :, : len(STAR_TYPES)].clamp_min(1e-12).log()
    stars = candidates[STAR].basis.expand(len(share), -1, -1)
    priors = (
        share.gather(2, stars),
        log_prior(opinion.z_galaxy, candidates[GALAXY].lag, CLASSES[GALAXY]),
        log_prior(opinion.z_qso, candidates[QSO].lag, CLASSES[QSO]),
    )
    chosen = []
    for of_class, prior in zip(candidates, priors, strict=True):
        best = (of_class.evidence + prior).argmax(2)  # (M, B)
        chosen.append(z_of(of_class.lag).expand(len(best), -1, -1).gather(2, best[..., None])[..., 0])
    spectype = (opinion.spectype.clamp_min(PROBABILITY_FLOOR).log() + sway).argmax(2)
    return torch.stack(chosen, 2).gather(2, spectype[..., None])[..., 0], spectype


def _joined(
    posterior: torch.Tensor, scores: torch.Tensor, spectype: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return class, index and probability of all candidates, the answer first; (B, N_BEST) each."""
    exists = scores > NOTHING / 2
    share = (SHARPNESS * torch.where(exists, scores, NOTHING)).softmax(2) * exists
    probability = share * posterior.T[:, :, None]  # (3, B, n)
    flat = probability.transpose(0, 1).flatten(1)  # (B, 3 n)
    n = scores.shape[2]
    ranked = flat.scatter_add(1, spectype[:, None] * n, torch.full_like(flat[:, :1], 10.0))
    best = ranked.topk(N_BEST, 1).indices
    return best // n, best % n, flat.gather(1, best)
