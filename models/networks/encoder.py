"""The encoder: a spectrum to a few coefficients, and those through learned eigenspectra to its rest frame.

After GaSNet-III (arXiv:2412.21130): for each class K squared, normalised coefficients weigh K learned
rest-frame eigenspectra, and the sum shifted to each redshift is what chi2 compares with the observation.
Different here: one trunk serves the three classes, noise and mask are inputs, a smooth observed-frame
response takes what dust and flux calibration do, and a head names the subclass from the same features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from spectraq.models.classes import CLASSES, SUBCLASSES
from spectraq.models.grid.axis import N_COARSE, N_PIXELS
from spectraq.models.grid.prepare import N_CHANNELS
from spectraq.models.networks import weightfile
from spectraq.models.networks.rest_frame import FINE
from spectraq.models.networks.stored import StoredNetwork
from spectraq.models.tiles import in_tiles, on_lines

N_EIGENSPECTRA = 16
N_RESPONSE = 5
"""Chebyshev terms of the logarithm of the response: as many as the flux calibration of the mocks has."""


@dataclass(frozen=True, slots=True)
class Latent:
    """What the encoder makes of a batch."""

    coefficients: Tensor  # (B, 3, K), each class's sum to one
    response: Tensor  # (B, 3, N_RESPONSE)
    subclass: Tensor  # (B, 18) logits


def chebyshev(n: int, device: torch.device | str = "cpu") -> Tensor:
    """Return the first n Chebyshev polynomials after the constant, over the grid; shape (n, N_PIXELS)."""
    angle = torch.arccos(torch.linspace(-1, 1, N_PIXELS, device=device))
    return torch.cos(torch.arange(1, n + 1, device=device)[:, None] * angle)


class Encoder(StoredNetwork):
    """Channels of a spectrum to coefficients of learned rest-frame eigenspectra.

    Parameters
    ----------
    widths
        Channels of the three convolutions.
    hidden
        Width of the dense layer.
    k
        Eigenspectra of each class.
    """

    LAYOUT = "spectraq.encoder.1"
    SHAPE: ClassVar = {"widths": weightfile.integers, "hidden": int, "k": int}
    response_terms: Tensor

    def __init__(
        self, widths: tuple[int, int, int] = (24, 48, 96), hidden: int = 192, k: int = N_EIGENSPECTRA
    ) -> None:
        super().__init__()
        self.widths, self.hidden, self.k = widths, hidden, k
        layers: list[nn.Module] = []
        for i, o, stride in zip((N_CHANNELS, *widths), widths, (4, 4, 3), strict=False):
            layers += [nn.Conv1d(i, o, 9, stride, 4, bias=False), nn.BatchNorm1d(o), nn.ReLU()]
        self.trunk = nn.Sequential(*layers)  # (B, 4, 1152) -> (B, w2, 24)
        self.dense = nn.Linear(widths[-1] * N_COARSE // 48, hidden)
        self.coefficients = nn.Linear(hidden, len(CLASSES) * k)
        self.response = nn.Linear(hidden, len(CLASSES) * N_RESPONSE)
        self.subclass = nn.Linear(hidden, len(SUBCLASSES))
        self.eigenspectra = nn.ParameterDict(
            {name: nn.Parameter(torch.ones(k, FINE[name].length)) for name in CLASSES}
        )
        self.register_buffer("response_terms", chebyshev(N_RESPONSE), persistent=False)

    def forward(self, channels: Tensor) -> Latent:
        """Encode channels of shape (B, 4, N_COARSE)."""
        x = self.trunk(weightfile.in_rows(channels) if self.folded else channels)  # (B, w2, 24)
        x = torch.relu(self.dense(x.flatten(1)))  # (B, hidden)
        weight = self.coefficients(x).float().view(-1, len(CLASSES), self.k).square() + 1e-6
        response = 0.5 * torch.tanh(self.response(x).float().view(-1, len(CLASSES), N_RESPONSE))
        return Latent(weight / weight.sum(2, keepdim=True), response, self.subclass(x).float())

    def _fold(self) -> None:
        weightfile.fold_sequence(self.trunk)

    def rest(self, latent: Latent, spectype: str) -> Tensor:
        """Return the rest-frame spectra if all were of one class, shape (B, FINE[spectype].length)."""
        return _mixed(latent.coefficients[:, CLASSES.index(spectype)], self.eigenspectra[spectype])

    def respond(self, latent: Latent, spectype: str) -> Tensor:
        """Return the observed-frame factor of the same, shape (B, N_PIXELS)."""
        return torch.exp(_mixed(latent.response[:, CLASSES.index(spectype)], self.response_terms))

    def observed(self, latent: Latent, spectype: str, lag: Tensor) -> Tensor:
        """Return the spectra at given lags, up to an amplitude; shape (B, N_PIXELS).

        Parameters
        ----------
        lag
            In grid pixels, shape (B,).
        """
        return FINE[spectype].observed(self.rest(latent, spectype), lag) * self.respond(latent, spectype)


def _mixed(amplitudes: Tensor, shapes: Tensor) -> Tensor:
    """Return the sums of the same n shapes for all, (B, n) and (n, L) to (B, L)."""
    shared = on_lines(shapes).expand(len(amplitudes), -1, -1)
    return in_tiles(torch.bmm, amplitudes[:, None], shared)[:, 0]
