"""What networks have in common: they are kept in files, and folded for speed when they are loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from spectraq.models.networks import weightfile


class StoredNetwork(nn.Module):
    """A network that can be written to a file of half-precision weights, and made again from it.

    Attributes
    ----------
    LAYOUT
        Name of the file's layout, with its version: "spectraq.classifier.1".
    SHAPE
        Names of the attributes that the constructor needs to make the same network again, and what reads each
        from text.
    folded
        Whether the batch norms are merged into the convolutions before them.
    """

    LAYOUT: ClassVar[str]
    SHAPE: ClassVar[Mapping[str, Callable[[str], Any]]]
    folded: bool = False

    def fold(self) -> Self:
        """Merge every batch norm into the convolution before it and lay them out for speed; returns self."""
        self.eval()
        self._fold()
        self.folded = True
        return self

    def _fold(self) -> None:
        """Fold the network's own parts."""
        raise NotImplementedError

    def save(self, path: Path) -> None:
        """Write weights as half-precision safetensors."""
        shape = {name: getattr(self, name) for name in self.SHAPE}
        weightfile.write(self, path, self.LAYOUT, {name: weightfile.text(n) for name, n in shape.items()})

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the network that `save` wrote, to train on.

        Raises
        ------
        ValueError
            When the file is of another layout.
        """
        shape = weightfile.shape_of(path, cls.LAYOUT)
        with _WithoutWeights():
            network = cls(**{name: read(shape[name]) for name, read in cls.SHAPE.items()})
        network.load_state_dict(weightfile.tensors_of(path), assign=True)
        return network

    @classmethod
    def load(cls, path: Path, device: str | torch.device = "cpu") -> Self:
        """Return the network that `save` wrote, folded and ready for inference.

        Raises
        ------
        ValueError
            When the file is of another layout.
        """
        return cls.read(path).fold().to(device)


class _WithoutWeights(TorchFunctionMode):
    """Layers that are made within draw no random weights: those of a file take their place."""

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        given = kwargs or {}
        if getattr(func, "__module__", None) == nn.init.__name__:
            undrawn: Tensor = given["tensor"] if "tensor" in given else args[0]
            return undrawn
        return func(*args, **given)
