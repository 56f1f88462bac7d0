"""Networks as half-precision safetensors, their shape in the metadata.

The library is imported where it is used: training on a machine that lacks it keeps checkpoints alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn


def write(network: nn.Module, path: Path, kind: str, shape: Mapping[str, str]) -> None:
    """Write a network's weights.

    Parameters
    ----------
    kind
        Name of the layout, with its version: "spectraq.classifier.1".
    shape
        What is needed to make the same network again.
    """
    from safetensors.torch import save_file

    tensors = {
        name: value.half().contiguous() if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    save_file(tensors, path, metadata={"format": kind, **shape})
    path.chmod(0o644)  # safetensors writes for its owner alone


def shape_of(path: Path, kind: str) -> dict[str, str]:
    """Read the shape that `write` wrote.

    Raises
    ------
    ValueError
        When the file is of another layout.
    """
    from safetensors import safe_open

    with safe_open(path, framework="pt") as handle:
        metadata: dict[str, str] = handle.metadata() or {}
    if metadata.get("format") != kind:
        name = " ".join(kind.split(".")[:2])
        raise ValueError(f"{path}: not a {name} (format {metadata.get('format')!r})")
    return metadata


def tensors_of(path: Path) -> dict[str, Tensor]:
    """Read the weights in single precision."""
    from safetensors.torch import load_file

    return {name: t.float() if t.is_floating_point() else t for name, t in load_file(path).items()}


class RowConvolution(nn.Module):
    """A convolution along the last axis of (B, i, 1, L), its channels last in memory: half the time on a CPU.

    Parameters
    ----------
    convolution
        What it does the same as, on (B, i, L).
    """

    weight: Tensor

    def __init__(self, convolution: nn.Conv1d) -> None:
        super().__init__()
        weight = convolution.weight.detach()[:, :, None].contiguous(memory_format=torch.channels_last)
        self.register_buffer("weight", weight)
        self.bias = None if convolution.bias is None else nn.Parameter(convolution.bias.detach())
        self.stride, self.padding = convolution.stride[0], int(convolution.padding[0])

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        return nn.functional.conv2d(x, self.weight, self.bias, (1, self.stride), (0, self.padding))


def in_rows(x: Tensor) -> Tensor:
    """Lay (B, i, L) out as `RowConvolution` takes it, (B, i, 1, L)."""
    return x[:, :, None].contiguous(memory_format=torch.channels_last)


def fold(module: nn.Module, convolution: str, norm: str = "") -> None:
    """Make a module's convolution quick for inference, the batch norm after it merged in; both by name."""
    folded = getattr(module, convolution)
    if norm:
        by = getattr(module, norm)
        means, spread = by.running_mean, by.running_var
        folded.weight, folded.bias = nn.utils.fusion.fuse_conv_bn_weights(
            folded.weight, folded.bias, means, spread, by.eps, by.weight, by.bias
        )
        setattr(module, norm, nn.Identity())
    setattr(module, convolution, RowConvolution(folded))


def fold_sequence(layers: nn.Sequential) -> None:
    """Do so for every convolution of a sequence that a batch norm follows, in place."""
    for index in range(len(layers) - 1):
        if isinstance(layers[index], nn.Conv1d) and isinstance(layers[index + 1], nn.BatchNorm1d):
            fold(layers, str(index), str(index + 1))


def integers(written: str) -> tuple[int, ...]:
    """Return the integers that `text` wrote."""
    return tuple(int(part) for part in written.split(","))


def text(value: int | tuple[int, ...]) -> str:
    """Return an integer, or several with commas between them, as text."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
