"""The detector: a network that was shown what can be wrong with a spectrum, put into mocks on purpose.

Each score measures one thing and knows nothing of the others; which of them say much, in which class and at
which noise, is what the detector has learned. Its answer is one probability of each kind of strangeness, and
the odds against "nothing" are a single score: all that false positives are allowed need not be divided.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool1d

from spectraq.models.anomaly.airglow import airglow
from spectraq.models.anomaly.detector_input import N_EVIDENCE, N_PLANES
from spectraq.models.anomaly.kinds import COUNTED, SEEN
from spectraq.models.grid.axis import N_COARSE, REBIN
from spectraq.models.networks import weightfile
from spectraq.models.networks.classifier import ResidualBlock, fold_residual, packed_residual
from spectraq.models.networks.half_precision import PackedTrunk, available
from spectraq.models.networks.stored import StoredNetwork

FILE = "detector.safetensors"
WIDTHS = (24, 32, 48, 64)
HIDDEN = 96
N_PLACES = 2
"""Planes that are the same for all: airglow, and where on the grid a pixel is."""
EVIDENCE_HIDDEN = 32


class Detector(StoredNetwork):
    """Picture and evidence to log probabilities of what is seen.

    Parameters
    ----------
    widths
        Channels after the stem and after each residual block.
    hidden
        Width of the dense layer.
    dropout
        Before the last layer.
    """

    LAYOUT = "spectraq.detector.1"
    SHAPE: ClassVar = {"widths": weightfile.integers, "hidden": int}
    places: Tensor

    def __init__(self, widths: tuple[int, ...] = WIDTHS, hidden: int = HIDDEN, dropout: float = 0.1) -> None:
        super().__init__()
        self.widths, self.hidden = widths, hidden
        self.packed: PackedTrunk | None = None
        self.stem = nn.Conv1d(N_PLANES + N_PLACES, widths[0], 9, 4, 4, bias=False)  # -> (B, w0, 288)
        self.stem_norm = nn.BatchNorm1d(widths[0])
        self.blocks = nn.ModuleList(ResidualBlock(i, o) for i, o in pairwise(widths))  # -> (B, w-1, 36)
        self.evidence_norm = nn.BatchNorm1d(N_EVIDENCE)
        self.evidence = nn.Linear(N_EVIDENCE, EVIDENCE_HIDDEN)
        self.dense = nn.Linear(sum(widths[1:]) + widths[-1] + EVIDENCE_HIDDEN, hidden)
        self.drop = nn.Dropout(dropout)
        self.seen = nn.Linear(hidden, len(SEEN))
        self.register_buffer("places", _places(), persistent=False)

    def forward(self, planes: Tensor, numbers: Tensor) -> Tensor:
        """Look at a batch.

        Parameters
        ----------
        planes
            From `detector_input.picture`, shape (B, N_PLANES, N_COARSE).
        numbers
            From `detector_input.evidence`, shape (B, N_EVIDENCE).

        Returns
        -------
        log_probability
            Shape (B, len(SEEN)).
        """
        x = torch.cat([planes, self.places.expand(len(planes), -1, -1)], 1)
        depths = self._convolved(x) if self.packed is None else self.packed.depths(x)
        # What is narrow is gone after a few strides: the strongest response of each depth is kept.
        pools = [depth.flatten(2).amax(2) for depth in depths]
        pools.append(depths[-1].flatten(2).mean(2))
        beside = torch.relu(self.evidence(self.evidence_norm(numbers)))
        together = torch.cat([pool.to(beside.dtype) for pool in pools] + [beside], 1)
        hidden = torch.relu(self.dense(together))
        logits: Tensor = self.seen(self.drop(hidden))
        return logits.float().log_softmax(1)

    def _convolved(self, x: Tensor) -> list[Tensor]:
        """Apply stem and blocks; what each block gives."""
        x = torch.relu(self.stem_norm(self.stem(weightfile.in_rows(x) if self.folded else x)))
        depths = []
        for block in self.blocks:
            x = block(x)
            depths.append(x)
        return depths

    @classmethod
    def load(cls, path: Path, device: str | torch.device = "cpu") -> Self:
        """Return the network that `save` wrote, folded, and in half precision where that is quicker.

        Raises
        ------
        ValueError
            When the file is of another layout.
        """
        network = super().load(path, device)
        return network.shorten() if available(torch.device(device)) else network

    def _fold(self) -> None:
        fold_residual(self, self.blocks)

    def shorten(self) -> Self:
        """Let the convolutions of a folded network work in half precision (bfloat16); returns self."""
        self.packed = packed_residual(self.stem, self.blocks)
        return self


def odds(log_probability: Tensor) -> Tensor:
    """Return the log odds that something is strange; (B, len(SEEN)) to (B,).

    Parameters
    ----------
    log_probability
        From `Detector`.
    """
    strange = [SEEN.index(kind) for kind in COUNTED]
    ordinary = [k for k in range(len(SEEN)) if k not in strange]
    return torch.logsumexp(log_probability[:, strange], 1) - torch.logsumexp(log_probability[:, ordinary], 1)


def _places() -> Tensor:
    """Return the airglow and position on coarse pixels, (N_PLACES, N_COARSE)."""
    lines = max_pool1d(airglow(torch.device("cpu"))[None, None], REBIN)[0]
    return torch.cat([lines, torch.linspace(-1, 1, N_COARSE)[None]])
