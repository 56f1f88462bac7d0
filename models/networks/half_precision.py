"""Convolutions of a network as a CPU runs them quickest: in half precision, what follows each inside it.

The library that multiplies (oneDNN) takes weights in a layout of its own, and adds the short cut and cuts off
below zero while the sums are still at hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor, nn

from spectraq.models.networks.weightfile import RowConvolution, in_rows

ROWS = 16
"""Spectra that the layout is chosen for; others are right too."""
PRECISION = torch.bfloat16
USED = ("_reorder_convolution_weight", "_convolution_pointwise", "_convolution_pointwise_")
"""What PyTorch does not promise to keep: without it, networks work in single precision."""


class PackedConvolution:
    """A convolution along the last axis of (B, i, 1, L), channels last in memory.

    Parameters
    ----------
    convolution
        A `RowConvolution`: what it does the same as, in half precision.
    length
        L.
    """

    def __init__(self, convolution: nn.Module | Tensor, length: int) -> None:
        assert isinstance(convolution, RowConvolution)
        self.stride = convolution.stride
        weight = convolution.weight.to(PRECISION)
        self._where = [0, convolution.padding], [1, convolution.stride], [1, 1]
        shape = [ROWS, weight.shape[1], 1, length]
        self._weight = torch.ops.mkldnn._reorder_convolution_weight(weight, *self._where, 1, shape)
        self._bias = None if convolution.bias is None else convolution.bias.detach().to(PRECISION)

    def __call__(self, x: Tensor, then: str) -> Tensor:
        """Convolve; `then` is "relu" or "none"."""
        convolved: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self._weight, self._bias, *self._where, 1, then, [], ""
        )
        return convolved

    def onto(self, total: Tensor, x: Tensor) -> Tensor:
        """Add to `total`, which is overwritten, and cut off below zero."""
        summed: Tensor = torch.ops.mkldnn._convolution_pointwise_.binary(
            total, x, self._weight, self._bias, *self._where, 1, "add", 1.0, "relu", [], ""
        )
        return summed


class PackedTrunk:
    """The stem and the residual blocks of a folded network.

    Parameters
    ----------
    stem
        Its first convolution, a `RowConvolution`.
    blocks
        First and second convolution and short cut of each block.
    length
        Pixels of what is shown.
    """

    def __init__(
        self,
        stem: nn.Module,
        blocks: Sequence[tuple[nn.Module | Tensor, nn.Module | Tensor, nn.Module | Tensor]],
        length: int,
    ) -> None:
        self._stem = PackedConvolution(stem, length)
        length //= self._stem.stride
        self._blocks = []
        for first, second, shortcut in blocks:
            halving, beside = PackedConvolution(first, length), PackedConvolution(shortcut, length)
            length //= halving.stride
            self._blocks.append((halving, PackedConvolution(second, length), beside))

    def __call__(self, channels: Tensor) -> Tensor:
        """Apply all to (B, i, length); shape (B, o, 1, length / stride)."""
        return self.depths(channels)[-1]

    def depths(self, channels: Tensor) -> list[Tensor]:
        """Apply all; what each block gives."""
        x = self._stem(in_rows(channels.to(PRECISION)), "relu")
        depths = []
        for first, second, shortcut in self._blocks:
            x = second.onto(shortcut(x, "none"), first(x, "relu"))
            depths.append(x)
        return depths


def available(device: torch.device) -> bool:
    """Return whether a device multiplies half precision faster than single, in the library's way."""
    if device.type != "cpu" or not torch._C._has_mkldnn:
        return False
    if not all(hasattr(torch.ops.mkldnn, name) for name in USED):
        return False
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16")) and _works()


@cache
def _works() -> bool:
    """Whether the library does it, too: it can be told to do without instructions that the processor has."""
    try:
        with torch.inference_mode():
            convolution = PackedConvolution(RowConvolution(torch.nn.Conv1d(4, 4, 5)), 16)
            convolution(in_rows(torch.zeros(ROWS, 4, 16, dtype=PRECISION)), "relu")
    except RuntimeError:
        return False
    return True
