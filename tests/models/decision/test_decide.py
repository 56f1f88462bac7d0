"""Networks name the class, chi2 sways them where they hesitate, and doubts are told."""

import math

import pytest
import torch

from spectraq.models.classes import CLASSES, N_GALAXY_BINS, N_QSO_BINS, SUBCLASSES, Z_BIN, Z_BIN_START
from spectraq.models.decision.decide import GALAXY, QSO, STAR, Decision, decide, to_scan
from spectraq.models.grid.axis import DLOGLAM, lag_of
from spectraq.models.networks.ensemble import Opinion
from spectraq.models.redshift.candidates import N_BEST, UNTAUGHT_PRIOR, Candidates, log_prior
from spectraq.models.redshift.chi2_evidence import CLASS_FLOOR, between_classes, between_redshifts
from spectraq.models.redshift.minima import NOTHING

CPU = torch.device("cpu")
ONE_OF = {
    "STAR": SUBCLASSES.index("F"),
    "GALAXY": SUBCLASSES.index("PASSIVE"),
    "QSO": SUBCLASSES.index("QSO"),
}


def opinion(*members: dict[str, float], z_peak: tuple[float, ...] = ()) -> Opinion:
    """One spectrum; each member's class probabilities, and where its galaxy posterior peaks."""
    subclass = torch.zeros(len(members), 1, len(SUBCLASSES))
    galaxy = torch.full((len(members), 1, N_GALAXY_BINS), 1 / N_GALAXY_BINS)
    for m, shares in enumerate(members):
        for name, share in shares.items():
            subclass[m, 0, ONE_OF[name]] = share
        if z_peak:
            galaxy[m] = 1e-6
            galaxy[m, 0, round((math.log10(1 + z_peak[m]) - Z_BIN_START) / Z_BIN)] = 0.999
    return Opinion(subclass, galaxy, torch.full((len(members), 1, N_QSO_BINS), 1 / N_QSO_BINS))


def minima(z: tuple[float, ...], chi2: tuple[float, ...], basis: int = 0) -> Candidates:
    """Candidates of one spectrum at some redshifts, best chi2 first."""
    found = Candidates.empty(1, 1, CPU)
    gap = (torch.tensor(chi2) - min(chi2)) / 2
    for name, values in {
        "lag": torch.tensor([lag_of(one) for one in z], dtype=torch.float64),
        "chi2": torch.tensor(chi2),
        "evidence": between_redshifts(gap),
        "score": between_redshifts(gap),
        "curvature": torch.ones(len(z)),
        "basis": torch.full((len(z),), basis),
    }.items():
        getattr(found, name)[0, : len(z)] = values
    return found


def decided(asked: Opinion, **found: Candidates) -> Decision:
    """Decide with candidates of some classes and nothing of the others."""
    nothing = Candidates.empty(1, 1, CPU)
    by_class = [found.get(name, nothing) for name in CLASSES]
    return decide(asked, by_class, torch.tensor([1000]))


def test_a_better_fit_does_not_overrule_networks_that_are_sure() -> None:
    sure = opinion({"STAR": 0.97, "GALAXY": 0.03})
    answer = decided(
        sure, STAR=minima((0.0,), (9000.0,), basis=3), GALAXY=minima((0.3, 0.5), (1000.0, 1100.0))
    )
    assert CLASSES[int(answer.spectype)] == "STAR"


def test_a_better_fit_sways_networks_that_hesitate() -> None:
    torn = opinion({"STAR": 0.55, "GALAXY": 0.45})
    answer = decided(
        torn, STAR=minima((0.0,), (1100.0,), basis=3), GALAXY=minima((0.3, 0.5), (1000.0, 1100.0))
    )
    assert CLASSES[int(answer.spectype)] == "GALAXY"


def test_evidence_between_classes_has_a_floor_and_that_between_redshifts_a_logarithm() -> None:
    gap = torch.tensor([0.0, 1.0, 1e6])
    assert between_classes(gap).tolist() == pytest.approx([0.0, -0.3, CLASS_FLOOR])
    assert between_redshifts(gap).tolist() == pytest.approx([0.0, -2 * math.log(1.5), -2 * math.log(5e5 + 1)])


def test_only_classes_that_some_member_thinks_possible_are_scanned() -> None:
    asked = opinion({"STAR": 0.99, "GALAXY": 0.01}, {"STAR": 0.95, "GALAXY": 0.05})
    assert to_scan(asked)[0].tolist() == [True, True, False]


