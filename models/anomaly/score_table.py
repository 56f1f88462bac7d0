"""One kind's score of a batch, with what a reason needs to say where and how much."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Score:
    """One kind's score of B spectra; the pixels concerned where it is not the whole spectrum."""

    value: torch.Tensor  # (B,)
    size: torch.Tensor  # (B,)
    low: torch.Tensor | None = None  # (B,)
    high: torch.Tensor | None = None  # (B,)
