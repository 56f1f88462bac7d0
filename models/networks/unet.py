"""The U-Net: a spectrum to its rest frame in every class, and to the spectrum without its noise.

After GaSNet-III (arXiv:2412.21130): an encoder and a decoder of convolutions with skips and attention at the
bottom, whose output channels are laid end to end as the rest-frame spectrum of each class. A second output
works in the observed frame: at each pixel a prior, how far to believe the pixel rather than the prior (a
learned Wiener filter), and the error of the outcome.
"""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from spectraq.models.classes import CLASSES, SUBCLASSES
from spectraq.models.grid.axis import N_COARSE, REBIN
from spectraq.models.grid.prepare import N_CHANNELS, Contrast, network_channels
from spectraq.models.networks import weightfile
from spectraq.models.networks.rest_frame import COARSE
from spectraq.models.networks.stored import StoredNetwork

REST_CHANNELS = {name: -(-COARSE[name].length // N_COARSE) for name in CLASSES}
"""Output channels laid end to end as each class's rest frame."""
N_OBSERVED = 3 * REBIN
"""Prior, belief and error of each of the grid pixels in a coarse one."""
ATTENTION_HEADS = 4
DETAIL_LIMIT = 5.0


class Reconstruction(NamedTuple):
    """What the U-Net makes of a batch, in units of the median |flux|."""

    rest: dict[str, Tensor]  # by class (B, COARSE[class].length)
    flux: Tensor  # (B, N_PIXELS) without noise
    sigma: Tensor  # (B, N_PIXELS) its error
    subclass: Tensor  # (B, 18) logits


class Pair(nn.Module):
    """Two convolutions with batch norm: (B, i, L) -> (B, o, L)."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int) -> None:
        super().__init__()
        self.folded = False
        self.layers = nn.Sequential(
            nn.Conv1d(channels_in, channels_out, kernel, 1, kernel // 2, bias=False),
            nn.BatchNorm1d(channels_out),
            nn.ReLU(),
            nn.Conv1d(channels_out, channels_out, kernel, 1, kernel // 2, bias=False),
            nn.BatchNorm1d(channels_out),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply both."""
        out: Tensor = self.layers(weightfile.in_rows(x))[:, :, 0] if self.folded else self.layers(x)
        return out

    def fold(self) -> None:
        """Merge the batch norms into the convolutions and lay these out for speed."""
        weightfile.fold_sequence(self.layers)
        self.folded = True


class UNet(StoredNetwork):
    """Spectra on the grid to rest-frame and denoised spectra.

    Parameters
    ----------
    widths
        Channels of each level, the first at full coarse resolution, each next at half of it.
    """

    LAYOUT = "spectraq.unet.1"
    SHAPE: ClassVar = {"widths": weightfile.integers}

    def __init__(self, widths: tuple[int, ...] = (12, 16, 32, 64)) -> None:
        super().__init__()
        self.widths = widths
        kernels = (7, 5, 5, 3, 3, 3)
        channels = (N_CHANNELS + REBIN, *widths)
        self.down = nn.ModuleList(
            Pair(i, o, k) for (i, o), k in zip(pairwise(channels), kernels, strict=False)
        )
        bottom, length = widths[-1], N_COARSE >> (len(widths) - 1)
        self.position = nn.Parameter(0.02 * torch.randn(1, length, bottom))
        self.norm = nn.LayerNorm(bottom)
        self.attention = nn.MultiheadAttention(bottom, ATTENTION_HEADS, batch_first=True)
        self.up = nn.ModuleList(Pair(i + o, o, 3) for o, i in reversed(list(pairwise(widths))))
        self.rest = nn.Conv1d(widths[0], sum(REST_CHANNELS.values()), 5, 1, 2)
        self.observed = nn.Conv1d(widths[0] + N_CHANNELS + REBIN, N_OBSERVED, 5, 1, 2)
        self.subclass = nn.Linear(bottom, len(SUBCLASSES))

    def forward(self, flux: Tensor, sqrt_ivar: Tensor) -> Reconstruction:
        """Reconstruct spectra.

        Parameters
        ----------
        flux, sqrt_ivar
            On the grid, shape (B, N_PIXELS), any unit; sqrt_ivar is zero where there is no pixel.
        """
        contrast, x = self._input(flux, sqrt_ivar)
        skips, y = [], x
        for level, pair in enumerate(self.down):
            y = pair(y if level == 0 else nn.functional.max_pool1d(y, 2))
            skips.append(y)
        tokens = y.transpose(1, 2) + self.position  # (B, 144, w)
        normed = self.norm(tokens)
        tokens = tokens + self.attention(normed, normed, normed, need_weights=False)[0]
        y = tokens.transpose(1, 2)
        subclass = self.subclass(tokens.mean(1)).float()
        for pair, skip in zip(self.up, reversed(skips[:-1]), strict=True):
            y = pair(torch.cat([y.repeat_interleave(2, 2), skip], 1))
        rest = self._laid_out(self.rest(y).float())
        denoised, sigma = self._denoised(
            self.observed(torch.cat([y, x], 1)).float(), contrast, flux, sqrt_ivar
        )
        return Reconstruction(rest, denoised, sigma, subclass)

    def _fold(self) -> None:
        for part in (*self.down, *self.up):
            assert isinstance(part, Pair)
            part.fold()

    @staticmethod
    def _input(flux: Tensor, sqrt_ivar: Tensor) -> tuple[Contrast, Tensor]:
        """Coarse channels, and how each grid pixel differs from its coarse one in units of its noise."""
        n = len(flux)
        ivar = sqrt_ivar.square()
        weight = ivar.view(n, N_COARSE, REBIN).sum(2)
        mean = (flux * ivar).view(n, N_COARSE, REBIN).sum(2) / weight.clamp_min(1e-20)
        coarse = (mean * (weight > 0), weight.sqrt())
        detail = (flux - coarse[0].repeat_interleave(REBIN, 1)) * sqrt_ivar
        sub = torch.asinh(detail / 2).view(n, N_COARSE, REBIN).transpose(1, 2) / 2
        return Contrast.of(*coarse), torch.cat([network_channels(*coarse), sub], 1)

    @staticmethod
    def _laid_out(channels: Tensor) -> dict[str, Tensor]:
        rest, start = {}, 0
        for name, n in REST_CHANNELS.items():
            rest[name] = channels[:, start : start + n].flatten(1)[:, : COARSE[name].length]
            start += n
        return rest

    @staticmethod
    def _denoised(out: Tensor, contrast: Contrast, flux: Tensor, sqrt_ivar: Tensor) -> tuple[Tensor, Tensor]:
        prior, belief, error = (
            part.transpose(1, 2).flatten(1) for part in torch.split(out, REBIN, dim=1)
        )  # (B, N_PIXELS) each
        continuum = contrast.continuum.repeat_interleave(REBIN, 1)
        unit = continuum.abs() + 0.2
        guess = continuum + unit * torch.sinh(DETAIL_LIMIT * torch.tanh(prior / DETAIL_LIMIT)) / 4
        share = torch.sigmoid(belief) * (sqrt_ivar > 0)
        denoised = share * (flux / contrast.scale) + (1 - share) * guess
        return denoised, unit * torch.exp((error - 3).clamp(-9, 3))
