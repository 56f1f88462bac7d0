"""The classifier: one residual network names class and subclass, and where in redshift to look.

After GaSNet-II (arXiv:2311.04146, section 3), a one-dimensional residual network on the pixels. Two things
are different: it sees the noise (four channels, `prepare.network_channels`), and its redshift heads give a
posterior over bins of log10(1 + z) instead of one number, so that the chi2 scan can be told about every
redshift that the network finds possible.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from spectraq.models.classes import N_GALAXY_BINS, N_QSO_BINS, SUBCLASSES
from spectraq.models.grid.axis import N_COARSE
from spectraq.models.grid.prepare import N_CHANNELS
from spectraq.models.networks import weightfile
from spectraq.models.networks.half_precision import PRECISION, PackedTrunk

LAYOUT = "spectraq.classifier.1"


class Outputs(NamedTuple):
    """Logits of one member for a batch."""

    subclass: Tensor  # (B, 18)
    z_galaxy: Tensor  # (B, N_GALAXY_BINS)
    z_qso: Tensor  # (B, N_QSO_BINS)


class ResidualBlock(nn.Module):
    """Two convolutions, the first of stride 2, and a 1-convolution as short cut: (B, i, L) -> (B, o, L/2)."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int = 5) -> None:
        super().__init__()
        self.first = nn.Conv1d(channels_in, channels_out, kernel, 2, kernel // 2, bias=False)
        self.first_norm = nn.BatchNorm1d(channels_out)
        self.second = nn.Conv1d(channels_out, channels_out, kernel, 1, kernel // 2, bias=False)
        self.second_norm = nn.BatchNorm1d(channels_out)
        self.shortcut = nn.Conv1d(channels_in, channels_out, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        y = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.second_norm(self.second(y)) + self.shortcut(x))


def fold_residual(network: nn.Module, blocks: Iterable[nn.Module]) -> None:
    """Merge batch norms into the convolutions of a network's stem and residual blocks, laid out for speed."""
    weightfile.fold(network, "stem", "stem_norm")
    for block in blocks:
        weightfile.fold(block, "first", "first_norm")
        weightfile.fold(block, "second", "second_norm")
        weightfile.fold(block, "shortcut")


def packed_residual(stem: nn.Module, blocks: Iterable[nn.Module]) -> PackedTrunk:
    """Stem and residual blocks of a folded network, in half precision."""
    return PackedTrunk(stem, [(b.first, b.second, b.shortcut) for b in blocks], N_COARSE)


class Classifier(nn.Module):
    """Channels of a spectrum to logits of subclasses and of redshift bins.

    Parameters
    ----------
    widths
        Channels after the stem and after each residual block.
    hidden
        Width of the dense layer that the three heads share.
    dropout
        Before the dense layer.
    """

    def __init__(
        self, widths: tuple[int, ...] = (32, 48, 64, 96), hidden: int = 256, dropout: float = 0.2
    ) -> None:
        super().__init__()
        self.widths, self.hidden, self.dropout = widths, hidden, dropout
        self.folded = False
        self.packed: PackedTrunk | None = None
        self.stem = nn.Conv1d(N_CHANNELS, widths[0], 17, 4, 8, bias=False)  # (B, 4, 1152) -> (B, w0, 288)
        self.stem_norm = nn.BatchNorm1d(widths[0])
        self.blocks = nn.Sequential(*(ResidualBlock(i, o) for i, o in pairwise(widths)))
        length = N_COARSE // 4 // 2 ** (len(widths) - 1)  # 36 after three blocks
        self.drop = nn.Dropout(dropout)
        self.dense = nn.Linear(widths[-1] * length, hidden)
        self.subclass = nn.Linear(hidden, len(SUBCLASSES))
        self.z_galaxy = nn.Linear(hidden, N_GALAXY_BINS)
        self.z_qso = nn.Linear(hidden, N_QSO_BINS)

    def forward(self, channels: Tensor) -> Outputs:
        """Return logits for channels of shape (B, 4, N_COARSE)."""
        x = self._convolved(channels) if self.packed is None else self.packed(channels)  # (B, w-1, 36)
        x = torch.relu(self.dense(self.drop(x.flatten(1))))  # (B, hidden)
        x = x.to(self.subclass.weight.dtype)
        return Outputs(self.subclass(x), self.z_galaxy(x), self.z_qso(x))

    def _convolved(self, channels: Tensor) -> Tensor:
        x = weightfile.in_rows(channels) if self.folded else channels
        x = torch.relu(self.stem_norm(self.stem(x)))
        out: Tensor = self.blocks(x)
        return out

    def fold(self) -> Classifier:
        """Merge every batch norm into the convolution before it and lay them out for speed; returns self."""
        fold_residual(self.eval(), self.blocks)
        self.folded = True
        return self

    def shorten(self) -> Classifier:
        """Let all but the heads of a folded network work in half precision (bfloat16); returns self.

        Half the time where the processor has instructions for it, and probabilities of classes change by less
        than 0.002 in 99 of 100 spectra.
        """
        self.packed = packed_residual(self.stem, self.blocks)
        self.dense.to(PRECISION)
        return self


def save(network: Classifier, path: Path) -> None:
    """Write weights as half-precision safetensors."""
    shape = {"widths": ",".join(map(str, network.widths)), "hidden": str(network.hidden)}
    weightfile.write(network, path, LAYOUT, shape)


def load(path: Path, device: str | torch.device = "cpu") -> Classifier:
    """Read weights that `save` wrote, ready for inference (batch norms folded).

    Raises
    ------
    ValueError
        When the file is not a classifier of this layout.
    """
    return read(path).fold().to(device)


def read(path: Path) -> Classifier:
    """Read weights that `save` wrote, to train on.

    Raises
    ------
    ValueError
        When the file is not a classifier of this layout.
    """
    shape = weightfile.shape_of(path, LAYOUT)
    network = Classifier(weightfile.integers(shape["widths"]), int(shape["hidden"]))
    network.load_state_dict(weightfile.tensors_of(path))
    return network
