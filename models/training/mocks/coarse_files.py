"""Mock spectra on disk: what the networks need of them, small enough to hold a hundred thousand in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.classes import CLASSES
from spectraq.models.grid.axis import N_COARSE, coarse
from spectraq.models.grid.prepare import N_CHANNELS, network_channels
from spectraq.models.training.mocks import Mocks, MockSky

HALF_LIMIT = 3e4
"""Half precision ends at 65504."""
CHANNEL_BLOCK = 1024
CHANNELS, TRUTH = "channels.npy", "truth.npz"


@dataclass(frozen=True)
class Truth:
    """What n spectra are known to be."""

    spectype: torch.Tensor  # (n,) index into CLASSES
    z: torch.Tensor  # (n,) float64
    allowed: torch.Tensor | None = None  # (n, 18) subclasses that count as right, where they are known

    def __len__(self) -> int:
        return len(self.z)

    def __getitem__(self, rows: torch.Tensor | slice) -> Truth:
        allowed = None if self.allowed is None else self.allowed[rows]
        return Truth(self.spectype[rows], self.z[rows], allowed)

    def to(self, device: torch.device) -> Truth:
        """Return the truth on another device."""
        allowed = None if self.allowed is None else self.allowed.to(device)
        return Truth(self.spectype.to(device), self.z.to(device), allowed)


@dataclass(frozen=True)
class Dataset:
    """Coarse mock spectra and their truth; n rows."""

    flux: NDArray[np.float16]  # (n, N_COARSE), median one
    sqrt_ivar: NDArray[np.float16]  # (n, N_COARSE)
    z: NDArray[np.float64]
    allowed: NDArray[np.bool_]  # (n, 18)
    spectype: NDArray[np.int64]  # index into CLASSES
    snr: NDArray[np.float32]
    family: NDArray[np.str_]
    survey: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.z)

    def blocks(self) -> Iterator[torch.Tensor]:
        """Yield the network's channels block by block, (<= CHANNEL_BLOCK, 4, N_COARSE)."""
        for start in range(0, len(self), CHANNEL_BLOCK):
            rows = slice(start, start + CHANNEL_BLOCK)
            flux, sqrt_ivar = (
                torch.from_numpy(a[rows].astype(np.float32)) for a in (self.flux, self.sqrt_ivar)
            )
            yield network_channels(flux, sqrt_ivar)

    def save(self, path: Path) -> None:
        """Write to an NPZ archive, whole or not at all."""
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, **{name: getattr(self, name) for name in self.__dataclass_fields__})
        partial.rename(path)


def reduce(mocks: Mocks) -> Dataset:
    """Keep of full-resolution mocks what the networks need."""
    flux, ivar = coarse(mocks.flux, mocks.ivar)
    return Dataset(
        flux.clamp(-HALF_LIMIT, HALF_LIMIT).numpy().astype(np.float16),
        ivar.sqrt().clamp(0, HALF_LIMIT).numpy().astype(np.float16),
        mocks.z,
        mocks.allowed,
        np.array([CLASSES.index(name) for name in mocks.spectype]),
        mocks.snr.astype(np.float32),
        mocks.family,
        mocks.survey,
    )


def join(parts: Sequence[Dataset]) -> Dataset:
    """Put data sets one after another."""
    names = list(Dataset.__dataclass_fields__)
    return Dataset(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def generate(sky: MockSky, n: int, progress: Callable[[int], None] = lambda _: None) -> Dataset:
    """Draw at least n mocks; `progress` is told how many each batch gave."""
    parts: list[Dataset] = []
    total = 0
    while total < n:
        parts.append(reduce(sky.batch()))
        total += len(parts[-1])
        progress(len(parts[-1]))
    return join(parts)


def load(path: Path) -> Dataset:
    """Read a data set that `Dataset.save` wrote."""
    with np.load(path) as archive:
        return Dataset(*(archive[name] for name in Dataset.__dataclass_fields__))


def write_channels(paths: Sequence[Path], folder: Path) -> None:
    """Write the channels and the truth of data sets one after another, for `mapped` to read."""
    sizes = [_size(path) for path in paths]
    partial = folder / "channels.partial.npy"
    shape = (sum(sizes), N_CHANNELS, N_COARSE)
    channels = np.lib.format.open_memmap(partial, "w+", np.float16, shape)
    truths, row = [], 0
    for path in paths:
        data = load(path)
        truths.append((data.spectype, data.z, data.allowed))
        for block in data.blocks():
            channels[row : row + len(block)] = block.half().numpy()
            row += len(block)
    channels.flush()
    spectype, z, allowed = (np.concatenate(column) for column in zip(*truths, strict=True))
    np.savez(folder / TRUTH, spectype=spectype, z=z, allowed=allowed)
    partial.rename(folder / CHANNELS)


def _size(path: Path) -> int:
    with np.load(path) as archive:
        return len(archive["z"])


def mapped(folder: Path) -> tuple[torch.Tensor, Truth]:
    """Open what `write_channels` wrote: members trained side by side share one copy in memory.

    Returns
    -------
    channels
        Shape (n, 4, N_COARSE), half precision, 9 kB a spectrum.
    truth
        n rows.
    """
    channels = torch.from_numpy(np.load(folder / CHANNELS, mmap_mode="c"))
    with np.load(folder / TRUTH) as archive:
        return channels, Truth(*(torch.from_numpy(archive[name]) for name in ("spectype", "z", "allowed")))
