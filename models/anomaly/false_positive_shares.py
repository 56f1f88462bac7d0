"""How one false-positive rate is divided among the kinds of strangeness."""

from __future__ import annotations

import torch

from spectraq.models.anomaly.kinds import TABLE


def shares(device: torch.device) -> torch.Tensor:
    """Return the share of every kind, shape (kinds,)."""
    return torch.tensor([kind.share for kind in TABLE], device=device)


def together(rates: torch.Tensor) -> torch.Tensor:
    """Return the rate at which the most unlikely kind, for its share, is as unlikely; (B, kinds) to (B,)."""
    share = shares(rates.device)
    smallest = (rates / share).min(1).values[:, None]
    return -torch.expm1(torch.log1p(-(smallest * share).clamp_max(1 - 1e-6)).sum(1))
