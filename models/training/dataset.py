"""Mock spectra on disk: what the networks need of them, small enough to hold a hundred thousand in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.classifier import CLASSES
from models.grid import coarse
from models.preprocess import network_channels
from models.training.mocks import Mocks, MockSky

HALF_LIMIT = 3e4
"""Half precision ends at 65504."""
CHANNEL_BLOCK = 1024


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

    def part(self, rows: slice) -> Dataset:
        """Return some of the rows."""
        return Dataset(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def blocks(self) -> Iterator[torch.Tensor]:
        """Give the network's channels block by block, (<= CHANNEL_BLOCK, 4, N_COARSE)."""
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


def load(paths: Sequence[Path]) -> Dataset:
    """Read data sets that `Dataset.save` wrote, joined."""
    parts = []
    for path in paths:
        with np.load(path) as archive:
            parts.append(Dataset(*(archive[name] for name in Dataset.__dataclass_fields__)))
    return join(parts)