def test_probabilities_are_probabilities_and_the_answer_comes_first() -> None:
    asked = opinion({"GALAXY": 0.8, "QSO": 0.2})
    galaxy, quasar = minima((0.3, 0.5), (1000.0, 1004.0)), minima((1.0, 2.0), (1010.0, 1011.0))
    answer = decided(asked, GALAXY=galaxy, QSO=quasar)
    assert float(answer.class_probability.sum()) == pytest.approx(1, abs=1e-5)
    assert float(answer.subclass_probability.sum()) == pytest.approx(1, abs=1e-5)
    assert float(answer.candidate_probability.sum()) <= 1 + 1e-5
    assert answer.candidate_class.shape == (1, N_BEST)
    assert (int(answer.candidate_class[0, 0]), int(answer.candidate[0, 0])) == (GALAXY, 0)
    listed = answer.candidate_probability[0, 1:]
    assert (listed[:-1] >= listed[1:]).all()


def test_members_that_would_answer_another_redshift_are_a_spread_and_a_disagreement() -> None:
    galaxy = minima((0.3, 0.5), (1000.0, 1001.0))
    agreed = decided(opinion({"GALAXY": 1.0}, {"GALAXY": 1.0}, z_peak=(0.3, 0.3)), GALAXY=galaxy)
    torn = decided(opinion({"GALAXY": 1.0}, {"GALAXY": 1.0}, z_peak=(0.3, 0.5)), GALAXY=galaxy)
    assert bool(agreed.members_agree) and float(agreed.z_spread) == 0
    assert not bool(torn.members_agree) and float(torn.z_spread) == pytest.approx(0.1, rel=1e-3)


def test_two_types_of_a_star_at_one_redshift_are_no_rivals() -> None:
    stars = minima((0.0001, 0.0002), (1000.0, 1000.5), basis=3)
    answer = decided(opinion({"STAR": 1.0}), STAR=stars)
    assert int(answer.spectype) == STAR and float(answer.gap) > 50


def test_a_second_redshift_that_fits_as_well_leaves_no_gap() -> None:
    answer = decided(opinion({"QSO": 1.0}), QSO=minima((1.0, 2.0), (1000.0, 1000.2)))
    assert int(answer.spectype) == QSO and float(answer.gap) < 0.2


def test_a_class_whose_best_redshift_is_rare_loses_by_it() -> None:
    torn = opinion({"GALAXY": 0.45, "QSO": 0.55})
    galaxy, quasar = minima((0.3,), (1000.0,)), minima((6.5,), (1000.0,))
    assert int(decided(torn, GALAXY=galaxy, QSO=quasar).spectype) == QSO
    quasar.rarity[0, 0] = -3.5
    assert int(decided(torn, GALAXY=galaxy, QSO=quasar).spectype) == GALAXY


def test_a_redshift_that_fits_worse_than_another_is_told() -> None:
    galaxy = minima((0.3, 0.5), (1040.0, 1000.0))
    galaxy.score[0, :2] = torch.tensor([0.0, -5.0])
    assert float(decided(opinion({"GALAXY": 1.0}), GALAXY=galaxy).overruled) == pytest.approx(20, rel=0.1)
    agreed = decided(opinion({"GALAXY": 1.0}), GALAXY=minima((0.3, 0.5), (1000.0, 1040.0)))
    assert float(agreed.overruled) == 0


def test_the_prior_is_the_networks_own_probability_a_lag() -> None:
    posterior = torch.zeros(1, 100)
    posterior[0, 40] = 0.5
    lag = torch.tensor(
        [[(Z_BIN_START + 40 * Z_BIN) / DLOGLAM, (Z_BIN_START + 60 * Z_BIN) / DLOGLAM]]
    ).double()
    prior = log_prior(posterior, lag, "GALAXY")
    assert float(prior[0, 0]) == pytest.approx(math.log(0.5 / 4), abs=1e-3)
    assert NOTHING < float(prior[0, 1]) < -15


def test_where_networks_were_not_taught_the_prior_is_the_same_whatever_they_say() -> None:
    lag = torch.tensor([[lag_of(0.01), lag_of(0.5)]]).double()
    priors = [log_prior(torch.full((1, N_QSO_BINS), share), lag, "QSO") for share in (0.0, 1e-8)]
    assert float(priors[0][0, 0]) == pytest.approx(math.log(UNTAUGHT_PRIOR), abs=0.01)
    assert torch.allclose(priors[0][:, 0], priors[1][:, 0], atol=1e-3)
    assert float(priors[0][0, 1]) < -15
    assert float(log_prior(torch.zeros(1, N_GALAXY_BINS), lag, "GALAXY")[0, 0]) < -15
