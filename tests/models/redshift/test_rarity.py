"""Quasars beyond z = 5 are rare, and bright ones rarer still."""

import torch

from spectraq.models.redshift.scan_all_lags import lag_of
from spectraq.models.redshift.search import RARE_Z, rarity


def test_only_very_distant_quasars_pay_and_bright_ones_pay_more() -> None:
    lag = torch.tensor([lag_of(z) for z in (0.5, 4.9, RARE_Z + 0.1, 6.8)], dtype=torch.float64)
    cost = rarity(lag, torch.tensor([1.0, 30.0]))
    assert (cost[:, :2] == 0).all()
    assert (cost[:, 2:] < -3).all()
    assert (cost[1, 2:] < cost[0, 2:]).all()
